"""The exact posterior mean over a dictionary of curves: the limit of denoising."""

import numpy as np
import torch
from sklearn.utils import Bunch

from sk_dcedenoise._validation import check_option
from sk_dcedenoise.baselines._base import TrainedOnPairs

# Weights (curves x candidates x noise levels) held at once: few enough for the cache of a CPU core,
# enough to fill a GPU (128 MB in float64).
_CPU_BLOCK, _GPU_BLOCK = 2**20, 2**24
# Weights below exp(-60) of the largest are set to that: exp is several times slower where it
# underflows, and a billion such weights still add up to less than rounding does.
_LEAST_LOG_WEIGHT = -60.0


class PosteriorMeanDenoiser(TrainedOnPairs):
    """Mean of the clean curves that a noisy curve may come from, weighted by their probability.

    No denoiser has a smaller expected squared error than the posterior mean E[clean | noisy]. It
    is computed by weighing every curve of a dictionary of equally likely clean curves. For a
    discrete law whose curves are all in the dictionary, such as
    :func:`~sk_dcedenoise.datasets.reference_law_dictionary`, it is exact; a random sample of a
    continuous law approximates it, the worse the less noise there is.

    Parameters
    ----------
    noise_levels : sequence of float or None, default=(0.02, 0.05, 0.1, 0.2, 0.3)
        Equally likely standard deviations of the white Gaussian noise, relative to the mean of the
        candidate curve. None takes the standard deviation as unknown, one per curve, with a prior
        density proportional to 1 / sd.
    batch_size : int, default=256
        Number of noisy curves that meet the dictionary at once. Time and memory depend on it
        little.
    device : str or torch.device, default="cpu"
        Where PyTorch computes.
    dtype : {"float64", "float32"}, default="float64"
        Precision of the computation. The output always has the dtype of the input.

    Attributes
    ----------
    dictionary_ : ndarray of shape (n_candidates, n_times)
        Candidate curves in mM.
    params_ : Bunch or None
        Parameters of the candidates, arrays of shape (n_candidates,).
    n_features_in_ : int
        Number of frames seen in fit.
    feature_names_in_ : ndarray of shape (n_times,)
        Names of the frames, if the curves came with string names.

    Notes
    -----
    With T frames, a noisy curve x, a candidate c of mean m and a level s, the logarithm of a weight
    is ``-|x - c|**2 / (2 s**2 m**2) - T log(s m)``, summed as weights over the levels. The term
    ``T log(s m)`` matters: candidates of larger mean stand for more noise. With an unknown sd,
    integrating it out leaves ``|x - c|**(-T)``.

    Work grows with curves x candidates x levels, memory does not: the dictionary is passed in
    blocks, with a softmax whose maximum and sums are carried from block to block.

    In a pipeline, the clean training curves make the dictionary. To give any other dictionary, call
    ``fit(curves, curves)``: noisy curves are not looked at.

    References
    ----------
    .. [1] S. M. Kay, "Fundamentals of Statistical Signal Processing: Estimation Theory", Prentice
       Hall, 1993, section 10.4 (the posterior mean minimises the Bayesian squared error).
    .. [2] M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax",
       arXiv:1805.02867, 2018 (algorithm 3).

    Examples
    --------
    >>> from sk_dcedenoise.baselines import PosteriorMeanDenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves, reference_law_dictionary
    >>> from sk_dcedenoise.metrics import root_mean_squared_error
    >>> curves, params = reference_law_dictionary()
    >>> limit = PosteriorMeanDenoiser().fit(curves, curves, params=params)
    >>> X, y, true = make_dce_curves(50, random_state=0, return_params=True)
    >>> root_mean_squared_error(y, limit.transform(X)) < 0.4 * root_mean_squared_error(y, X)
    True
    >>> limit.predict_params(X).Ktrans.shape
    (50,)
    """

    def __init__(
        self,
        noise_levels=(0.02, 0.05, 0.1, 0.2, 0.3),
        *,
        batch_size=256,
        device="cpu",
        dtype="float64",
    ):
        self.noise_levels = noise_levels
        self.batch_size = batch_size
        self.device = device
        self.dtype = dtype

    def fit(self, X, y, *, params=None):
        """Take a dictionary of clean curves.

        Parameters
        ----------
        X : array-like of shape (n_candidates, n_times)
            Noisy curves. Only their shape and dtype matter.
        y : array-like of shape (n_candidates, n_times)
            Clean curves, the candidates, all equally likely.
        params : mapping of str to array-like of shape (n_candidates,), default=None
            Parameters of the candidates, for :meth:`predict_params`.

        Returns
        -------
        self : object
            The fitted denoiser.

        Raises
        ------
        ValueError
            If an option is out of range, `y` or `params` do not fit `X`, or a candidate's mean is
            zero while noise levels are relative to it.
        """
        self._check_options()
        X = self._check_fit(X)
        y = self._check_clean(X, y)
        flat = y.mean(axis=1, dtype=np.float64) == 0
        if self.noise_levels is not None and flat.any():
            raise ValueError(
                f"y has {flat.sum()} curves of mean zero (the first is row {np.argmax(flat)}), but "
                "expected another mean, which noise levels refer to: leave those curves out."
            )
        self.dictionary_ = y.copy()
        self.params_ = None if params is None else _check_params(params, len(y))
        return self

    def transform(self, X):
        """Estimate the clean curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        X_denoised : ndarray of shape (n_curves, n_times)
            Posterior means in mM, in the dtype of X.
        """
        X = self._check_transform(X)
        return self._posterior_mean(X, self.dictionary_).astype(X.dtype, copy=False)

    def predict_params(self, X):
        """Estimate the parameters, straight from the noisy curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        params : Bunch
            Posterior means, arrays of shape (n_curves,) under the names given to fit.

        Raises
        ------
        ValueError
            If fit was not given parameters.
        """
        X = self._check_transform(X)
        if self.params_ is None:
            raise ValueError(
                "fit was given curves alone, but expected their parameters as well: fit with "
                "params=."
            )
        means = self._posterior_mean(X, np.column_stack(list(self.params_.values())))
        return Bunch(**dict(zip(self.params_, means.T, strict=True)))

    def _posterior_mean(self, X, values):
        """Means of the rows of `values` under each curve's posterior weights, float64."""
        kind = {"device": self.device, "dtype": getattr(torch, self.dtype)}
        candidates, values = (torch.as_tensor(a).to(**kind) for a in (self.dictionary_, values))
        means = np.empty((len(X), values.shape[1]))
        for start in range(0, len(X), self.batch_size):
            rows = slice(start, start + self.batch_size)
            x = torch.tensor(X[rows]).to(**kind)
            means[rows] = self._mean_of_batch(x, candidates, values).cpu().numpy()
        return means

    def _mean_of_batch(self, x, candidates, values):
        """Softmax over blocks of candidates, carried from block to block."""
        levels = 1 if self.noise_levels is None else len(np.atleast_1d(self.noise_levels))
        size = _CPU_BLOCK if x.device.type == "cpu" else _GPU_BLOCK
        step = max(1, size // (len(x) * levels))
        top = x.new_full((len(x), 1), -torch.inf)
        total = x.new_zeros((len(x), 1))
        weighted = x.new_zeros((len(x), values.shape[1]))
        for start in range(0, len(candidates), step):
            block = slice(start, start + step)
            log_weight = self._log_weights(x, candidates[block])
            new_top = torch.maximum(top, log_weight.amax(dim=(0, 2))[:, None])
            weight = log_weight.sub_(new_top).clamp_(min=_LEAST_LOG_WEIGHT).exp_().sum(dim=0)
            shrink = torch.exp(top - new_top)
            total = total * shrink + weight.sum(dim=1, keepdim=True)
            weighted = weighted * shrink + weight @ values[block]
            top = new_top
        return weighted / total

    def _log_weights(self, x, candidates):
        """Logarithms of weights, (n_levels, n_curves, n_candidates), up to a constant."""
        n_times = x.shape[1]
        square = (x**2).sum(dim=1)[:, None] + (candidates**2).sum(dim=1)
        # Rounding may leave a curve that equals a candidate just below a distance of zero.
        floor = torch.finfo(x.dtype).eps * square + torch.finfo(x.dtype).tiny
        distance = torch.maximum(torch.addmm(square, x, candidates.T, alpha=-2), floor)
        if self.noise_levels is None:
            return -n_times / 2 * torch.log(distance)[None]
        levels = x.new_tensor(np.atleast_1d(self.noise_levels).tolist())
        sd = levels[:, None, None] * candidates.mean(dim=1).abs()
        return torch.addcmul(-n_times * torch.log(sd), distance, -0.5 / sd**2)

    def _check_options(self):
        check_option(self.dtype, "dtype", ("float64", "float32"))
        if not isinstance(self.batch_size, int) or self.batch_size < 1:
            raise ValueError(
                f"batch_size={self.batch_size!r}, but expected a positive integer: 256 suits most."
            )
        if self.noise_levels is None:
            return
        levels = np.atleast_1d(np.asarray(self.noise_levels, dtype=np.float64))
        if levels.ndim != 1 or levels.size == 0 or not ((levels > 0) & (levels < np.inf)).all():
            raise ValueError(
                f"noise_levels={self.noise_levels!r}, but expected finite levels above 0, relative "
                "to the mean of a curve: 0.1 means 10 %."
            )


def _check_params(params, n_candidates):
    """Float64 copies of the parameters of every candidate."""
    columns = {name: np.array(values, dtype=np.float64) for name, values in params.items()}
    for name, values in columns.items():
        if values.shape != (n_candidates,) or not np.isfinite(values).all():
            raise ValueError(
                f"params[{name!r}] has shape {values.shape} and {np.isfinite(values).sum()} finite "
                f"values, but expected ({n_candidates},), all finite: one per candidate curve."
            )
    return Bunch(**columns)
