"""A training law that covers the curves at hand: their bolus delays and their amplitudes."""

import math

import numpy as np

from sk_dcedenoise.aif import plasma_curve
from sk_dcedenoise.convolution import exponential_convolution
from sk_dcedenoise.datasets import add_noise, make_dce_curves
from sk_dcedenoise.tofts import extended_tofts

# Delays that the wide law draws by itself, in s.
WIDE_DELAYS = 0.0, 12.0
# Most curves that the search for delays looks at, and most delays that it tries.
_SEARCHED_CURVES, _SEARCHED_DELAYS = 2000, 120
# Washout rates of that search, 1/min.
_KEP = np.r_[0.0, np.geomspace(0.02, 20.0, 24)]
# How much larger than the least a misfit may be before its delay counts as ruled out.
_RULED_OUT = 1.25


def plasma_nodes(aif, time, hematocrit, lead):
    """Nodes of the plasma curve, reaching `lead` seconds beyond the last frame.

    Tissue that enhances before the AIF does meets a later part of it than the frames show. A
    formula gives that part; a measured curve is held at its last value.

    Parameters
    ----------
    aif : str, ndarray or tuple of two ndarrays
        As :func:`~sk_dcedenoise.aif.plasma_curve` takes it.
    time : ndarray of shape (n_times,)
        Frame times in s.
    hematocrit : float or None
        As :func:`~sk_dcedenoise.aif.plasma_curve` takes it.
    lead : float
        Seconds by which tissue may enhance before the AIF does.

    Returns
    -------
    nodes : tuple of two ndarrays
        Seconds and mM.

    Raises
    ------
    ValueError
        If the AIF does not fit the frames, or is zero on all of them.
    """
    end = time[-1] + lead
    asked = np.append(time, end) if isinstance(aif, str) and lead > 0 else time
    aif_time, cp = plasma_curve(aif, asked, hematocrit=hematocrit)
    if not np.any(np.interp(time, aif_time, cp, left=0.0) > 0):
        raise ValueError(
            "the AIF is nowhere above zero on the frames, but expected a bolus during the scan: "
            "check --aif and --time, whose 0 is where a published AIF begins."
        )
    if aif_time[-1] < end:
        aif_time, cp = np.append(aif_time, end), np.append(cp, cp[-1])
    return aif_time, cp


def longest_lead(time):
    """Seconds by which tissue may enhance before the AIF does, at most."""
    return np.ptp(time) / 4


def find_delays(curves, time, nodes):
    """Return the bolus delays that curves show, or None if they show none.

    The model is fitted at one delay after the other. Only curves that rule out three quarters of
    the delays have a say, since a slow, noisy rise is fitted well by any; and of those the half
    that leaves the fewest, since the errors of the others would widen the range.

    Parameters
    ----------
    curves : ndarray of shape (n_curves, n_times)
        Noisy curves in mM.
    time : ndarray of shape (n_times,)
        Frame times in s.
    nodes : tuple of two ndarrays
        From :func:`plasma_nodes`.

    Returns
    -------
    delays : tuple of float or None
        Lowest and highest delay in s: the middle 90 %, and half a frame on both sides.
    """
    curves = curves[:: math.ceil(len(curves) / _SEARCHED_CURVES)]
    lead, lag = longest_lead(time), np.ptp(time) / 2
    half_frame = np.median(np.diff(time)) / 2
    delays = np.arange(-lead, lag, max(half_frame / 2, (lead + lag) / _SEARCHED_DELAYS))
    misfit = np.array([_misfit(curves, time - delay, nodes) for delay in delays])
    left = (misfit <= _RULED_OUT * misfit.min(axis=0)).mean(axis=0)
    decided = left < 0.25
    if decided.sum() < max(0.02 * len(curves), 1):
        return None
    decided &= left <= np.median(left[decided])
    low, high = np.percentile(delays[misfit.argmin(axis=0)[decided]], [5, 95])
    return max(float(low - half_frame), -lead), float(high + half_frame)


def covering_pairs(n_pairs, curves, time, nodes, delays, seed):
    """Draw pairs from the wide law, with the delays of curves, and amplitudes that cover theirs.

    Parameters
    ----------
    n_pairs : int
        Number of pairs.
    curves : ndarray of shape (n_curves, n_times)
        Noisy curves to cover, in mM.
    time : ndarray of shape (n_times,)
        Frame times in s.
    nodes : tuple of two ndarrays
        From :func:`plasma_nodes`.
    delays : tuple of float
        Lowest and highest delay in s.
    seed : int
        Seed of the draws.

    Returns
    -------
    X_noisy, y_clean : ndarray of shape (n_pairs, n_times)
        Pairs in mM, with the noise of the curves at hand, within a factor of two.
    stretch : float
        Largest factor on an amplitude; 1 where the law was strong enough.

    Raises
    ------
    ValueError
        If the curves are so weak or so strong that their unit must be another.
    """
    rng = np.random.RandomState(seed)
    # Two frames are enough where only parameters are asked for.
    drawn = make_dce_curves(
        n_pairs, time=time[:2], aif=nodes, law="wide", random_state=rng, return_params=True
    )[2]
    delay = rng.uniform(*delays, n_pairs)
    y_clean = extended_tofts(time, drawn.Ktrans, drawn.ve, drawn.vp, aif=nodes, delay=delay)
    y_clean *= drawn.aif_scale[:, np.newaxis]
    # A factor on a whole curve is one on the AIF: flow into the slice and partial volume make it
    # as uncertain as that. The strongest percent of curves are taken for artefacts.
    strongest = (np.percentile(c.max(axis=1), 99) for c in (curves, y_clean))
    strength = float(np.divide(*strongest))
    if not 1e-3 < strength < 100:
        raise ValueError(
            f"the strongest percent of the curves is {strength:.2g} times as strong as that of a "
            "wide law with this AIF, but expected 0.001 to 100: give curves and AIF in mM."
        )
    stretch = max(strength, 1.0)
    y_clean *= stretch ** rng.uniform(size=(n_pairs, 1))
    size = np.abs(y_clean).mean(axis=1)
    size = np.maximum(size, 1e-6 * size.max())  # of a bolus that the scan does not reach
    level, exponent = noise_of(curves)
    # Noise differs between tissues, coils and frames.
    noise = level * size**exponent * np.exp(rng.uniform(-0.7, 0.7, n_pairs))
    relative = np.clip(noise / size, 1e-3, 10.0)
    return add_noise(y_clean, relative, random_state=rng), y_clean, stretch


def noise_of(curves):
    """Level and exponent of noise in curves: its standard deviation is level * size**exponent.

    A scanner's noise is of one size everywhere, exponent 0, so that weak curves are the noisy
    ones, and a network that has seen this takes a noisy curve for a weak one. In concentrations
    computed from signals, strong enhancement is noisier.

    Parameters
    ----------
    curves : ndarray of shape (n_curves, n_times)
        Noisy curves in mM.

    Returns
    -------
    level : float
    exponent : float
        From 0 to 1; size is the mean of a curve.
    """
    # Second differences have six times the variance of white noise; the median of their absolute
    # values is blind to the few frames where the bolus passes.
    bends = np.median(np.abs(np.diff(curves, n=2, axis=1)), axis=1)
    noise, size = bends / (0.6745 * np.sqrt(6.0)), np.abs(curves.mean(axis=1))
    known = (noise > 0) & (size > 0.5 * noise)
    if known.sum() < 20:
        return float(np.median(noise)), 0.0
    x, y = np.log(size[known]), np.log(noise[known])
    exponent = np.clip(np.cov(x, y)[0, 1] / max(x.var(), 1e-6), 0.0, 1.0)
    return float(np.exp(np.median(y - exponent * x))), float(exponent)


def _misfit(curves, time, nodes):
    """Least sum of squares that the extended Tofts model leaves over, for any kep of a grid."""
    cp = _unit(np.interp(time, *nodes, left=0.0))
    leakage = _unit(exponential_convolution(time, _KEP, *nodes))
    # Least squares with two unit vectors and coefficients of at least zero, in closed form.
    a, b, cosine = curves @ cp[:, None], curves @ leakage.T, leakage @ cp
    scale = np.maximum(1.0 - cosine**2, 1e-9)
    x, y = (a - cosine * b) / scale, (b - cosine * a) / scale
    alone = np.maximum(np.maximum(a, b), 0.0) ** 2
    explained = np.where((x > 0) & (y > 0), a * x + b * y, alone)
    return (curves**2).sum(axis=1) - explained.max(axis=1)


def _unit(vectors):
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)
