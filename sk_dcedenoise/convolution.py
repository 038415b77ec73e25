"""Convolution of a measured or sampled plasma curve with exponential decays, exactly."""

import numpy as np

from sk_dcedenoise._validation import check_time

# Float64 values that the states of one chunk of curves may take (32 MB).
_CHUNK_VALUES = 4_000_000
# Below this the ramp integral loses digits to cancellation and is summed as a series instead.
_SERIES_BELOW = 0.1


def exponential_convolution(time, kep, aif_time, cp):
    """Convolution of a piecewise-linear plasma curve with exponential decays, exactly.

    The integral of Cp(u) exp(-kep (t - u)) over u from the first node to t, in closed form from
    node to node and from the last node before t to t.

    Parameters
    ----------
    time : array-like of shape (n_times,) or (n_kep, n_times)
        Seconds at which the integral is wanted, common to all rates or one row for each. They
        need not be nodes. A curve that comes `delay` later is ``time - delay[:, None]``.
    kep : float or array-like of shape (n_kep,)
        Rates in 1/min, at least zero; 0 is the plain integral. NaN gives a row of NaN.
    aif_time : array-like of shape (n_nodes,)
        Node times in seconds, strictly increasing.
    cp : array-like of shape (n_nodes,)
        Plasma concentration at the nodes in mM; zero before the first node.

    Returns
    -------
    integral : ndarray of shape (n_kep, n_times)
        In mM min; zero before the first node.

    Raises
    ------
    ValueError
        If shapes do not fit, a rate is negative or infinite, or a time lies after the last node:
        the plasma curve is not extrapolated.

    Notes
    -----
    Memory beyond the result stays bounded: rates go through in chunks. Equal rates on common
    times are computed once.

    References
    ----------
    Flouri D, Lesnic D, Mayrovitz HN. Numerical solution of the convolution integral equations in
    pharmacokinetics. Comput Methods Biomech Biomed Engin 2016;19(13):1359-1367.

    Examples
    --------
    >>> from sk_dcedenoise.convolution import exponential_convolution
    >>> exponential_convolution([0.0, 60.0, 120.0], [0.0, 1.0], [0.0, 120.0], [3.0, 3.0]).round(4)
    array([[0.    , 3.    , 6.    ],
           [0.    , 1.8964, 2.594 ]])
    """
    aif_time = check_time(aif_time, name="aif_time")
    cp = np.asarray(cp, dtype=np.float64)
    if cp.shape != aif_time.shape:
        raise ValueError(
            f"cp has shape {cp.shape}, but expected {aif_time.shape}: give one concentration for "
            "each node of aif_time."
        )
    time, kep = _check_queries(time, kep, aif_time)
    if time.ndim == 1 and kep.size > 1:
        rates, inverse = np.unique(kep, return_inverse=True)
        if rates.size <= kep.size // 2:
            return _convolve(time, rates, aif_time, cp)[inverse]
    return _convolve(time, kep, aif_time, cp)


def _check_queries(time, kep, aif_time):
    time = np.asarray(time, dtype=np.float64)
    kep = np.atleast_1d(np.asarray(kep, dtype=np.float64))
    if time.ndim == 2 and kep.size == 1:
        kep = np.broadcast_to(kep, len(time))
    if kep.ndim != 1 or time.ndim not in (1, 2) or (time.ndim == 2 and len(time) != kep.size):
        raise ValueError(
            f"time has shape {time.shape} and kep {kep.shape}, but expected (n_times,) or "
            "(n_kep, n_times) and (n_kep,): give one row of times for each rate, or one for all."
        )
    if (kep < 0.0).any() or np.isinf(kep).any():
        bad = kep[(kep < 0.0) | np.isinf(kep)][0]
        raise ValueError(f"kep contains {bad:g}, but expected finite rates in 1/min of at least 0.")
    latest = np.max(time, initial=-np.inf, where=~np.isnan(time))
    # Frame minus delay plus delay may end a rounding error later than it began.
    if latest > aif_time[-1] + 1e-9 * max(1.0, abs(aif_time[-1])):
        raise ValueError(
            f"time (less the delay) reaches {latest:g} s, but expected nothing after the AIF's "
            f"end at {aif_time[-1]:g} s: extend the AIF, or drop the later frames."
        )
    return time, kep


def _convolve(time, kep, aif_time, cp):
    # Chunks in which each curve brings its states, its queries and their temporaries.
    rows = max(1, _CHUNK_VALUES // (aif_time.size + 8 * time.shape[-1]))
    out = np.empty((kep.size, time.shape[-1]))
    for start in range(0, kep.size, rows):
        part = slice(start, start + rows)
        queries = time[:, None] if time.ndim == 1 else time[part].T
        out[part] = _convolve_chunk(queries, kep[part], aif_time, cp).T
    return out


def _convolve_chunk(queries, kep, aif_time, cp):
    """Integrals (n_times, n_kep) at `queries`, (n_times, n_kep) or (n_times, 1) for common ones."""
    node = np.maximum(np.searchsorted(aif_time, queries, side="right") - 1, 0)
    wanted = np.zeros(aif_time.size, dtype=bool)
    wanted[node] = True
    states = _states_at_nodes(kep, aif_time, cp, wanted)
    row = np.cumsum(wanted) - 1
    integral = states[row[node], np.arange(kep.size)]
    ahead = (queries - aif_time[node]) / 60.0
    if ahead.any():
        slope = np.append(np.diff(cp) / np.diff(aif_time / 60.0), 0.0)[node]
        x = kep * ahead
        flat, ramp = _unit_integrals(x)
        integral = np.exp(-x) * integral + ahead * (cp[node] * flat + slope * ahead * ramp)
    # A comparison that is false for NaN: such queries stay NaN.
    return np.where(queries < aif_time[0], 0.0, integral)


def _states_at_nodes(kep, aif_time, cp, wanted):
    """The integral at the wanted nodes, by the recursion from each node to the next."""
    states = np.empty((np.count_nonzero(wanted), kep.size))
    # A NaN rate must give NaN also where no step is taken.
    state, scratch = 0.0 * kep, np.empty_like(kep)
    steps = np.diff(aif_time) / 60.0
    same_step = 4.0 * np.finfo(float).eps * np.abs(aif_time).max() / 60.0
    known, filled = -1.0, 0
    for i in range(aif_time.size):
        if wanted[i]:
            states[filled] = state
            filled += 1
        if filled == len(states):
            break
        if abs(steps[i] - known) > same_step:
            known = steps[i]
            decay, from_left, from_right = _step_weights(kep, known)
        state *= decay
        state += np.multiply(from_left, cp[i], out=scratch)
        state += np.multiply(from_right, cp[i + 1], out=scratch)
    return states


def _step_weights(kep, step):
    """What a step makes of the state before it, and of the concentrations at its two ends."""
    x = kep * step
    flat, ramp = _unit_integrals(x)
    return np.exp(-x), step * (flat - ramp), step * ramp


def _unit_integrals(x):
    """Integrals over u from 0 to 1 of exp(-x (1 - u)) and of u exp(-x (1 - u))."""
    small = np.abs(x) < _SERIES_BELOW
    safe = np.where(small, 1.0, x)
    flat = -np.expm1(-safe) / safe
    ramp = (1.0 - flat) / safe
    if small.any():
        y = x[small]  # ramp = 1/2! - y/3! + y^2/4! - ..., nested
        series = np.zeros_like(y)
        for order in range(10, 1, -1):
            series = (1.0 - y * series) / order
        ramp[small] = series
        flat[small] = 1.0 - y * series
    return flat, ramp
