"""Speed of denoising with one network, by a plain loop, by its estimator and by stock skorch."""

import copy

import numpy as np
from _clock import cells, few_rounds, medians, ratio, speeds, take_turns
from _report import markdown
from _rivals import bare_transform, built, stock_net

BARE_BATCHES = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)
MOST_CURVES = 250_000


def measure_inference(name, X, y, stock_batches, arguments):
    """Return one row: speed of a plain loop at its best batch size, and ratios to it."""
    estimator = built(name, X, y, arguments.device)
    scale = estimator.scale_
    best, seconds_per_curve = best_batch(estimator, X, arguments.seconds)
    n_curves = int(np.clip(arguments.seconds / seconds_per_curve, 4096, MOST_CURVES))
    many = np.tile(X, (-(-n_curves // len(X)), 1))[:n_curves]
    few = many[: max(n_curves // 20, 1024)]  # stock skorch may take 200 times as long
    guarded = copy.deepcopy(estimator).set_params(guard=type(estimator)().guard)
    close = {
        "bare": lambda: bare_transform(estimator, many, batch_size=best, scale=scale),
        "again": lambda: bare_transform(estimator, many, batch_size=best, scale=scale),
        "ours": lambda: estimator.transform(many),
    }
    far = {
        "bare": close["bare"],
        "module": lambda: bare_transform(estimator, many, batch_size=best),
        "guarded": lambda: guarded.transform(many),
    }
    for size in stock_batches:
        net = stock_net(estimator, batch_size=size, n_epochs=1).initialize()
        far[f"stock_{size}"] = lambda net=net: net.predict(few)
    close = take_turns(close, arguments.rounds)
    far = take_turns(far, few_rounds(arguments.rounds))
    close, far = ({task: t[:, 0] for task, t in times.items()} for times in (close, far))
    for size in stock_batches:
        far[f"stock_{size}"] *= n_curves / len(few)
    return {
        "network": name,
        "curves": n_curves,
        "rounds": arguments.rounds,
        "bare_batch": best,
        "bare_curves_per_s": n_curves / np.median(close["bare"][:, 0]),
        **speeds({task: close[task] for task in ("bare", "again")}, "bare"),
        **speeds(close, "bare", "again"),
        **speeds(far, "bare"),
    }


def best_batch(estimator, X, seconds):
    """Return the batch size that a plain loop is fastest with, and its seconds per curve."""
    few = X[: BARE_BATCHES[0]]
    probe = {"probe": lambda: bare_transform(estimator, few, batch_size=len(few))}
    seconds_per_curve = medians(take_turns(probe, 3))["probe"][0, 1] / len(few)
    X = np.tile(X, (10, 1))[: max(int(seconds / seconds_per_curve), 1024)]
    scale = estimator.scale_
    tasks = {
        size: lambda size=size: bare_transform(estimator, X, batch_size=size, scale=scale)
        for size in BARE_BATCHES
        if size <= len(X)
    }
    times = medians(take_turns(tasks, 5))
    best = min(times, key=lambda size: times[size][0, 1])
    return best, times[best][0, 1] / len(X)


def inference_table(rows, stock_batches):
    header = ["network", "batch of (a)", "transform, wall", "95 %", "quickest", "transform, CPU"]
    header += ["(a) again, CPU", "transform, instructions", "with guard, CPU", "module alone, CPU"]
    header += [*(f"skorch {size}, CPU" for size in stock_batches)]
    keys = ("ours_cpu", "again_cpu", "ours_instructions", "guarded_cpu", "module_cpu")
    lines = [
        [
            row["network"],
            row["bare_batch"],
            *cells(row, "ours"),
            *(ratio(row, key) for key in keys),
            *(ratio(row, f"stock_{size}_cpu", digits=3) for size in stock_batches),
        ]
        for row in rows
    ]
    return markdown(header, lines)
