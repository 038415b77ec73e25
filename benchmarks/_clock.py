"""Time and instructions of tasks that take turns."""

import time

import numpy as np
import torch
from _instructions import instructions
from scipy.stats import quantile_test
from skorch.callbacks import Callback


class Clock(Callback):
    """Cost of a `with` block; as a callback, of a net's training loop.

    Attributes
    ----------
    elapsed : ndarray of shape (3,)
        Wall seconds, CPU seconds and instructions, summed over all blocks.
    """

    def __init__(self):
        self.elapsed = np.zeros(3)

    def __enter__(self):
        self.elapsed -= _now()
        return self

    def __exit__(self, *error):
        self.elapsed += _now()

    def on_train_begin(self, net, **kwargs):
        self.__enter__()

    def on_train_end(self, net, **kwargs):
        self.__exit__()


def take_turns(tasks, n_rounds):
    """Run all tasks in turn, `n_rounds` times, each time in another order.

    In one fixed order each task would always find caches and memory as the same other one left
    them.

    Parameters
    ----------
    tasks : dict of callables
        Each may return the :class:`Clock` of an inner loop; else all of it counts.
    n_rounds : int
        What is quoted are medians, so odd numbers are best.

    Returns
    -------
    times : dict of ndarray of shape (n_rounds, 2, 3)
        For each task and round (whole, inner loop) by (wall seconds, CPU seconds, instructions).
    """
    times = {name: [] for name in tasks}
    rng = np.random.default_rng(0)
    for _ in range(n_rounds):
        for name in rng.permutation(np.array(list(tasks), dtype=object)):
            with Clock() as whole:
                result = tasks[name]()
            loop = result if isinstance(result, Clock) else whole
            times[name].append([whole.elapsed, loop.elapsed])
    return {name: np.array(rounds) for name, rounds in times.items()}


def medians(times):
    """Medians over rounds of what :func:`take_turns` found, task by task."""
    return {name: np.median(rounds, axis=0) for name, rounds in times.items()}


def speeds(times, *yardsticks):
    """Speed of every other task over that of the yardsticks, medians over rounds.

    Parameters
    ----------
    times : dict of ndarray of shape (n_rounds, 3)
        Wall seconds, CPU seconds and instructions.
    *yardsticks : str
        Tasks whose mean the others are compared with.

    Returns
    -------
    speeds : dict
        ``<task>_wall``, ``<task>_cpu`` and ``<task>_instructions``; ``<task>_wall_interval``: two
        numbers that hold the median with 95 % confidence, whatever the law of the rounds (NaN for
        few rounds); and ``<task>_best``: the ratio of the quickest tenths of the rounds in CPU
        time, which others disturb least. The others are taken round by round, since a machine that
        others share is faster in one minute than in the next; the number of instructions does not
        depend on others at all.
    """
    yardstick = np.mean([times[name] for name in yardsticks], axis=0)
    found = {}
    for task in times:
        if task in yardsticks:
            continue
        ratios = yardstick / times[task]
        for kind, ratio in zip(("wall", "cpu", "instructions"), np.median(ratios, 0), strict=True):
            found[f"{task}_{kind}"] = float(ratio)
        interval = quantile_test(ratios[:, 0]).confidence_interval()
        found[f"{task}_wall_interval"] = [float(interval.low), float(interval.high)]
        quick = [np.quantile(times[name][:, 1], 0.1) for name in (*yardsticks, task)]
        found[f"{task}_best"] = float(np.mean(quick[:-1]) / quick[-1])
    return found


def few_rounds(n_rounds):
    """Rounds for ratios that are far from 1, or that are counted in instructions."""
    return max(n_rounds // 5, 3)


def cells(row, task):
    """Median of wall time, its interval and the quickest tenth, as cells of a table.

    Empty where it was not measured, or where rounds were too few for an interval.
    """
    kinds = {"wall": "{:.2f}", "wall_interval": "{0[0]:.2f} to {0[1]:.2f}", "best": "{:.2f}"}
    values = [row.get(f"{task}_{kind}", np.nan) for kind in kinds]
    forms = zip(kinds.values(), values, strict=True)
    return [form.format(value) if np.isfinite(value).all() else "" for form, value in forms]


def ratio(row, key, digits=2):
    """A ratio as a cell of a table, empty where it was not measured or cannot be counted."""
    value = row.get(key, np.nan)
    return f"{value:.{digits}f}" if np.isfinite(value) else ""


def _now():
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()  # what was asked of an accelerator may still be going on
    return np.array([time.perf_counter(), time.process_time(), instructions()])
