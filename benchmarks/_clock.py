"""Wall and CPU time of tasks that take turns."""

import time

import numpy as np
import torch
from skorch.callbacks import Callback


class Clock(Callback):
    """Wall and CPU seconds of a `with` block; as a callback, of a net's training loop.

    Attributes
    ----------
    elapsed : ndarray of shape (2,)
        Wall and CPU seconds, summed over all blocks.
    """

    def __init__(self):
        self.elapsed = np.zeros(2)

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
    times : dict of ndarray of shape (2, 2)
        For each task the medians of (whole, inner loop) by (wall, CPU), in seconds.
    """
    times = {name: [] for name in tasks}
    rng = np.random.default_rng(0)
    for _ in range(n_rounds):
        for name in rng.permutation(np.array(list(tasks), dtype=object)):
            with Clock() as whole:
                result = tasks[name]()
            loop = result if isinstance(result, Clock) else whole
            times[name].append([whole.elapsed, loop.elapsed])
    return {name: np.median(rounds, axis=0) for name, rounds in times.items()}


def _now():
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()  # what was asked of an accelerator may still be going on
    return np.array([time.perf_counter(), time.process_time()])
