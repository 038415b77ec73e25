"""Nodes of a piecewise-linear curve that follows a formula closely."""

import numpy as np

# Sampling of a formula: no two nodes further apart than this (s) ...
_LONGEST_STEP = 2.0
# ... and none so far apart that a straight line misses the formula by more than this part of its
# peak, unless the step is already _LONGEST_STEP / 2**_DEEPEST_SPLIT (a jump).
_LINE_ERROR = 1e-5
_DEEPEST_SPLIT = 12
# A formula that jumps at t = 0 gets its last zero this many seconds earlier.
_JUST_BEFORE = 1e-9


def sample_formula(formula, time):
    """Nodes from t = 0 (or the first frame) to the last frame, dense where `formula` bends."""
    nodes = _starting_nodes(time)
    values = _call(formula, nodes)
    open_ = np.ones(nodes.size - 1, dtype=bool)
    for _ in range(_DEEPEST_SPLIT):
        left, width = nodes[:-1][open_], np.diff(nodes)[open_]
        start, rise = values[:-1][open_], np.diff(values)[open_]
        tolerance = _LINE_ERROR * np.abs(values).max()
        # Three points a step: at a turning point of the slope the middle alone meets the line.
        inner = [_call(formula, left + part * width) for part in (0.25, 0.5, 0.75)]
        misses = [
            np.abs(value - start - part * rise)
            for value, part in zip(inner, (0.25, 0.5, 0.75), strict=True)
        ]
        bent = np.max(misses, axis=0) > tolerance
        if not bent.any():
            break
        where = np.flatnonzero(open_)[bent] + 1
        is_new = np.zeros(nodes.size + where.size, dtype=bool)
        is_new[where + np.arange(where.size)] = True
        nodes = np.insert(nodes, where, (left + 0.5 * width)[bent])
        values = np.insert(values, where, inner[1][bent])
        open_ = is_new[:-1] | is_new[1:]
    return nodes, values


def _starting_nodes(time):
    """All frames, t = 0, and enough points between them that no step is too long."""
    coarse = time
    if time[-1] > 0.0:
        extra = np.array([0.0, -_JUST_BEFORE] if time[0] < 0.0 else [0.0])
        # A frame a hair's breadth from zero does for zero: no step is to be lost to rounding.
        apart = np.abs(extra[:, None] - time).min(axis=1) > 0.5 * _JUST_BEFORE
        coarse = np.union1d(time, extra[apart])
    if coarse.size == 1:
        return coarse
    n_parts = np.ceil(np.diff(coarse) / _LONGEST_STEP).astype(int)
    parts = [
        np.linspace(a, b, n, endpoint=False)
        for a, b, n in zip(coarse[:-1], coarse[1:], n_parts, strict=True)
    ]
    return np.concatenate([*parts, coarse[-1:]])


def _call(formula, seconds):
    values = np.asarray(formula(seconds), dtype=np.float64)
    if values.shape != seconds.shape or not np.isfinite(values).all():
        problem = "values that are NaN or infinite"
        if values.shape != seconds.shape:
            problem = f"an array of shape {values.shape} for {seconds.size} times"
        raise ValueError(
            f"aif returned {problem}, but expected one finite mM value for each second it is "
            "given: write the function for numpy arrays and let it be zero before the bolus."
        )
    return values
