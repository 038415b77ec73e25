"""Tissue curves of the Tofts family: four kinetic models."""

import numpy as np

from sk_dcedenoise._validation import check_time
from sk_dcedenoise.aif import plasma_curve
from sk_dcedenoise.convolution import exponential_convolution


def tofts(time, Ktrans, ve, *, aif="parker", hematocrit=None, delay=0.0):
    """Tissue curves of the Tofts model.

    C(t) = Ktrans * integral of Cp(u) exp(-kep (t - u)) du, with kep = Ktrans / ve.

    Parameters
    ----------
    time : array-like of shape (n_times,)
        Frame times in seconds, strictly increasing.
    Ktrans : float or array-like of shape (n_curves,)
        Transfer constant in 1/min.
    ve : float or array-like of shape (n_curves,)
        Extravascular extracellular volume fraction.
    aif : str, array-like, tuple or callable, default="parker"
        Arterial input function, see :func:`sk_dcedenoise.aif.plasma_curve`.
    hematocrit : float in [0, 1), default=None
        None takes the AIF as plasma; a number divides it by 1 - hematocrit.
    delay : float or array-like of shape (n_curves,), default=0.0
        Seconds by which the AIF reaches the tissue later.

    Returns
    -------
    curves : ndarray of shape (n_curves, n_times) or, if every parameter is a number, (n_times,)
        Tissue concentration in mM. Where a parameter is NaN, the curve is NaN.

    Raises
    ------
    ValueError
        If parameters do not broadcast to (n_curves,), kep is negative, or the AIF does not cover
        the frames.

    References
    ----------
    Tofts PS, Kermode AG. Measurement of the blood-brain barrier permeability and leakage space
    using dynamic MR imaging. 1. Fundamental concepts. Magn Reson Med 1991;17:357-367.
    doi:10.1002/mrm.1910170208.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.tofts import tofts
    >>> tofts(np.arange(0.0, 120.0, 30.0), Ktrans=[0.1, 0.2], ve=0.3).round(4)
    array([[0.    , 0.1014, 0.1319, 0.1508],
           [0.    , 0.185 , 0.2171, 0.2278]])
    """
    return extended_tofts(time, Ktrans, ve, 0.0, aif=aif, hematocrit=hematocrit, delay=delay)


def extended_tofts(time, Ktrans, ve, vp, *, aif="parker", hematocrit=None, delay=0.0):
    """Tissue curves of the extended Tofts model.

    C(t) = vp Cp(t) + Ktrans * integral of Cp(u) exp(-kep (t - u)) du, with kep = Ktrans / ve.

    Parameters
    ----------
    time : array-like of shape (n_times,)
        Frame times in seconds, strictly increasing.
    Ktrans : float or array-like of shape (n_curves,)
        Transfer constant in 1/min.
    ve : float or array-like of shape (n_curves,)
        Extravascular extracellular volume fraction.
    vp : float or array-like of shape (n_curves,)
        Plasma volume fraction.
    aif : str, array-like, tuple or callable, default="parker"
        Arterial input function, see :func:`sk_dcedenoise.aif.plasma_curve`.
    hematocrit : float in [0, 1), default=None
        None takes the AIF as plasma; a number divides it by 1 - hematocrit.
    delay : float or array-like of shape (n_curves,), default=0.0
        Seconds by which the AIF reaches the tissue later.

    Returns
    -------
    curves : ndarray of shape (n_curves, n_times) or, if every parameter is a number, (n_times,)
        Tissue concentration in mM. Where a parameter is NaN, the curve is NaN.

    Raises
    ------
    ValueError
        If parameters do not broadcast to (n_curves,), kep is negative, or the AIF does not cover
        the frames.

    Notes
    -----
    ``ve=0`` leaves vp Cp, the limit of an ever faster return; ``ve=inf`` is the Patlak model.

    References
    ----------
    Tofts PS. Modeling tracer kinetics in dynamic Gd-DTPA MR imaging. J Magn Reson Imaging
    1997;7:91-101. doi:10.1002/jmri.1880070113.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.tofts import extended_tofts
    >>> extended_tofts(np.arange(0.0, 120.0, 30.0), 0.1, 0.3, 0.02).round(4)
    array([0.0016, 0.1259, 0.1497, 0.1671])
    """
    Ktrans, ve, vp, delay, is_one = _check_parameters(Ktrans=Ktrans, ve=ve, vp=vp, delay=delay)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        kep = np.where(Ktrans == 0.0, 0.0, Ktrans / ve)
    # An infinite rate leaves nothing to see of what went in.
    at_once = np.isinf(kep)
    flow, kep = np.where(at_once, 0.0, Ktrans), np.where(at_once, 0.0, kep)
    if (kep < 0.0).any():
        worst = int(np.argmax(kep < 0.0))
        raise ValueError(
            f"Ktrans={Ktrans[worst]:g} and ve={ve[worst]:g} (curve {worst}), but expected "
            "kep = Ktrans / ve of at least zero: give both the same sign."
        )
    curves = _tissue_curves(time, [(flow, kep)], vp, delay, aif, hematocrit)
    curves[np.isnan(ve)] = np.nan
    return curves[0] if is_one else curves


def patlak(time, Ktrans, vp, *, aif="parker", hematocrit=None, delay=0.0):
    """Tissue curves of the Patlak model: the extended Tofts model without return.

    C(t) = vp Cp(t) + Ktrans * integral of Cp(u) du.

    Parameters
    ----------
    time : array-like of shape (n_times,)
        Frame times in seconds, strictly increasing.
    Ktrans : float or array-like of shape (n_curves,)
        Transfer constant in 1/min.
    vp : float or array-like of shape (n_curves,)
        Plasma volume fraction.
    aif : str, array-like, tuple or callable, default="parker"
        Arterial input function, see :func:`sk_dcedenoise.aif.plasma_curve`.
    hematocrit : float in [0, 1), default=None
        None takes the AIF as plasma; a number divides it by 1 - hematocrit.
    delay : float or array-like of shape (n_curves,), default=0.0
        Seconds by which the AIF reaches the tissue later.

    Returns
    -------
    curves : ndarray of shape (n_curves, n_times) or, if every parameter is a number, (n_times,)
        Tissue concentration in mM. Where a parameter is NaN, the curve is NaN.

    Raises
    ------
    ValueError
        If parameters do not broadcast to (n_curves,), or the AIF does not cover the frames.

    References
    ----------
    Patlak CS, Blasberg RG, Fenstermacher JD. Graphical evaluation of blood-to-brain transfer
    constants from multiple-time uptake data. J Cereb Blood Flow Metab 1983;3:1-7.
    doi:10.1038/jcbfm.1983.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.tofts import patlak
    >>> patlak(np.arange(0.0, 120.0, 30.0), 0.01, 0.05).round(4)
    array([0.004 , 0.0724, 0.0605, 0.0612])
    """
    return extended_tofts(time, Ktrans, np.inf, vp, aif=aif, hematocrit=hematocrit, delay=delay)


def two_compartment_exchange(time, Fp, PS, ve, vp, *, aif="parker", hematocrit=None, delay=0.0):
    """Tissue curves of the two-compartment exchange model (2CXM).

    Plasma, fed by the flow Fp, exchanges with the interstitium at the rate PS. The response to
    an impulse is biexponential, Fp [(1 - b) exp(-K+ t) + b exp(-K- t)].

    Parameters
    ----------
    time : array-like of shape (n_times,)
        Frame times in seconds, strictly increasing.
    Fp : float or array-like of shape (n_curves,)
        Plasma flow in 1/min (mL/min of plasma for each mL of tissue).
    PS : float or array-like of shape (n_curves,)
        Permeability-surface area product in 1/min.
    ve : float or array-like of shape (n_curves,)
        Extravascular extracellular volume fraction.
    vp : float or array-like of shape (n_curves,)
        Plasma volume fraction.
    aif : str, array-like, tuple or callable, default="parker"
        Arterial input function, see :func:`sk_dcedenoise.aif.plasma_curve`.
    hematocrit : float in [0, 1), default=None
        None takes the AIF as plasma; a number divides it by 1 - hematocrit.
    delay : float or array-like of shape (n_curves,), default=0.0
        Seconds by which the AIF reaches the tissue later.

    Returns
    -------
    curves : ndarray of shape (n_curves, n_times) or, if every parameter is a number, (n_times,)
        Tissue concentration in mM. Where a parameter is NaN, the curve is NaN.

    Raises
    ------
    ValueError
        If parameters do not broadcast to (n_curves,), one is negative, or the AIF does not cover
        the frames.

    Notes
    -----
    ``vp=0`` is the Tofts model with Ktrans = Fp PS / (Fp + PS); ``PS=0`` or ``ve=0`` is one
    plasma compartment with the rate Fp / vp; an ever larger Fp tends to the extended Tofts model.

    References
    ----------
    Sourbron SP, Buckley DL. Tracer kinetic modelling in MRI: estimating perfusion and capillary
    permeability. Phys Med Biol 2012;57:R1-R33. doi:10.1088/0031-9155/57/2/R1.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.tofts import two_compartment_exchange
    >>> two_compartment_exchange(np.arange(0.0, 120.0, 30.0), 0.5, 0.1, 0.3, 0.02).round(4)
    array([0.    , 0.1029, 0.1281, 0.1458])
    """
    Fp, PS, ve, vp, delay, is_one = _check_parameters(Fp=Fp, PS=PS, ve=ve, vp=vp, delay=delay)
    for name, values in (("Fp", Fp), ("PS", PS), ("ve", ve), ("vp", vp)):
        _refuse(values, (values < 0.0) | np.isinf(values), name, "finite values of at least zero")
    responses = _exchange_responses(Fp, PS, ve, vp)
    curves = _tissue_curves(time, responses, np.zeros_like(Fp), delay, aif, hematocrit)
    curves[np.isnan(Fp + PS + ve + vp)] = np.nan
    return curves[0] if is_one else curves


def _exchange_responses(Fp, PS, ve, vp):
    """Amplitudes and rates of the two exponentials, as two pairs."""
    # Without exchange ve has no part in the curve; any value but zero keeps the root positive.
    ve = np.where(PS == 0.0, 1.0, ve)
    # Everything times vp ve, and the root as a sum of squares: no division by a small fraction
    # and no difference of large numbers.
    total = (Fp + PS) * ve + PS * vp
    root = np.sqrt(((Fp + PS) * ve - PS * vp) ** 2 + 4.0 * PS**2 * vp * ve)
    larger = 0.5 * (total + root)
    slow_rate = _ratio(Fp * PS, larger)
    slow_share = _ratio(larger - Fp * ve, root)
    fast_rate = _ratio(larger, vp * ve)
    # A rate of zero stands for one without flow, or for an infinite one (see _ratio).
    return [
        (np.where(slow_rate == 0.0, 0.0, Fp * slow_share), slow_rate),
        (np.where(fast_rate == 0.0, 0.0, Fp * (1.0 - slow_share)), fast_rate),
    ]


def _ratio(numerator, denominator):
    """The quotient, or zero where it is infinite or 0 / 0 (a response over before it is seen)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = numerator / denominator
    return np.where(np.isfinite(quotient), quotient, 0.0)


def _check_parameters(**parameters):
    """Float64 rows of one length, and whether every parameter was a number."""
    arrays = [np.asarray(value, dtype=np.float64) for value in parameters.values()]
    shapes = ", ".join(f"{n} {a.shape}" for n, a in zip(parameters, arrays, strict=True))
    sizes = {a.shape for a in arrays if a.ndim == 1 and a.size != 1}
    if any(a.ndim > 1 for a in arrays) or len(sizes) > 1:
        raise ValueError(
            f"The parameters have shapes {shapes}, but expected numbers or (n_curves,) with one "
            "n_curves: give one value for each curve."
        )
    for name, values in zip(parameters, arrays, strict=True):
        # An infinite ve has a meaning: no return, the Patlak model.
        _refuse(values, np.isinf(values) & (name != "ve"), name, "finite values")
    is_one = all(a.ndim == 0 for a in arrays)
    rows = [np.atleast_1d(row) for row in np.broadcast_arrays(*arrays)]
    return *rows, is_one


def _refuse(values, bad, name, expected):
    if bad.any():
        raise ValueError(
            f"{name} contains {values[bad][0]:g}, but expected {expected}: correct it, or mark a "
            "curve without an answer with NaN."
        )


def _tissue_curves(time, responses, vp, delay, aif, hematocrit):
    """vp Cp plus the sum of flow times (Cp convolved with exp(-rate t)), each one delayed."""
    time = check_time(time)
    frames = time
    earliest = np.min(delay, initial=0.0, where=~np.isnan(delay))
    if earliest < 0.0 and (isinstance(aif, str) or callable(aif)):
        frames = np.append(time, time[-1] - earliest)
    aif_time, cp = plasma_curve(aif, frames, hematocrit=hematocrit)
    is_common = delay.size > 0 and (delay == delay[0]).all()
    seen = time - (delay[0] if is_common else delay[:, None])
    curves = None
    for flow, rate in responses:
        part = exponential_convolution(seen, rate, aif_time, cp)
        part *= flow[:, None]
        curves = part if curves is None else np.add(curves, part, out=curves)
    if vp.any():
        curves += vp[:, None] * np.interp(seen, aif_time, cp, left=0.0)
    return curves
