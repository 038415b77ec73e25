"""Arterial input functions: five published formulas, and the plasma curve that the models use."""

import math

import numpy as np

from sk_dcedenoise._sampling import sample_formula
from sk_dcedenoise._validation import check_fraction, check_option, check_time


def aif_parker(time, *, hematocrit=None, delay=0.0, scale=1.0):
    """Population arterial input function of Parker et al. (2006).

    Two Gaussians (first pass and recirculation) and an exponential washout that a sigmoid lets
    in. The peak is 6.07 mM, 10.4 s after the start.

    Parameters
    ----------
    time : array-like of any shape
        Times in seconds.
    hematocrit : float in [0, 1), default=None
        None takes the published curve as plasma as it stands; a number divides it by
        1 - hematocrit (blood to plasma).
    delay : float or array-like broadcasting with `time`, default=0.0
        Seconds by which the whole curve comes later; before it the curve is zero.
    scale : float or array-like broadcasting with `time`, default=1.0
        Factor on the concentration.

    Returns
    -------
    cp : ndarray of the shape of `time`
        Plasma concentration in mM.

    Notes
    -----
    The formula was published for whole blood and does not start from zero (0.08 mM at t = 0).
    The constants are those of the paper's Table 1.

    References
    ----------
    Parker GJM, Roberts C, Macdonald A, et al. Experimentally-derived functional form for a
    population-averaged high-temporal-resolution arterial input function for dynamic
    contrast-enhanced MRI. Magn Reson Med 2006;56:993-1000. doi:10.1002/mrm.21066, eq. 1.

    Examples
    --------
    >>> from sk_dcedenoise.aif import aif_parker
    >>> aif_parker([0.0, 10.4, 60.0]).round(3)
    array([0.08 , 6.073, 0.887])
    """

    def formula(t):
        first = 0.809 / 0.0563 * np.exp(-0.5 * ((t - 0.17046) / 0.0563) ** 2)
        second = 0.330 / 0.132 * np.exp(-0.5 * ((t - 0.365) / 0.132) ** 2)
        washout = 1.050 * np.exp(-0.1685 * t) / (1.0 + np.exp(-38.078 * (t - 0.483)))
        return (first + second) / math.sqrt(2.0 * math.pi) + washout

    return _evaluate(formula, time, hematocrit, delay, scale)


def aif_georgiou(time, *, hematocrit=None, delay=0.0, scale=1.0):
    """Population arterial input function of Georgiou et al. (2019).

    Three decaying exponentials times a train of gamma variates, one for each pass of the bolus
    through the circulation. The peak is 8.65 mM, 7.5 s after the start.

    Parameters
    ----------
    time : array-like of any shape
        Times in seconds.
    hematocrit : float in [0, 1), default=None
        None takes the published curve as plasma as it stands; a number divides it by
        1 - hematocrit (blood to plasma).
    delay : float or array-like broadcasting with `time`, default=0.0
        Seconds by which the whole curve comes later; before it the curve is zero.
    scale : float or array-like broadcasting with `time`, default=1.0
        Factor on the concentration.

    Returns
    -------
    cp : ndarray of the shape of `time`
        Plasma concentration in mM.

    Notes
    -----
    The formula was published for whole blood. Rounded as printed (Table 3: 0.37, 0.11, 0.33,
    1.17, 10.06, 16.02, 5.26, 0.032, 0.129), the constants miss the authors' own table of values
    by up to 0.08 mM. The digits used here come from a least-squares fit of the formula to that
    table (3001 values of the paper's supplement); they meet it within 0.00003 mM.

    References
    ----------
    Georgiou L, Wilson DJ, Sharma N, Perren TJ, Buckley DL. A functional form for a representative
    individual arterial input function measured from a population using high temporal resolution
    DCE MRI. Magn Reson Med 2019;81:1955-1963. doi:10.1002/mrm.27524, eq. 1 and supplement.

    Horsfield MA, Thornton JS, Gill A, Jager HR, Priest AN, Morgan B. A functional form for
    injected MRI Gd-chelate contrast agent concentration incorporating recirculation,
    extravasation and excretion. Phys Med Biol 2009;54:2933-2949. doi:10.1088/0031-9155/54/9/023.

    Examples
    --------
    >>> from sk_dcedenoise.aif import aif_georgiou
    >>> aif_georgiou([0.0, 7.5, 60.0]).round(3)
    array([0.   , 8.645, 1.277])
    """

    def formula(t):
        decay = 0.374322 * np.exp(-0.112701 * t)
        decay += 0.331184 * np.exp(-1.17465 * t)
        decay += 10.0612 * np.exp(-16.0200 * t)
        return decay * _gamma_variate_train(t, alpha=5.26699, beta=0.0320788, tau=0.128556)

    return _evaluate(formula, time, hematocrit, delay, scale)


def aif_weinmann(time, *, hematocrit=None, delay=0.0, scale=1.0):
    """Biexponential plasma curve of Weinmann et al. (1984) for 0.1 mmol/kg.

    It jumps to its peak of 0.877 mM at the start and decays from there.

    Parameters
    ----------
    time : array-like of any shape
        Times in seconds.
    hematocrit : float in [0, 1), default=None
        None takes the published curve as plasma as it stands; a number divides it by
        1 - hematocrit (blood to plasma).
    delay : float or array-like broadcasting with `time`, default=0.0
        Seconds by which the whole curve comes later; before it the curve is zero.
    scale : float or array-like broadcasting with `time`, default=1.0
        Factor on the concentration; 2 stands for a dose of 0.2 mmol/kg.

    Returns
    -------
    cp : ndarray of the shape of `time`
        Plasma concentration in mM.

    Notes
    -----
    Measured in plasma, from samples taken minutes apart: the first pass of the bolus is not in
    it. The two amplitudes (3.99 and 4.78 kg/L) and rates (0.144 and 0.0111 /min) are those that
    Tofts and Kermode fitted to the published samples.

    References
    ----------
    Weinmann HJ, Laniado M, Mutzel W. Pharmacokinetics of GdDTPA/dimeglumine after intravenous
    injection into healthy volunteers. Physiol Chem Phys Med NMR 1984;16:167-172.

    Tofts PS, Kermode AG. Measurement of the blood-brain barrier permeability and leakage space
    using dynamic MR imaging. 1. Fundamental concepts. Magn Reson Med 1991;17:357-367.
    doi:10.1002/mrm.1910170208, eq. 3.

    Examples
    --------
    >>> from sk_dcedenoise.aif import aif_weinmann
    >>> aif_weinmann([-1.0, 0.0, 60.0]).round(3)
    array([0.   , 0.877, 0.818])
    """

    def formula(t):
        return 0.1 * (3.99 * np.exp(-0.144 * t) + 4.78 * np.exp(-0.0111 * t))

    return _evaluate(formula, time, hematocrit, delay, scale)


def aif_fritz_hansen(time, *, hematocrit=None, delay=0.0, scale=1.0):
    """Biexponential curve fitted to the measurements of Fritz-Hansen et al. (1996).

    It jumps to its peak of 3.02 mM at the start and decays from there.

    Parameters
    ----------
    time : array-like of any shape
        Times in seconds.
    hematocrit : float in [0, 1), default=None
        None takes the published curve as plasma as it stands; a number divides it by
        1 - hematocrit (blood to plasma).
    delay : float or array-like broadcasting with `time`, default=0.0
        Seconds by which the whole curve comes later; before it the curve is zero.
    scale : float or array-like broadcasting with `time`, default=1.0
        Factor on the concentration.

    Returns
    -------
    cp : ndarray of the shape of `time`
        Plasma concentration in mM.

    Notes
    -----
    Amplitudes 2.4 and 0.62 mM and rates 3.0 and 0.016 /min: the biexponential description of
    these measurements that is in common use, as in dcemriS4 (Whitcher and Schmid 2011).

    References
    ----------
    Fritz-Hansen T, Rostrup E, Larsson HBW, Sondergaard L, Ring P, Henriksen O. Measurement of the
    arterial concentration of Gd-DTPA using MRI: a step toward quantitative perfusion imaging.
    Magn Reson Med 1996;36:225-231. doi:10.1002/mrm.1910360209.

    Whitcher B, Schmid VJ. Quantitative analysis of dynamic contrast-enhanced and
    diffusion-weighted magnetic resonance imaging for oncology in R. J Stat Softw 2011;44(5):1-29.
    doi:10.18637/jss.v044.i05.

    Examples
    --------
    >>> from sk_dcedenoise.aif import aif_fritz_hansen
    >>> aif_fritz_hansen([-1.0, 0.0, 60.0]).round(3)
    array([0.  , 3.02, 0.73])
    """

    def formula(t):
        return 2.4 * np.exp(-3.0 * t) + 0.62 * np.exp(-0.016 * t)

    return _evaluate(formula, time, hematocrit, delay, scale)


def aif_mcgrath(time, *, hematocrit=None, delay=0.0, scale=1.0):
    """Population arterial input function for rats, model B of McGrath et al. (2009).

    A straight rise to 5.21 mM in 7 s, then two decaying exponentials.

    Parameters
    ----------
    time : array-like of any shape
        Times in seconds.
    hematocrit : float in [0, 1), default=None
        None takes the published curve as plasma as it stands; a number divides it by
        1 - hematocrit (blood to plasma).
    delay : float or array-like broadcasting with `time`, default=0.0
        Seconds by which the whole curve comes later; before it the curve is zero.
    scale : float or array-like broadcasting with `time`, default=1.0
        Factor on the concentration.

    Returns
    -------
    cp : ndarray of the shape of `time`
        Plasma concentration in mM.

    Notes
    -----
    The formula was published for whole blood: amplitudes 3.4 and 1.81 mM, rates 0.045 and
    0.0015 /s.

    References
    ----------
    McGrath DM, Bradley DP, Tessier JL, Lacey T, Taylor CJ, Parker GJM. Comparison of model-based
    arterial input functions for dynamic contrast-enhanced MRI in tumor bearing rats. Magn Reson
    Med 2009;61:1173-1184. doi:10.1002/mrm.21959, model B.

    Examples
    --------
    >>> from sk_dcedenoise.aif import aif_mcgrath
    >>> aif_mcgrath([0.0, 3.5, 7.0, 60.0]).round(3)
    array([0.   , 2.605, 5.21 , 1.985])
    """

    def formula(t):
        after = 60.0 * t - 7.0
        tail = np.maximum(after, 0.0)
        decay = 3.4 * np.exp(-0.045 * tail) + 1.81 * np.exp(-0.0015 * tail)
        return np.where(after < 0.0, 5.21 * (after + 7.0) / 7.0, decay)

    return _evaluate(formula, time, hematocrit, delay, scale)


NAMED_AIFS = {
    "parker": aif_parker,
    "georgiou": aif_georgiou,
    "weinmann": aif_weinmann,
    "fritz_hansen": aif_fritz_hansen,
    "mcgrath": aif_mcgrath,
}


def plasma_curve(aif, time, *, hematocrit=None):
    """Nodes of the piecewise-linear plasma curve that an arterial input function stands for.

    A measured curve is used as given, frame by frame. A formula is sampled so finely that the
    straight lines between its nodes miss it by no more than 1e-5 of its peak.

    Parameters
    ----------
    aif : str, array-like of shape (n_times,), tuple of two array-likes, or callable
        A name ("parker", "georgiou", "weinmann", "fritz_hansen", "mcgrath"); concentrations in
        mM on the grid `time`; a tuple (aif_time, values), seconds and mM, on a grid of its own;
        or a function of an array of seconds that returns mM.
    time : array-like of shape (n_times,)
        Frame times of the tissue curves in seconds, strictly increasing.
    hematocrit : float in [0, 1), default=None
        None takes the concentrations as plasma; a number takes them as whole blood and divides
        them by 1 - hematocrit, whatever their source.

    Returns
    -------
    aif_time : ndarray of shape (n_nodes,)
        Node times in seconds, strictly increasing.
    cp : ndarray of shape (n_nodes,)
        Plasma concentration at the nodes in mM. Before `aif_time[0]` it is zero.

    Raises
    ------
    ValueError
        If the name is unknown, the shapes do not fit, values are NaN or infinite, or a measured
        curve ends before the last frame: it is not extrapolated.

    Notes
    -----
    The grid of a formula reaches from t = 0 (or the first frame, if that is earlier) to the last
    frame, holds every frame, and is made finer by halving where the curve bends, down to 0.5 ms
    at a jump.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.aif import plasma_curve
    >>> aif_time, cp = plasma_curve("parker", np.arange(32) * 3.75, hematocrit=0.42)
    >>> bool(len(aif_time) < 1000), round(float(cp.max()), 2)
    (True, 10.47)
    >>> aif_time, cp = plasma_curve([0.0, 4.0, 2.0], [0.0, 5.0, 10.0])
    >>> cp
    array([0., 4., 2.])
    """
    time = check_time(time)
    if isinstance(aif, str):
        formula = NAMED_AIFS[check_option(aif, "aif", tuple(NAMED_AIFS))]
        aif_time, cp = sample_formula(formula, time)
    elif callable(aif):
        aif_time, cp = sample_formula(aif, time)
    else:
        aif_time, cp = _check_measured(aif, time)
    return aif_time, cp / _plasma_fraction(hematocrit)


def _evaluate(formula, time, hematocrit, delay, scale):
    """Scaled and shifted `formula` (of minutes after arrival); zero before it."""
    since = (np.asarray(time, dtype=np.float64) - delay) / 60.0
    # Written so that NaN times stay NaN instead of turning into zeros.
    curve = np.where(since < 0.0, 0.0, formula(np.maximum(since, 0.0)))
    return curve * scale / _plasma_fraction(hematocrit)


def _plasma_fraction(hematocrit):
    return 1.0 if hematocrit is None else 1.0 - check_fraction(hematocrit, "hematocrit")


def _gamma_variate_train(t, *, alpha, beta, tau):
    """Sum of unit-area gamma variates, the k-th one delayed by k tau and k times dispersed."""
    total = np.zeros_like(t)
    n_passes = int(np.nanmax(t, initial=0.0) / tau) + 1
    for k in range(n_passes):
        power = (k + 1) * alpha + k
        since = t - k * tau
        log_area = (power + 1) * math.log(beta) + math.lgamma(power + 1)
        # Logarithms: the powers pass 170 after three minutes, where the gamma function overflows.
        with np.errstate(divide="ignore"):
            log_since = np.log(np.maximum(since, 0.0))
        total += np.exp(power * log_since - since / beta - log_area)
    return total


def _check_measured(aif, time):
    is_pair = isinstance(aif, tuple) and len(aif) == 2
    aif_time, values = aif if is_pair else (time, aif)
    aif_time = check_time(aif_time, name="aif_time")
    values = np.array(values, dtype=np.float64)
    if values.shape != aif_time.shape:
        raise ValueError(
            f"aif has shape {values.shape}, but expected {aif_time.shape}: give one concentration "
            "for each time, or a tuple (aif_time, values) if the AIF has a grid of its own."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            f"aif contains {np.sum(~np.isfinite(values))} values that are NaN or infinite, but "
            "expected finite mM: give a tuple (aif_time, values) without those samples."
        )
    if aif_time[-1] < time[-1]:
        raise ValueError(
            f"aif ends at {aif_time[-1]:g} s, but expected it to reach the last frame at "
            f"{time[-1]:g} s: drop the later frames, or extend the AIF."
        )
    return aif_time, values
