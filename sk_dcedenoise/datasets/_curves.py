"""Synthetic DCE-MRI curves with the truth they were made from.

The forward chain, the arrows of the library run backwards: kinetic parameters are drawn from a
law, turned into clean concentration curves by the extended Tofts model, and given noise.
"""

import numbers

import numpy as np
from sklearn.utils import Bunch, check_random_state

from sk_dcedenoise._validation import check_option, check_time
from sk_dcedenoise.aif import plasma_curve
from sk_dcedenoise.convolution import exponential_convolution
from sk_dcedenoise.tofts import extended_tofts

_LAWS = ("reference", "wide")
_NOISES = ("gaussian", "rician")
_REFERENCE_LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3)
# Pre-contrast signal in mM, as the linearised SPGR equation gives it for TR 5 ms, flip angle
# 15 degrees, T10 1.4 s and r1 4.5 /s/mM; only Rician noise needs it.
_BASELINE_MM = 0.175


def make_dce_curves(
    n_samples,
    *,
    time=None,
    aif="parker",
    law="reference",
    noise_levels=None,
    noise="gaussian",
    hematocrit=None,
    random_state=None,
    return_params=False,
):
    """Draw noisy and clean DCE-MRI concentration curves in pairs.

    Parameters are drawn from `law`, one set per curve, and become a clean curve through the
    extended Tofts model with an accurate convolution. The noise is white, with a standard
    deviation of a level times the mean of that clean curve. Nothing is clipped: negative
    concentrations are data.

    Parameters
    ----------
    n_samples : int
        Number of curves.
    time : array-like of shape (n_times,), default=None
        Frame times in seconds, strictly increasing. None means 32 frames, 3.75 s apart, the first
        at 0.
    aif : str, array-like of shape (n_times,), pair of arrays or callable, default="parker"
        The plasma curve, as :func:`~sk_dcedenoise.aif.plasma_curve` takes it: the name of a
        published formula, mM on `time`, a pair ``(aif_time, values)``, or a function of seconds.
    law : {"reference", "wide"}, default="reference"
        How kinetic parameters are drawn.

        - "reference": independently and uniformly from grids of 41 values, Ktrans 0.02 ... 0.22
          and kep 0.2 ... 2.2 1/min, vp 0.002 ... 0.022; no delay, AIF as given.
        - "wide": log-uniformly, Ktrans 0.003-0.6 1/min, ve 0.03-0.8, vp 0.0005-0.12; bolus delay
          uniform in 0-12 s and AIF amplitude factor uniform in 0.8-1.2, both as a rule unknown to
          whoever fits the curve.
    noise_levels : float or array-like, default=None
        Relative noise levels, each curve draws one of them with equal chance. None means
        {0.02, 0.05, 0.1, 0.2, 0.3} for the reference law, and a log-uniform level in 0.01-0.5 for
        the wide law. 0 gives noiseless curves.
    noise : {"gaussian", "rician"}, default="gaussian"
        Kind of noise, see :func:`add_noise`.
    hematocrit : float, default=None
        If given, `aif` is taken as a blood curve and divided by ``1 - hematocrit``.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws. With one seed, the clean curves are the same for every kind of noise.
        None draws fresh entropy; NumPy's global generator is neither read nor advanced.
    return_params : bool, default=False
        Whether to return what was drawn as well.

    Returns
    -------
    X_noisy : ndarray of shape (n_samples, n_times), float64
        Noisy curves in mM.
    y_clean : ndarray of shape (n_samples, n_times), float64
        Clean curves in mM.
    params : :class:`~sklearn.utils.Bunch`
        Only if `return_params`: arrays of shape (n_samples,) called ``Ktrans`` and ``kep``
        (1/min), ``ve`` and ``vp`` (fractions), ``delay`` (s), ``aif_scale`` and ``noise_level``.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive integer, a name is unknown, a noise level is negative or
        not finite, or `time` and `aif` do not fit each other.

    See Also
    --------
    reference_law_dictionary : Every clean curve that the reference law can draw.
    add_noise : Fresh noise for curves at hand.

    Notes
    -----
    The reference law is that of semi-synthetic data made for denoising networks, [1]_ for the AIF,
    which is used as plasma as published; a level of noise is relative to the mean of the clean
    curve. The wide law spans what others simulate and measure: DCE-NET [2]_ draws kep in
    0.1-2 1/min, ve 0.01-0.7, vp 0.001-0.05 and signal-to-noise ratios of 5-100; the digital
    phantoms of QIBA [3]_ have Ktrans in 0.01-0.35 1/min, ve 0.01-0.5, vp 0.001-0.1. It goes a
    little past them on the side of strong enhancement, and adds an arrival time and an AIF
    amplitude that vary from curve to curve, since both are rarely known in practice. Together, its
    Ktrans and ve allow kep from 0.004 to 20 1/min.

    Clean curves of the wide law with ``noise_levels=0`` make a Monte-Carlo dictionary for
    :class:`~sk_dcedenoise.baselines.PosteriorMeanDenoiser`.

    References
    ----------
    .. [1] G. J. M. Parker et al., "Experimentally-derived functional form for a population-averaged
       high-temporal-resolution arterial input function for dynamic contrast-enhanced MRI",
       Magn. Reson. Med. 56, 993-1000, 2006, doi:10.1002/mrm.21066.
    .. [2] T. Ottens et al., "Deep learning DCE-MRI parameter estimation: Application in pancreatic
       cancer", Med. Image Anal. 80, 102512, 2022, doi:10.1016/j.media.2022.102512.
    .. [3] Quantitative Imaging Biomarkers Alliance, "DCE-MRI quantification profile" and its
       digital reference objects, RSNA.

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> X_noisy, y_clean, params = make_dce_curves(5, random_state=0, return_params=True)
    >>> X_noisy.shape, y_clean.shape
    ((5, 32), (5, 32))
    >>> params.Ktrans
    array([0.02 , 0.035, 0.035, 0.215, 0.065])
    """
    n_samples = _check_n_samples(n_samples)
    check_option(law, "law", _LAWS)
    check_option(noise, "noise", _NOISES)
    time = _reference_time() if time is None else check_time(time)
    rng = _private_random_state(random_state)
    nodes = plasma_curve(aif, time, hematocrit=hematocrit)

    if law == "reference":
        params, y_clean = _draw_reference(n_samples, time, nodes, rng)
    else:
        params, y_clean = _draw_wide(n_samples, time, nodes, rng)
    params.noise_level = _draw_levels(n_samples, noise_levels, law, rng)
    X_noisy = add_noise(y_clean, params.noise_level, noise=noise, random_state=rng)
    return (X_noisy, y_clean, params) if return_params else (X_noisy, y_clean)


def add_noise(curves, noise_level, *, noise="gaussian", random_state=None):
    """Add white noise, relative to the mean of each curve.

    Parameters
    ----------
    curves : array-like of shape (n_curves, n_times)
        Clean curves in mM; not modified.
    noise_level : float or array-like of shape (n_curves,)
        Standard deviation of the noise divided by the mean of the curve.
    noise : {"gaussian", "rician"}, default="gaussian"
        "gaussian" adds independent normal values. "rician" is what a magnitude image shows, see
        the Notes.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise. None draws fresh entropy; NumPy's global generator is left alone.

    Returns
    -------
    noisy : ndarray of shape (n_curves, n_times), float64
        Noisy curves in mM, negative values included.

    Raises
    ------
    ValueError
        If `curves` are not two-dimensional, `noise_level` is negative, not finite or of another
        length, or `noise` is unknown.

    Notes
    -----
    Concentrations are not magnitudes, so Rician noise is put where it arises, on the signal. The
    signal is taken as linear in concentration, ``S = b + C`` in mM, with a known pre-contrast value
    b = 0.175 mM: what the spoiled gradient echo equation gives to first order for TR 5 ms, flip
    angle 15 degrees, T10 1.4 s, r1 4.5 1/s/mM. The result is ``|b + C + n1 + i n2| - b`` with two
    independent normal n1 and n2 of the standard deviation asked for. So noise is Gaussian where it
    is small against b + C, and biased upwards by about ``sd**2 / (2 (b + C))`` where it is not
    [1]_; values go down to -b, not to 0.

    References
    ----------
    .. [1] H. Gudbjartsson and S. Patz, "The Rician distribution of noisy MRI data", Magn. Reson.
       Med. 34, 910-914, 1995, doi:10.1002/mrm.1910340618, equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.datasets import add_noise
    >>> add_noise(np.full((1, 4), 0.1), 0.1, random_state=0).round(3)
    array([[0.118, 0.104, 0.11 , 0.122]])
    """
    curves = np.asarray(curves, dtype=np.float64)
    if curves.ndim != 2:
        raise ValueError(
            f"curves have shape {curves.shape}, but expected (n_curves, n_times): put one curve in "
            "each row."
        )
    check_option(noise, "noise", _NOISES)
    level = _check_levels(noise_level, "noise_level")
    if level.size not in (1, len(curves)):
        raise ValueError(
            f"noise_level has {level.size} values, but expected 1 or {len(curves)}: give one level "
            "for all curves or one for each."
        )
    rng = _private_random_state(random_state)
    sd = np.abs(level * curves.mean(axis=1))[:, np.newaxis]
    noisy = rng.standard_normal(curves.shape)
    noisy *= sd
    noisy += curves
    if noise == "rician":
        imaginary = rng.standard_normal(curves.shape)
        imaginary *= sd
        noisy += _BASELINE_MM
        np.hypot(noisy, imaginary, out=noisy)
        noisy -= _BASELINE_MM
    return noisy


def reference_law_dictionary(*, time=None, aif="parker", hematocrit=None):
    """Return all 68,921 clean curves of the reference law with their parameters.

    Under the reference law every curve is one of 41 x 41 x 41 candidates with equal chance, so this
    dictionary makes :class:`~sk_dcedenoise.baselines.PosteriorMeanDenoiser` exact.

    Parameters
    ----------
    time : array-like of shape (n_times,), default=None
        Frame times in seconds. None means 32 frames, 3.75 s apart.
    aif : str, array-like, pair of arrays or callable, default="parker"
        The plasma curve, as :func:`~sk_dcedenoise.aif.plasma_curve` takes it.
    hematocrit : float, default=None
        If given, `aif` is divided by ``1 - hematocrit``.

    Returns
    -------
    curves : ndarray of shape (68921, n_times), float64
        Clean curves in mM; kep varies fastest, then vp, then Ktrans.
    params : :class:`~sklearn.utils.Bunch`
        Arrays of shape (68921,) called ``Ktrans``, ``kep`` (1/min), ``ve`` and ``vp``.

    Raises
    ------
    ValueError
        If `time` and `aif` do not fit each other.

    Examples
    --------
    >>> from sk_dcedenoise.datasets import reference_law_dictionary
    >>> curves, params = reference_law_dictionary()
    >>> curves.shape, float(params.kep.max())
    ((68921, 32), 2.2)
    """
    time = _reference_time() if time is None else check_time(time)
    Ktrans, kep, vp = _reference_grids()
    leakage, cp = _reference_basis(time, plasma_curve(aif, time, hematocrit=hematocrit))
    curves = Ktrans[:, None, None, None] * leakage + vp[:, None, None] * cp
    Ktrans, vp, kep = (grid.ravel() for grid in np.meshgrid(Ktrans, vp, kep, indexing="ij"))
    params = Bunch(Ktrans=Ktrans, kep=kep, ve=Ktrans / kep, vp=vp)
    return curves.reshape(-1, time.size), params


def _reference_time():
    return 3.75 * np.arange(32)


def _reference_grids():
    """The 41 values of Ktrans, kep and vp."""
    # Counted in whole steps, so that 0.065 is the double nearest to 0.065.
    steps = np.arange(41)
    return (steps + 4) / 200, (steps + 4) / 20, (steps + 4) / 2000


def _reference_basis(time, nodes):
    """Leakage curves of the 41 kep, (41, n_times), and the plasma curve, (n_times,)."""
    kep = _reference_grids()[1]
    return exponential_convolution(time, kep, *nodes), np.interp(time, *nodes, left=0.0)


def _draw_reference(n_samples, time, nodes, rng):
    """Parameters and clean curves of the reference law."""
    # Only 41 distinct kep exist: each is convolved once, whatever n_samples is.
    leakage, cp = _reference_basis(time, nodes)
    i_Ktrans, i_kep, i_vp = rng.randint(41, size=(3, n_samples))
    Ktrans, kep, vp = _reference_grids()
    Ktrans, vp = Ktrans[i_Ktrans], vp[i_vp]
    y_clean = leakage[i_kep]
    y_clean *= Ktrans[:, np.newaxis]
    y_clean += vp[:, np.newaxis] * cp
    kep = kep[i_kep]
    params = Bunch(Ktrans=Ktrans, kep=kep, ve=Ktrans / kep, vp=vp)
    params.update(delay=np.zeros(n_samples), aif_scale=np.ones(n_samples))
    return params, y_clean


def _draw_wide(n_samples, time, nodes, rng):
    """Parameters and clean curves of the wide law."""
    Ktrans = _log_uniform(rng, 0.003, 0.6, n_samples)
    ve = _log_uniform(rng, 0.03, 0.8, n_samples)
    vp = _log_uniform(rng, 0.0005, 0.12, n_samples)
    params = Bunch(Ktrans=Ktrans, kep=Ktrans / ve, ve=ve, vp=vp)
    params.delay = rng.uniform(0.0, 12.0, n_samples)
    params.aif_scale = rng.uniform(0.8, 1.2, n_samples)

    y_clean = extended_tofts(time, Ktrans, ve, vp, aif=nodes, delay=params.delay)
    y_clean *= params.aif_scale[:, np.newaxis]
    return params, y_clean


def _draw_levels(n_samples, noise_levels, law, rng):
    """One relative noise level per curve."""
    if noise_levels is None and law == "wide":
        return _log_uniform(rng, 0.01, 0.5, n_samples)
    levels = _REFERENCE_LEVELS if noise_levels is None else noise_levels
    return rng.choice(_check_levels(levels, "noise_levels"), size=n_samples)


def _log_uniform(rng, low, high, size):
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def _private_random_state(random_state):
    """A generator that is never NumPy's global one, unless the user passes that one in."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def _check_n_samples(n_samples):
    integral = isinstance(n_samples, numbers.Integral) and not isinstance(n_samples, bool)
    if not integral or n_samples < 1:
        raise ValueError(
            f"n_samples={n_samples!r}, but expected a positive integer: the number of curves."
        )
    return int(n_samples)


def _check_levels(levels, name):
    levels = np.atleast_1d(np.asarray(levels, dtype=np.float64))
    if levels.ndim != 1 or levels.size == 0 or not np.isfinite(levels).all() or levels.min() < 0:
        raise ValueError(
            f"{name}={levels.tolist()}, but expected finite levels of at least 0: 0.1 means a "
            "standard deviation of 10 % of the curve's mean."
        )
    return levels
