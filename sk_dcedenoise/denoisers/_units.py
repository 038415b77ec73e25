"""The per-frame affine map from the units of X to the units of y.

A scaler in front of a denoiser in a Pipeline changes X and never y. Noisy curves that were shifted
and stretched frame by frame are brought back by regressing them on their clean partners: y is free
of noise, so the slope of X on y is unbiased (that of y on X would not be).
"""

import warnings

import numpy as np


class UnitMap:
    """``(X - shift) / slope``, frame by frame.

    Parameters
    ----------
    shift, slope : ndarray of shape (n_times,)
        Of the units of X against those of y: 0 and 1 where X is in y's units already.
    """

    def __init__(self, shift, slope):
        self.shift = shift
        self.slope = slope
        self.is_identity = bool((shift == 0).all() and (slope == 1).all())

    @classmethod
    def learn(cls, X, y):
        """Estimate the map from pairs of shape (n_curves, n_times)."""
        X, y = _at_most(X), _at_most(y)
        fit = _regress(X, y)
        if fit is None or not _another_map_explains_more(X, y):
            return cls(np.zeros(X.shape[1]), np.ones(X.shape[1]))
        shift, slope, _ = fit
        return cls(shift, slope)

    def to_y_units(self, X):
        """Return X in the units of y; X itself where they are the same."""
        if self.is_identity:
            return X
        return (X - self.shift.astype(X.dtype)) / self.slope.astype(X.dtype)


def _another_map_explains_more(X, y):
    """Tell whether an affine map brings most curves nearer to their noisy partners than none.

    Each half of the pairs judges the map learned from the other half, one vote per curve. Where X
    is in y's units already, a map learned elsewhere is an error that no curve knows of, and noise
    that is symmetric favours it in half of the curves at most, however unequal the curves and
    their noise: no standard error is to be trusted, nor needed. Four standard deviations of a fair
    coin leave one wrong verdict in 30,000.
    """
    votes = 0
    for start in (0, 1):
        fit = _regress(X[start::2], y[start::2])
        if fit is None:
            return False
        shift, slope, noise_sd = fit
        weight = 1 / np.maximum(noise_sd, 1e-6 * noise_sd.max() or 1.0) ** 2
        X_other, y_other = X[1 - start :: 2], y[1 - start :: 2]
        mapped = (X_other - shift - slope * y_other) ** 2 @ weight
        votes += np.count_nonzero(mapped < (X_other - y_other) ** 2 @ weight)
    return votes - len(X) / 2 >= 2 * np.sqrt(len(X))


def _regress(X, y):
    """Return shift, slope and noise of X on y in every frame; None where no slope is known."""
    if len(X) < 3:
        return None
    first = _weighted_regression(X, y, np.full(len(X), 1 / len(X)))
    if first is None:
        return None
    # Noise differs from curve to curve, often by orders of magnitude. Each curve counts by its own.
    shift, slope, noise_sd = first
    left = (X - shift - slope * y) / np.where(noise_sd > 0, noise_sd, 1.0)
    size = (left**2).mean(axis=1)
    weights = 1 / (size + (0.01 * np.median(size) or 1.0))
    return _weighted_regression(X, y, weights / weights.sum()) or first


def _weighted_regression(X, y, weights):
    n_curves, n_times = X.shape
    x_mean, y_mean = weights @ X, weights @ y
    X, y = X - x_mean, y - y_mean
    y_var = weights @ y**2
    varies = y_var > 1e-12 * max(y_var.max(), np.finfo(float).tiny)
    slope = np.divide(weights @ (X * y), y_var, out=np.zeros(n_times), where=varies)
    noise_sd = np.sqrt(weights @ (X - slope * y) ** 2)
    slope_error = np.divide(
        noise_sd, np.sqrt(n_curves * y_var), out=np.full(n_times, np.inf), where=varies
    )
    known = np.abs(slope) > min(20, np.sqrt(n_curves)) * slope_error
    if not known.any():
        return None
    # Where y hardly varies (the baseline) its slope is lost in noise; there the noise itself is
    # the ruler: it had the same size in y's units as in the frames whose slope is known.
    typical = np.median(noise_sd[known] / np.abs(slope[known]))
    by_noise = np.where((noise_sd > 0) & (typical > 0), noise_sd / max(typical, 1e-300), 1.0)
    slope = np.where(known, slope, by_noise)
    return x_mean - slope * y_mean, slope, noise_sd


def _at_most(curves, n_curves=100_000):
    """Return evenly chosen curves, as many as the map can use."""
    return curves[:: -(-len(curves) // n_curves)]


def warn_if_scaled_per_curve(X, y):
    """Warn when each noisy curve was divided by a factor of its own, which loses its units.

    After such a step one of the usual norms is the same for every curve of X and not of y.
    """
    for size in (_largest, _range, _length, _sum, _spread):
        if _variation(size(X)) < 1e-3 and _variation(size(y)) > 0.05:
            warnings.warn(
                f"The noisy curves all have the same {size.__doc__} and the clean ones do not, as "
                "after a scaler that divides each curve by a factor of its own, which loses the "
                "units for good: drop that scaler and use the denoiser's scale='curve' instead.",
                UserWarning,
                stacklevel=5,
            )
            return


def _variation(sizes):
    return sizes.std() / sizes.mean() if len(sizes) > 9 and sizes.any() else np.inf


def _largest(curves):
    """largest absolute value"""
    return np.abs(curves).max(axis=1)


def _range(curves):
    """range"""
    return np.ptp(curves, axis=1)


def _length(curves):
    """root mean square"""
    return np.sqrt((curves**2).mean(axis=1))


def _sum(curves):
    """mean absolute value"""
    return np.abs(curves).mean(axis=1)


def _spread(curves):
    """standard deviation"""
    return curves.std(axis=1)
