"""Speed of denoising with one network, by a plain loop, by its estimator and by stock skorch."""

import copy

import numpy as np
from _clock import medians, speeds, take_turns
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
    tasks = {
        "bare": lambda: bare_transform(estimator, many, batch_size=best, scale=scale),
        "again": lambda: bare_transform(estimator, many, batch_size=best, scale=scale),
        "module": lambda: bare_transform(estimator, many, batch_size=best),
        "ours": lambda: estimator.transform(many),
        "guarded": lambda: guarded.transform(many),
    }
    for size in stock_batches:
        net = stock_net(estimator, batch_size=size, n_epochs=1).initialize()
        tasks[f"stock_{size}"] = lambda net=net: net.predict(few)
    times = {task: rounds[:, 0] for task, rounds in take_turns(tasks, arguments.rounds).items()}
    for size in stock_batches:
        times[f"stock_{size}"] *= n_curves / len(few)
    return {
        "network": name,
        "curves": n_curves,
        "rounds": arguments.rounds,
        "bare_batch": best,
        "bare_curves_per_s": n_curves / np.median(times["bare"][:, 0]),
        **speeds(times, "bare"),
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
    header = ["network", "batch of (a)", "transform, wall", "transform, CPU", "(a) again, CPU"]
    header += ["transform", "with guard", "module alone"]
    header += [*(f"skorch {size}" for size in stock_batches)]
    keys = ("ours_wall", "ours_cpu", "again_cpu", "ours_instructions", "guarded_instructions")
    lines = [
        [
            row["network"],
            row["bare_batch"],
            *(f"{row[key]:.2f}" for key in (*keys, "module_instructions")),
            *(f"{row[f'stock_{size}_instructions']:.3f}" for size in stock_batches),
        ]
        for row in rows
    ]
    return markdown(header, lines)
