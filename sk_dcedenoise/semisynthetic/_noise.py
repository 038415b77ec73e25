"""The law of the noise, learned from what a kinetic fit leaves over.

A fit takes a part of the noise with it: residuals are smaller than the noise, the more so where
parameters are sensitive, and they are correlated even if the noise is not. Here both are undone.
Frames before the bolus are among the residuals, and there the fit takes nothing.
"""

import numpy as np
from scipy.linalg import toeplitz

from sk_dcedenoise._noise import NoiseLaw

# Curves whose tangents tell what a fit takes with it.
_N_TANGENTS = 200
# Correlation reaches over a quarter of the frames at most, and never over more than so many.
_MOST_LAGS = 8
# Standard errors that noise must be away from white, or of even size, to count as not so.
_SURE = 5.0
# Noise that is so many times larger in one frame than in most is none: the model fails there.
_MISFIT = 3.0
# Part of a frame's noise that a fit must leave over for its size to be told.
_TELLING = 0.3
_VARIANCE_RANGE = 0.05, 20.0


def learn_noise(X, params, simulate, rng):
    """Learn a noise law without clean curves.

    Parameters
    ----------
    X : ndarray of shape (n_curves, n_times)
        Noisy curves.
    params : dict of str to ndarray of shape (n_curves,)
        Their fitted parameters.
    simulate : callable
        From parameters to curves.
    rng : RandomState
        Chooses the curves that are looked at more closely.

    Returns
    -------
    law : NoiseLaw
        Levels, dependence on amplitude and, where it is certain, the covariance of frames.
    """
    fitted = simulate(params)
    residuals = X - fitted
    n_times = X.shape[1]
    freedom = max(n_times - len(params), 1)
    kept = _what_a_fit_leaves(_some(params, rng), simulate)
    residuals = _without_misfit(residuals, kept, rng)
    factor, share = _factor(residuals, kept, freedom)
    noise = np.sqrt(n_times / (freedom * share)) * residuals
    return NoiseLaw.of_covariance(noise, fitted, factor, freedom)


def _some(params, rng):
    chosen = rng.permutation(len(params["Ktrans"]))[:_N_TANGENTS]
    return {name: values[chosen] for name, values in params.items()}


def _without_misfit(residuals, kept, rng):
    """Residuals in which frames that the model cannot say are replaced by noise as elsewhere.

    A bolus that comes at another time than the model has it, say, leaves far more in one or two
    frames than in the others, in most of the curves.
    """
    share = np.einsum("nii->ni", kept).mean(axis=0).clip(min=0.05)
    typical = np.median(residuals**2, axis=0) / share
    bad = typical > _MISFIT**2 * np.median(typical)
    if not bad.any():
        return residuals
    residuals = residuals.copy()
    level = np.sqrt((residuals[:, ~bad] ** 2).sum(axis=1) / share[~bad].sum())
    fresh = rng.standard_normal((len(residuals), bad.sum()))
    residuals[:, bad] = level[:, None] * np.sqrt(share[bad]) * fresh
    return residuals


def _factor(residuals, kept, freedom):
    """Cholesky factor of the covariance of unit noise, or None where it looks white and even.

    Comes with the energy of residuals, relative to that of white noise as strong.
    """
    n_times = residuals.shape[1]
    level = np.sqrt((residuals**2).sum(axis=1) / freedom)
    seen = np.flatnonzero(level > 0)
    n_lags = min(n_times // 4, _MOST_LAGS)
    if len(seen) < 10 * n_times or n_lags < 1 or freedom < n_times / 2:
        return None, 1.0
    unit = residuals[seen] / level[seen, None]
    size = _variances(unit, kept)
    correlation = _correlation(unit, kept, n_lags)
    if size is None and correlation is None:
        return None, 1.0
    covariance = np.eye(n_times) if correlation is None else toeplitz(correlation)
    if size is not None:
        covariance = covariance * np.sqrt(size[:, None] * size)
    values, vectors = np.linalg.eigh(covariance)
    covariance = (vectors * np.maximum(values, 0.01 * values.max())) @ vectors.T
    covariance *= n_times / np.trace(covariance)
    share = np.einsum("nij,ji->n", kept, covariance).mean() / freedom
    return np.linalg.cholesky(covariance), share


def _what_a_fit_leaves(params, simulate):
    """Projectors onto what a fit leaves over, (n, n_times, n_times), from numeric tangents."""
    here = simulate(params)
    tangents = []
    for name, values in params.items():
        step = 0.05 if name == "delay" else np.where(values > 0, 1e-3 * values, 1e-6)
        tangents.append(simulate(params | {name: values + step}) - here)
    tangents = np.stack(tangents, axis=2)  # (n, n_times, n_params)
    length = np.linalg.norm(tangents, axis=1, keepdims=True)
    tangents /= np.where(length > 0, length, 1.0)
    basis, size, _ = np.linalg.svd(tangents, full_matrices=False)
    basis *= (size > 1e-4)[:, None, :]
    return np.eye(here.shape[1]) - basis @ basis.transpose(0, 2, 1)


def _variances(unit, kept):
    """Variance of the noise in each frame, or None where it looks even."""
    square = unit**2
    found, error = square.mean(axis=0), square.std(axis=0) / np.sqrt(len(square))
    share = (kept**2).mean(axis=0)
    even = share.sum(axis=1)
    if (np.abs(found - even) < _SURE * error + 0.02).all():
        return None
    ridge = 1e-3 * np.eye(len(share))
    found = 1 + np.linalg.solve(share.T @ share + ridge, share.T @ (found - even))
    # Where a fit leaves next to nothing, nothing can be told: neighbours stand in.
    told = np.einsum("nii->ni", kept).mean(axis=0) > _TELLING
    frames = np.arange(len(found))
    found = np.interp(frames, frames[told], found[told])
    return np.clip(found / found.mean(), *_VARIANCE_RANGE)


def _correlation(unit, kept, n_lags):
    """Correlation of frames by their distance, one number a lag, or None where it looks white."""
    n_times = unit.shape[1]
    shifts = [np.eye(n_times, k=k) for k in range(n_lags + 1)]
    pairs = np.stack(
        [(unit[:, : n_times - k] * unit[:, k:]).sum(axis=1) for k in range(n_lags + 1)]
    )
    found, error = pairs.mean(axis=1), pairs.std(axis=1) / np.sqrt(len(unit))
    seen = np.empty((n_lags + 1, n_lags + 1))
    for lag, shift in enumerate(shifts):
        passed = kept @ (shift if lag == 0 else shift + shift.T) @ kept
        seen[:, lag] = [np.einsum("nij,ij->n", passed, s).mean() for s in shifts]
    if (np.abs(found - seen[:, 0])[1:] < _SURE * error[1:] + 0.02 * n_times).all():
        return None
    lags = np.linalg.solve(seen, found)
    return np.r_[lags / lags[0], np.zeros(n_times - n_lags - 1)] if lags[0] > 0 else None
