"""T1 from spoiled gradient echoes at several flip angles."""

import numpy as np

from sk_dcedenoise._validation import check_option, check_positive
from sk_dcedenoise.signal._spgr import relative_signal

# Voxels that the nonlinear flip angle fit takes at a time.
_CHUNK_VOXELS = 65_536
_MOST_STEPS = 100
# The fit has arrived when the logarithm of R1 would move by no more than this.
_LAST_STEP = 1e-8
# Where the linear fit has no answer, the nonlinear one starts from this rate (1/s).
_USUAL_R1 = 1.0


def r1_from_vfa(signal, flip_angle, TR, *, b1=None, method="linear"):
    """Longitudinal relaxation rate from spoiled gradient echoes at several flip angles.

    Parameters
    ----------
    signal : array-like of shape (n_voxels, n_angles) or (n_angles,)
        One signal for each flip angle, in any unit.
    flip_angle : array-like of shape (n_angles,)
        Nominal flip angles in degrees, at least two.
    TR : float
        Repetition time in seconds.
    b1 : float or array-like of shape (n_voxels,), default=None
        Factor on the flip angles (1 is nominal); None is 1.
    method : {"linear", "nonlinear"}, default="linear"
        "linear" fits the straight line S / sin(a) = E1 S / tan(a) + S0 (1 - E1), which is fast
        but weighs the noise unevenly; "nonlinear" fits the signal itself by least squares,
        starting from there.

    Returns
    -------
    R1 : ndarray of shape (n_voxels,), or float
        In 1/s. NaN where the fit has no answer (E1 outside 0 to 1) or a signal is NaN.
    S0 : ndarray of shape (n_voxels,), or float
        Signal of fully relaxed spins at 90 degrees, NaN where R1 is.

    Raises
    ------
    ValueError
        If the number of signals is not that of the flip angles, there are fewer than two
        different angles, or the method is unknown.

    Notes
    -----
    The nonlinear fit is a damped Gauss-Newton iteration in log(R1) for all voxels at once, with
    S0 solved for in closed form at every step (variable projection).

    References
    ----------
    Deoni SCL, Rutt BK, Peters TM. Rapid combined T1 and T2 mapping using gradient recalled
    acquisition in the steady state. Magn Reson Med 2003;49:515-526. doi:10.1002/mrm.10407, eq. 3.

    Examples
    --------
    >>> from sk_dcedenoise.signal import r1_from_vfa, spgr_signal
    >>> signal = [float(spgr_signal([0.0], TR=0.005, flip_angle=a, r1=4.5, T10=1.25)[0])
    ...           for a in (2, 5, 12)]
    >>> R1, S0 = r1_from_vfa(signal, [2, 5, 12], TR=0.005)
    >>> round(float(R1), 6), round(float(S0), 6)
    (0.8, 1.0)
    """
    check_option(method, "method", ("linear", "nonlinear"))
    TR = check_positive(TR, "TR", unit="s")
    signal, angles, is_one = _check_vfa(signal, flip_angle, b1)
    R1, S0 = np.empty((2, len(signal)))
    for start in range(0, len(signal), _CHUNK_VOXELS):
        part = slice(start, start + _CHUNK_VOXELS)
        angle = angles if len(angles) == 1 else angles[part]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            R1[part], S0[part] = _vfa_linear(signal[part], angle, TR)
            if method == "nonlinear":
                R1[part], S0[part] = _vfa_nonlinear(signal[part], angle, TR, R1[part])
    return (R1[0], S0[0]) if is_one else (R1, S0)


def t1_from_vfa(signal, flip_angle, TR, *, b1=None, method="linear"):
    """T1 from spoiled gradient echoes at several flip angles.

    The inverse of the rate that :func:`r1_from_vfa` returns.

    Parameters
    ----------
    signal : array-like of shape (n_voxels, n_angles) or (n_angles,)
        One signal for each flip angle, in any unit.
    flip_angle : array-like of shape (n_angles,)
        Nominal flip angles in degrees, at least two.
    TR : float
        Repetition time in seconds.
    b1 : float or array-like of shape (n_voxels,), default=None
        Factor on the flip angles (1 is nominal); None is 1.
    method : {"linear", "nonlinear"}, default="linear"
        See :func:`r1_from_vfa`.

    Returns
    -------
    T1 : ndarray of shape (n_voxels,), or float
        In seconds, NaN where there is no answer.
    S0 : ndarray of shape (n_voxels,), or float
        Signal of fully relaxed spins at 90 degrees, NaN where T1 is.

    Raises
    ------
    ValueError
        As :func:`r1_from_vfa`.

    References
    ----------
    Deoni SCL, Rutt BK, Peters TM. Rapid combined T1 and T2 mapping using gradient recalled
    acquisition in the steady state. Magn Reson Med 2003;49:515-526. doi:10.1002/mrm.10407, eq. 3.

    Examples
    --------
    >>> from sk_dcedenoise.signal import t1_from_vfa
    >>> T1, S0 = t1_from_vfa([367.0, 605.0, 458.0], [2, 5, 12], TR=0.0054)
    >>> round(float(T1), 2)
    1.08
    """
    R1, S0 = r1_from_vfa(signal, flip_angle, TR, b1=b1, method=method)
    return 1.0 / R1, S0


def _vfa_linear(signal, angle, TR):
    x, y = signal / np.tan(angle), signal / np.sin(angle)
    x_mean, y_mean = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
    E1 = np.sum((x - x_mean) * (y - y_mean), axis=1) / np.sum((x - x_mean) ** 2, axis=1)
    E1 = np.where((E1 > 0.0) & (E1 < 1.0), E1, np.nan)
    return -np.log(E1) / TR, (y_mean - E1[:, None] * x_mean)[:, 0] / (1.0 - E1)


def _vfa_nonlinear(signal, angle, TR, R1):
    answer = np.full((2, len(signal)), np.nan)
    left = np.flatnonzero(np.isfinite(signal).all(axis=1))
    signal, angle = signal[left], np.broadcast_to(angle, signal.shape)[left]
    log_rate = np.log(np.where(np.isnan(R1[left]), _USUAL_R1, R1[left]))
    damping = np.full(len(left), 1e-3)
    fit = _project(signal, angle, TR, log_rate)
    for _ in range(_MOST_STEPS):
        _, S0, step = fit
        # By the undamped step: at a runaway to R1 = 0 or infinity only the damped one is small.
        arrived = np.abs(step) <= _LAST_STEP
        found = arrived & (S0 > 0.0)
        answer[:, left[found]] = np.exp(log_rate[found]), S0[found]
        go_on = ~arrived & np.isfinite(step)
        if not go_on.any():
            break
        left, signal, angle = left[go_on], signal[go_on], angle[go_on]
        log_rate, damping, fit = log_rate[go_on], damping[go_on], fit[:, go_on]
        tried = log_rate + np.clip(fit[2] / (1.0 + damping), -1.0, 1.0)
        new_fit = _project(signal, angle, TR, tried)
        # A hair of slack: near the minimum the sums differ by rounding alone.
        better = new_fit[0] <= fit[0] * (1.0 + 1e-12)
        log_rate, fit = np.where(better, tried, log_rate), np.where(better, new_fit, fit)
        damping = np.where(better, damping / 10.0, damping * 10.0)
    return answer


def _project(signal, angle, TR, log_rate):
    """Residual sum of squares and S0 at the best S0, and the Gauss-Newton step of log(R1)."""
    rate = np.exp(log_rate)[:, None]
    E1 = np.exp(-TR * rate)
    shape = relative_signal(E1, angle)
    norm = np.sum(shape**2, axis=1)
    S0 = np.sum(shape * signal, axis=1) / norm
    residual = signal - S0[:, None] * shape
    slope = np.sin(angle) * (1.0 - np.cos(angle)) / (1.0 - E1 * np.cos(angle)) ** 2
    slope *= TR * rate * E1 * S0[:, None]
    # Only what S0 cannot make up for counts.
    slope -= shape * (np.sum(shape * slope, axis=1) / norm)[:, None]
    step = np.sum(slope * residual, axis=1) / np.sum(slope**2, axis=1)
    return np.stack([np.sum(residual**2, axis=1), S0, step])


def _check_vfa(signal, flip_angle, b1):
    signal = np.asarray(signal, dtype=np.float64)
    angle = np.asarray(flip_angle, dtype=np.float64)
    if angle.ndim != 1 or np.unique(angle).size < 2 or not ((angle > 0) & (angle < 180)).all():
        raise ValueError(
            f"flip_angle={flip_angle!r}, but expected (n_angles,) degrees between 0 and 180 with "
            "at least two different ones: T1 cannot be told from S0 otherwise."
        )
    if signal.ndim not in (1, 2) or signal.shape[-1] != angle.size:
        raise ValueError(
            f"signal has shape {signal.shape}, but expected (n_voxels, {angle.size}): give one "
            "signal for each flip angle, angles last."
        )
    rows = np.atleast_2d(signal)
    factor = np.ones(1) if b1 is None else np.atleast_1d(np.asarray(b1, dtype=np.float64))
    if factor.ndim != 1 or factor.size not in (1, len(rows)):
        raise ValueError(
            f"b1 has shape {factor.shape}, but expected one number or ({len(rows)},): give one "
            "factor for each voxel."
        )
    return rows, np.deg2rad(angle) * factor[:, None], signal.ndim == 1
