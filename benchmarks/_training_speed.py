"""Speed of training one network, by a plain loop, by its estimator and by stock skorch."""

from unittest.mock import patch

import numpy as np
from _clock import Clock, cells, few_rounds, medians, ratio, speeds, take_turns
from _report import markdown
from _rivals import DENOISERS, bare_fit, built, stock_net


def measure_training(name, X, y, batch_size, arguments):
    """Return one row: speed of the plain loop, and ratios to it."""
    estimator = built(name, X, y, arguments.device)
    n_curves, n_epochs = extent(estimator, X, y, batch_size, arguments.seconds)
    few = X[:n_curves], y[:n_curves]
    # Stock skorch may take ten times as long; the fewer epochs are accounted for.
    n_stock = max(n_epochs // 10, 1)
    fit = {"batch_size": batch_size, "device": arguments.device}
    # What differs by little takes turns by itself, so that turns to be compared are close in time.
    close = {
        "bare": lambda: bare(estimator, *few, batch_size, n_epochs),
        "again": lambda: bare(estimator, *few, batch_size, n_epochs),
        "ours": lambda: ours(name, *few, max_epochs=n_epochs, **fit),
    }
    far = {
        "bare": close["bare"],
        "stock": lambda: stock(estimator, *few, batch_size, n_stock),
        "start": lambda: ours(name, X, y, max_steps=1, **fit),
    }
    # Learning a guard after each of these short trainings would take most of the time.
    with patch("sk_dcedenoise.denoisers._base.Guard.learn", return_value=None):
        close = take_turns(close, arguments.rounds)
        far = take_turns(far, few_rounds(arguments.rounds))
    loops = {task: rounds[:, 1] for task, rounds in close.items()}
    rivals = {task: far[task][:, 1] for task in ("bare", "stock")}
    rivals["stock"] *= n_epochs / n_stock
    step = np.median(loops["bare"], axis=0) / (n_epochs * -(-n_curves // batch_size))
    whole, loop = medians(far)["start"]
    start_up = (whole - loop) / (estimator.max_steps * step)
    row = {
        "network": name,
        "weights": sum(p.numel() for p in estimator.module_.parameters()),
        "batch_size": batch_size,
        "curves": n_curves,
        "epochs": n_epochs,
        "rounds": arguments.rounds,
        "bare_curves_per_s": batch_size / step[0],
        "default_steps": estimator.max_steps,
        **speeds({task: loops[task] for task in ("bare", "again")}, "bare"),
        **speeds(loops, "bare", "again"),
        **speeds(rivals, "bare"),
    }
    row["default_fit_cpu"] = 1 / (1 / row["ours_cpu"] + start_up[1])
    return row


def extent(estimator, X, y, batch_size, seconds):
    """Number of curves, and of epochs, that keep the plain loop busy for about so long."""
    few = 2 * batch_size
    bare(estimator, X[:few], y[:few], batch_size, 1)
    # The quickest of some, or a moment's disturbance makes the work too short.
    busy = min(bare(estimator, X[:few], y[:few], batch_size, 3).elapsed[1] for _ in range(9))
    seconds_per_curve = busy / (3 * few)
    n_curves = int(np.clip(seconds / seconds_per_curve, few, len(X)))
    n_curves -= n_curves % batch_size if n_curves < len(X) else 0
    return n_curves, max(round(seconds / seconds_per_curve / n_curves), 1)


def bare(estimator, X, y, batch_size, n_epochs):
    clock = Clock()
    bare_fit(estimator, X, y, batch_size=batch_size, n_epochs=n_epochs, clock=clock)
    return clock


def ours(name, X, y, **params):
    clock = Clock()
    params |= {"redraw_noise": False, "validation_fraction": 0, "guard": None, "random_state": 0}
    DENOISERS[name](callbacks=[clock], **params).fit(X, y)
    return clock


def stock(estimator, X, y, batch_size, n_epochs):
    clock = Clock()
    stock_net(estimator, batch_size=batch_size, n_epochs=n_epochs, callbacks=[clock]).fit(X, y)
    return clock


def training_table(rows):
    header = (
        "network|weights|batch|loop, wall|95 %|quickest|loop, CPU|(a) again, CPU|loop, instructions"
    )
    header += "|default fit, CPU|skorch, CPU"
    keys = ("ours_cpu", "again_cpu", "ours_instructions", "default_fit_cpu")
    lines = [
        [
            row["network"],
            f"{row['weights']:,}",
            row["batch_size"],
            *cells(row, "ours"),
            *(ratio(row, key) for key in keys),
            ratio(row, "stock_cpu", digits=3),
        ]
        for row in rows
    ]
    return markdown(header.split("|"), lines)
