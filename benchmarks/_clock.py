"""Time and instructions of tasks that take turns."""

import time

import numpy as np
import torch
from _instructions import instructions
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


def speeds(times, yardstick):
    """Speed of every other task over that of one, medians over rounds.

    Parameters
    ----------
    times : dict of ndarray of shape (n_rounds, 3)
        Wall seconds, CPU seconds and instructions.
    yardstick : str

    Returns
    -------
    speeds : dict of float
        ``<task>_wall``, ``<task>_cpu`` and ``<task>_instructions``. Ratios are taken round by
        round, since a machine that others share is faster in one minute than in the next; the
        number of instructions does not depend on others at all.
    """
    kinds = ("wall", "cpu", "instructions")
    found = {}
    for task in times:
        if task == yardstick:
            continue
        ratios = np.median(times[yardstick] / times[task], axis=0).tolist()
        found |= {f"{task}_{kind}": ratio for kind, ratio in zip(kinds, ratios, strict=True)}
    return found


def _now():
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()  # what was asked of an accelerator may still be going on
    return np.array([time.perf_counter(), time.process_time(), instructions()])
