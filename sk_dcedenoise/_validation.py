"""Checks of what users give, and the wording of the errors they get.

Every error is one sentence: what was given, what was expected, what to do.
"""

import numbers

import numpy as np


def check_time(time, *, n_times=None, name="time"):
    """Return a time grid as a float64 array, or say what is wrong with it.

    Parameters
    ----------
    time : array-like of shape (n_times,)
        Frame times in seconds, strictly increasing.
    n_times : int, default=None
        Number of frames of the curves that the grid belongs to.
    name : str, default="time"
        What the user calls the argument.

    Returns
    -------
    time : ndarray of shape (n_times,), float64
        A copy.

    Raises
    ------
    ValueError
        If the grid is not one-dimensional, finite and strictly increasing, or has another length.
    """
    grid = np.array(time, dtype=np.float64)
    if grid.ndim != 1 or grid.size == 0:
        raise ValueError(
            f"{name} has shape {grid.shape}, but expected (n_times,): give the frame times in "
            "seconds as one list."
        )
    if not np.isfinite(grid).all():
        raise ValueError(
            f"{name} contains {np.sum(~np.isfinite(grid))} values that are NaN or infinite, but "
            "expected finite seconds: leave those frames out of the curves and the grid."
        )
    steps = np.diff(grid)
    if (steps <= 0).any():
        where = int(np.argmax(steps <= 0)) + 1
        raise ValueError(
            f"{name}[{where}] = {grid[where]:g} s follows {grid[where - 1]:g} s, but expected "
            "strictly increasing seconds: sort the frames and drop repeated ones."
        )
    if n_times is not None and grid.size != n_times:
        raise ValueError(
            f"{name} has {grid.size} frames, but the curves have {n_times}: give one time for each "
            "frame of a curve."
        )
    return grid


def check_positive(value, name, *, unit="", allow_zero=False):
    """Return a positive finite number as a float, or say what is wrong with it."""
    ok = isinstance(value, numbers.Real) and np.isfinite(value)
    if not ok or value < 0 or (value == 0 and not allow_zero):
        least = "of at least zero" if allow_zero else "above zero"
        unit = f" {unit}" if unit else ""
        raise ValueError(f"{name}={value!r}, but expected a finite number{unit} {least}.")
    return float(value)


def check_whole_number(value, name, *, least=1, most=None):
    """Return a whole number within its limits as an int, or say what is wrong with it."""
    ok = isinstance(value, numbers.Integral) and value >= least and (most is None or value <= most)
    if not ok:
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}={value!r}, but expected a whole number {limits}.")
    return int(value)


def check_fraction(value, name):
    """Return a number in [0, 1) as a float, or say what is wrong with it."""
    if not isinstance(value, numbers.Real) or not 0 <= value < 1:
        raise ValueError(f"{name}={value!r}, but expected a fraction from 0 up to, not with, 1.")
    return float(value)


def check_option(value, name, options):
    """Return `value` if it is one of `options`, or list them."""
    if value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise ValueError(f"{name}={value!r}, but expected one of {listed}.")
    return value


def check_pairs(X, y):
    """Raise unless noisy and clean curves come in pairs on one time grid."""
    if X.shape != y.shape:
        raise ValueError(
            f"y has shape {y.shape}, but expected {X.shape}: one clean curve per noisy curve, on "
            "the same time grid."
        )


def check_finite_curves(X, name="X"):
    """Raise if any curve holds NaN or infinity, and say how many do."""
    # A sum is one pass without a temporary of X's size; it is NaN or inf if any value is. A finite
    # array whose sum overflows is looked at in full.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.sum(X)):
            return
    bad = ~np.isfinite(X).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name} contains NaN or infinity in {bad.sum()} of {len(X)} curves (the first is row "
            f"{int(np.argmax(bad))}), but expected finite values: mask those curves out first."
        )
