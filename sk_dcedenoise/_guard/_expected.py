"""What a network removes from curves of its training law, noise level by noise level."""

import numpy as np
import torch
from scipy.optimize import nnls
from torch.nn import functional

# Curves in each class of noise level, at least, and classes at most.
_CURVES_PER_LEVEL, _MOST_LEVELS = 1000, 65
# Shares of training curves whose measures are kept; what is beyond is extrapolated.
TAILS = np.array(
    [1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002]
)
# What differs from the network by less than this, in variances of the noise, is alike: the guard's
# own mean of the training law, and that of other tissue.
_ALIKE = np.array([0.001, 0.2])
# How much less errors count where the noise is of no level of training.
_UNUSUAL = 0.2
_TINY = 1e-30


class Expected:
    """Classes of equally many training curves by noise level, and what was found in each.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,)
        Logarithms of noise over signal, increasing.
    gains : ndarray of shape (n_levels, n_signal, n_signal)
        How much of the removed part to put back.
    weights : ndarray of shape (n_levels, 2)
        Of the guard's own means of the training law and of other tissue, in curves that are of the
        training law for sure; the network has the rest.
    centres : ndarray of shape (n_levels, n_kept)
    whiteners : ndarray of shape (n_levels, n_kept, n_kept)
        Mean, and transposed inverse Cholesky factor of the covariance, of the removed part.
    distances : ndarray of shape (n_levels, n_tails)
        Squared distances from the mean that shares `TAILS` of training curves exceed.
    """

    def __init__(self, levels, gains, weights, centres, whiteners, distances):
        self.levels, self.gains, self.weights = levels, gains, weights
        self.centres, self.whiteners, self.distances = centres, whiteners, distances

    def has_shapes_for(self, n_signal, n_kept):
        """Whether all arrays fit each other and so many directions."""
        n = len(self.levels)
        return n >= 2 and {name: v.shape for name, v in vars(self).items()} == {
            "levels": (n,),
            "gains": (n, n_signal, n_signal),
            "weights": (n, 2),
            "centres": (n, n_kept),
            "whiteners": (n, n_kept, n_kept),
            "distances": (n, len(TAILS)),
        }

    @classmethod
    def learn(cls, level, removed, partners, noise, sd, is_usual, n_signal):
        """Learn from training curves.

        Parameters
        ----------
        level : tensor of shape (n_curves,)
            Logarithms of noise over signal.
        removed : tensor of shape (n_curves, n_kept)
            What the network takes out of coefficients, in units of the noise.
        partners : sequence of tensor of shape (n_curves, n_kept)
            What would be taken out by the means of the training law and of other tissue.
        noise : tensor of shape (n_curves, n_kept)
            What is noise.
        sd : tensor of shape (n_curves,)
            The unit of all these: the noise. Estimates are mixed as is best for the error of the
            curves themselves.
        is_usual : tensor of shape (n_curves,)
            Whether the noise is of a level of training. The estimates are mixed as is best for
            those, where there are any.
        n_signal : int
        """
        level, *found = (v.double().cpu().numpy() for v in (level, sd, removed, noise, *partners))
        found = is_usual.cpu().numpy(), *found
        n_levels = np.clip(len(level) // _CURVES_PER_LEVEL, 2, _MOST_LEVELS)
        classes = np.array_split(np.argsort(level), n_levels)
        rows = [
            (level[c].mean(), *_of_class(*(v[c] for v in found), n_signal=n_signal))
            for c in classes
        ]
        return cls(*map(np.array, zip(*rows, strict=True)))

    def explained(self, level, removed):
        """Share of training curves at this noise whose removed part is farther from what is usual.

        Returns
        -------
        explained : tensor of shape (n_curves,)
        """
        centres, whiteners, distances = self._tensors(level, "centres", "whiteners", "distances")
        explained = torch.zeros_like(level)
        for at, share in self._classes(level):
            white = torch.einsum("ni,nij->nj", removed - centres[at], whiteners[at])
            explained += share * share_beyond(white.square().sum(1), distances[at])
        return explained

    def mixed(self, level, removed, partners):
        """What is best removed from curves of the training law.

        Returns
        -------
        mixed : tensor of shape (n_curves, n_kept)
        """
        gains, weights = self._tensors(level, "gains", "weights")
        k, mixed = gains.shape[1], torch.zeros_like(removed)
        for at, share in self._classes(level):
            back = torch.einsum("ni,nij->nj", removed[:, :k], gains[at])
            best = removed - functional.pad(back, (0, removed.shape[1] - k))
            best = best * (1 - weights[at].sum(1, keepdim=True))
            for weight, partner in zip(weights[at].T, partners, strict=True):
                best += weight[:, None] * partner
            mixed += share[:, None] * best
        return mixed

    def fading(self, level):
        """Trust in the network where there is less noise than was ever seen.

        It errs as much there, and the data less.
        """
        return (2 * (level - self.levels[0])).clamp(max=0.0).exp()

    def _classes(self, level):
        """The two classes between which each curve lies, and its shares in them."""
        (levels,) = self._tensors(level, "levels")
        lower = (torch.searchsorted(levels, level.contiguous()) - 1).clamp(0, len(levels) - 2)
        upper = ((level - levels[lower]) / (levels[lower + 1] - levels[lower])).clamp(0.0, 1.0)
        return (lower, 1.0 - upper), (lower + 1, upper)

    def _tensors(self, like, *names):
        return [torch.as_tensor(getattr(self, name)).to(like) for name in names]


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


def _of_class(is_usual, sd, removed, noise, *partners, n_signal):
    """Gain, weights, centre, whitener and distances of one class."""
    unit = (sd / sd.mean() * np.where(is_usual, 1.0, _UNUSUAL))[:, None]
    mixing = _mixing(*(unit * v[:, :n_signal] for v in (removed, noise, *partners)))
    centre = removed.mean(axis=0)
    covariance = np.atleast_2d(np.cov(removed.T))
    covariance += 1e-6 * (1 + np.trace(covariance)) * np.eye(len(covariance))
    whitener = np.linalg.inv(np.linalg.cholesky(covariance)).T
    distances = exceeded((((removed - centre) @ whitener) ** 2).sum(axis=1))
    return *mixing, centre, whitener, distances


def _mixing(removed, noise, *partners):
    """Gain of what is put back, and weights of the partners, that make the mixture least wrong."""
    wrong, n_signal = removed - noise, removed.shape[1]
    second = removed.T @ removed
    # A ridge, since a network that is nearly right makes parts of this nearly singular.
    ridge = (1e-3 * np.trace(second) / n_signal + _TINY) * np.eye(n_signal)
    gain = np.linalg.solve(second + ridge, removed.T @ wrong)
    left = wrong - removed @ gain
    apart = np.column_stack([(left - (partner - noise)).ravel() for partner in partners])
    ridge = np.diag(np.sqrt(_ALIKE * left.size))
    weights, _ = nnls(np.vstack([apart, ridge]), np.r_[left.ravel(), np.zeros(len(partners))])
    return gain, weights / max(1.0, weights.sum())
