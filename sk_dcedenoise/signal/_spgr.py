"""Spoiled gradient echo signal, and the way back to concentrations."""

import numpy as np

from sk_dcedenoise._validation import check_positive


def spgr_signal(concentration, *, TR, flip_angle, r1, T10, S0=1.0):
    """Signal of a spoiled gradient echo sequence in the steady state.

    S = S0 sin(a) (1 - E1) / (1 - E1 cos(a)), with E1 = exp(-TR R1) and R1 = 1 / T10 + r1 C: fast
    water exchange, and an echo time too short for T2* to matter.

    Parameters
    ----------
    concentration : array-like of shape (n_curves, n_times) or (n_times,)
        Contrast agent in mM.
    TR : float
        Repetition time in seconds.
    flip_angle : float or array-like of shape (n_curves,)
        Flip angle in degrees.
    r1 : float
        Relaxivity in 1/s/mM.
    T10 : float or array-like of shape (n_curves,)
        T1 without contrast agent in seconds.
    S0 : float or array-like of shape (n_curves,), default=1.0
        Signal of fully relaxed spins at 90 degrees.

    Returns
    -------
    signal : ndarray of the shape of `concentration`
        In the unit of `S0`.

    Raises
    ------
    ValueError
        If TR or r1 is not above zero, or a parameter is not one number or one for each curve.

    References
    ----------
    Buxton RB, Edelman RR, Rosen BR, Wismer GL, Brady TJ. Contrast in rapid MR imaging: T1- and
    T2-weighted imaging. J Comput Assist Tomogr 1987;11:7-16.

    Examples
    --------
    >>> from sk_dcedenoise.signal import spgr_signal
    >>> spgr_signal([0.0, 1.0], TR=0.005, flip_angle=15, r1=4.5, T10=1.4).round(4)
    array([0.0246, 0.113 ])
    """
    curves, columns = _check_curves(
        concentration, "concentration", flip_angle=flip_angle, T10=T10, S0=S0
    )
    TR, r1 = check_positive(TR, "TR", unit="s"), check_positive(r1, "r1", unit="1/s/mM")
    flip, T10, S0 = columns
    with np.errstate(divide="ignore", invalid="ignore"):
        E1 = np.exp(-TR * (1.0 / T10 + r1 * curves))
        return S0 * relative_signal(E1, np.deg2rad(flip))


def concentration_from_signal(signal, *, TR, flip_angle, r1, T10, n_baseline, n_skip=0):
    """Concentration of contrast agent from the signal of a spoiled gradient echo sequence.

    The mean of the baseline frames stands for C = 0 and T1 = T10, which fixes the scale of the
    signal. Each frame then has one R1 that explains it, and C = (R1 - 1 / T10) / r1.

    Parameters
    ----------
    signal : array-like of shape (n_curves, n_times) or (n_times,)
        In any unit.
    TR : float
        Repetition time in seconds.
    flip_angle : float or array-like of shape (n_curves,)
        Flip angle in degrees; where B1 is known, its nominal value times B1.
    r1 : float
        Relaxivity in 1/s/mM.
    T10 : float or array-like of shape (n_curves,)
        T1 without contrast agent in seconds.
    n_baseline : int
        Number of frames before the contrast agent arrives.
    n_skip : int, default=0
        Leading frames among them that are left out of the mean, for they were acquired before
        the steady state: the baseline is the mean of ``signal[n_skip:n_baseline]``.

    Returns
    -------
    concentration : ndarray of the shape of `signal`
        In mM. Negative values are noise around zero and are kept. NaN where no T1 explains the
        signal, where the baseline or T10 is not above zero, and where they are NaN.

    Raises
    ------
    ValueError
        If TR or r1 is not above zero, there is no baseline frame, or a parameter is not one
        number or one for each curve.

    Notes
    -----
    The frames that `n_skip` leaves out of the baseline are converted like all others.

    References
    ----------
    Schabel MC, Parker DL. Uncertainty and bias in contrast concentration measurements using
    spoiled gradient echo pulse sequences. Phys Med Biol 2008;53:2345-2373.
    doi:10.1088/0031-9155/53/9/010.

    Examples
    --------
    >>> from sk_dcedenoise.signal import concentration_from_signal
    >>> signal = [10.0, 10.0, 9.0, 46.0, 1000.0]
    >>> concentration = concentration_from_signal(
    ...     signal, TR=0.005, flip_angle=15, r1=4.5, T10=1.4, n_baseline=2
    ... )
    >>> concentration[2:].round(3)
    array([-0.017,  1.002,    nan])
    """
    curves, (flip, T10) = _check_curves(signal, "signal", flip_angle=flip_angle, T10=T10)
    TR, r1 = check_positive(TR, "TR", unit="s"), check_positive(r1, "r1", unit="1/s/mM")
    n_times = curves.shape[-1]
    if not 0 <= n_skip < n_baseline <= n_times:
        raise ValueError(
            f"n_baseline={n_baseline} and n_skip={n_skip} for {n_times} frames, but expected "
            "0 <= n_skip < n_baseline <= n_times: leave at least one frame before the bolus."
        )
    cosine = np.cos(np.deg2rad(flip))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        T10 = np.where(T10 > 0.0, T10, np.nan)
        baseline = curves[..., n_skip:n_baseline].mean(axis=-1, keepdims=True)
        enhancement = curves / np.where(baseline > 0.0, baseline, np.nan)
        E0 = np.exp(-TR / T10)
        weight = enhancement * (1.0 - E0)
        E1 = (1.0 - E0 * cosine - weight) / (1.0 - E0 * cosine - weight * cosine)
        E1 = np.where((E1 > 0.0) & (E1 < 1.0), E1, np.nan)
        return (-np.log(E1) / TR - 1.0 / T10) / r1


def relative_signal(E1, angle):
    """Signal over that of fully relaxed spins at 90 degrees; the flip angle is in radians."""
    return np.sin(angle) * (1.0 - E1) / (1.0 - E1 * np.cos(angle))


def _check_curves(curves, name, **parameters):
    """Float64 curves, and each parameter as a number or a column beside them."""
    curves = np.asarray(curves, dtype=np.float64)
    if curves.ndim not in (1, 2):
        raise ValueError(
            f"{name} has shape {curves.shape}, but expected (n_curves, n_times) or (n_times,): "
            "take the curves out of a volume with curves_from_volume."
        )
    columns = []
    for parameter, value in parameters.items():
        value = np.asarray(value, dtype=np.float64)
        if value.ndim == 1 and curves.ndim == 2 and len(value) == len(curves):
            value = value[:, None]
        elif value.ndim != 0:
            raise ValueError(
                f"{parameter} has shape {value.shape}, but expected one number or, for "
                f"{name} of shape {curves.shape}, one for each curve."
            )
        columns.append(value)
    return curves, columns
