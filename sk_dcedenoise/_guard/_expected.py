"""What a network removes from curves of its training law, noise level by noise level."""

import numpy as np
import torch

# Curves in each class of noise level, at least, and classes at most.
_CURVES_PER_LEVEL, _MOST_LEVELS = 1000, 65
# Shares of training curves whose measures are kept; what is beyond is extrapolated.
TAILS = np.array(
    [1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002]
)
# Network and data that differ by less than this, in variances of the noise, are alike.
_ALIKE = 0.2
_TINY = 1e-30


class Expected:
    """Classes of equally many training curves by noise level, and what was found in each.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,)
        Logarithms of noise over signal, increasing.
    gains : ndarray of shape (n_levels, n_signal, n_signal)
        How much of the removed part to put back.
    reliance : ndarray of shape (n_levels,)
        Weight of the network in curves that are of the training law for sure.
    centres : ndarray of shape (n_levels, n_kept)
    whiteners : ndarray of shape (n_levels, n_kept, n_kept)
        Mean, and transposed inverse Cholesky factor of the covariance, of the removed part.
    distances : ndarray of shape (n_levels, n_tails)
        Squared distances from the mean that shares `TAILS` of training curves exceed.
    """

    def __init__(self, levels, gains, reliance, centres, whiteners, distances):
        self.levels, self.gains, self.reliance = levels, gains, reliance
        self.centres, self.whiteners, self.distances = centres, whiteners, distances

    def has_shapes_for(self, n_signal, n_kept):
        """Whether all arrays fit each other and so many directions."""
        n = len(self.levels)
        return n >= 2 and {name: v.shape for name, v in vars(self).items()} == {
            "levels": (n,),
            "gains": (n, n_signal, n_signal),
            "reliance": (n,),
            "centres": (n, n_kept),
            "whiteners": (n, n_kept, n_kept),
            "distances": (n, len(TAILS)),
        }

    @classmethod
    def learn(cls, level, removed, other_removed, noise, n_signal):
        """Learn from training curves.

        Parameters
        ----------
        level : tensor of shape (n_curves,)
            Logarithms of noise over signal.
        removed, other_removed, noise : tensor of shape (n_curves, n_kept)
            What the network takes out of coefficients, what would be taken out were the curve of
            other tissue, and what is noise, in units of the noise.
        n_signal : int
        """
        level, *found = (v.double().cpu().numpy() for v in (level, removed, other_removed, noise))
        n_levels = np.clip(len(level) // _CURVES_PER_LEVEL, 2, _MOST_LEVELS)
        classes = np.array_split(np.argsort(level), n_levels)
        rows = [(level[c].mean(), *_of_class(*(v[c] for v in found), n_signal)) for c in classes]
        return cls(*map(np.array, zip(*rows, strict=True)))

    def __call__(self, level, removed):
        """Look at curves in the light of training curves at their noise.

        Returns
        -------
        explained : tensor of shape (n_curves,)
            Share of training curves whose removed part is farther from what is usual.
        reliance : tensor of shape (n_curves,)
        back : tensor of shape (n_curves, n_kept)
            How much of the removed part to put back.
        """
        a = {name: torch.as_tensor(v).to(level) for name, v in vars(self).items()}
        levels, k = a["levels"], a["gains"].shape[1]
        lower = (torch.searchsorted(levels, level.contiguous()) - 1).clamp(0, len(levels) - 2)
        upper = ((level - levels[lower]) / (levels[lower + 1] - levels[lower])).clamp(0.0, 1.0)
        explained, reliance, back = (torch.zeros_like(v) for v in (level, level, removed))
        for at, weight in ((lower, 1.0 - upper), (lower + 1, upper)):
            white = torch.einsum("ni,nij->nj", removed - a["centres"][at], a["whiteners"][at])
            explained += weight * share_beyond(white.square().sum(1), a["distances"][at])
            reliance += weight * a["reliance"][at]
            gained = torch.einsum("ni,nij->nj", removed[:, :k], a["gains"][at])
            back[:, :k] += weight[:, None] * gained
        # With less noise than was ever seen, the network errs as much, and the data less.
        return explained, reliance * (2 * (level - levels[0])).clamp(max=0.0).exp(), back


def exceeded(values):
    """Values that shares `TAILS` exceed, strictly increasing."""
    quantiles = np.quantile(values, 1 - TAILS)
    step = 1e-6 * (np.abs(quantiles).max() + _TINY)
    return np.maximum.accumulate(quantiles) + step * np.arange(len(quantiles))


def share_beyond(values, quantiles):
    """Share beyond each value, between the quantiles and after them linear in its logarithm."""
    log_tails = torch.as_tensor(np.log(TAILS)).to(values)
    upper = (values[:, None] > quantiles).sum(1).clamp(1, len(log_tails) - 1)
    quantiles = quantiles.expand(len(values), -1)
    high = quantiles.gather(1, upper[:, None])[:, 0]
    low = quantiles.gather(1, upper[:, None] - 1)[:, 0]
    slope = (log_tails[upper] - log_tails[upper - 1]) / (high - low)
    return (log_tails[upper - 1] + slope * (values - low)).clamp(max=0.0).exp()


def _of_class(removed, other_removed, noise, n_signal):
    """Gain, reliance, centre, whitener and distances of one class."""
    signal, wrong = removed[:, :n_signal], (removed - noise)[:, :n_signal]
    second = signal.T @ signal
    # A ridge, since a network that is nearly right makes parts of this nearly singular.
    ridge = (1e-3 * np.trace(second) / n_signal + _TINY) * np.eye(n_signal)
    gain = np.linalg.solve(second + ridge, signal.T @ wrong)
    # How much of the data, without most of their noise, makes the network better; none where
    # the two hardly differ.
    left = wrong - signal @ gain
    apart = left - (other_removed - noise)[:, :n_signal]
    share = (left * apart).sum() / ((apart**2).sum() + _ALIKE * apart.size)
    centre = removed.mean(axis=0)
    covariance = np.atleast_2d(np.cov(removed.T))
    covariance += 1e-6 * (1 + np.trace(covariance)) * np.eye(len(covariance))
    whitener = np.linalg.inv(np.linalg.cholesky(covariance)).T
    distances = exceeded((((removed - centre) @ whitener) ** 2).sum(axis=1))
    return gain, 1 - np.clip(share, 0.0, 1.0), centre, whitener, distances
