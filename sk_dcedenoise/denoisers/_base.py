"""The scikit-learn face of the seven denoisers: fit, transform and score on arrays of curves."""

import math

import numpy as np
import torch
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from skorch.dataset import Dataset

from sk_dcedenoise._guard import FILTERED, Guard, KineticGuard, found_kinetics
from sk_dcedenoise._noise import NoiseLaw
from sk_dcedenoise._validation import (
    check_finite_curves,
    check_fraction,
    check_option,
    check_pairs,
    check_positive,
)
from sk_dcedenoise.denoisers._batches import CurvePairs
from sk_dcedenoise.denoisers._net import CurveNet
from sk_dcedenoise.denoisers._units import UnitMap, warn_if_scaled_per_curve

DTYPES = [np.float64, np.float32]
# Weights of a network that learns about as fast as its guard.
_SMALL = 1_000_000


class BaseDenoiser(OneToOneFeatureMixin, TransformerMixin, CurveNet):
    """Base of the seven denoisers; not to be used by itself.

    Curves are rows: X and y are ``(n_curves, n_times)``. Order of the steps: X is brought to y's
    units frame by frame, divided by `scale_`, run through the network in float32, and multiplied
    by `scale_`, with the guard in between. A subclass names its `module` and spells out its
    constructor.
    """

    def __init__(self, *, scale, redraw_noise, guard, **net_params):
        super().__init__(**net_params)
        self.scale = scale
        self.redraw_noise = redraw_noise
        self.guard = guard

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = self.random_state is None
        return tags

    # ---- fit ---------------------------------------------------------------------------------

    def fit(self, X, y=None):
        """Learn to denoise from pairs of curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves, in mM or after any affine scaler.
        y : array-like of shape (n_curves, n_times)
            Clean curves on the same time grid, in mM.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If X or y holds NaN or infinity, or their shapes differ.
        """
        return self._fit_pairs(X, y, goes_on=self.warm_start)

    def partial_fit(self, X, y=None, classes=None):
        """Train on from where the last call ended, in the units that the first call learned.

        Parameters
        ----------
        X, y : array-like of shape (n_curves, n_times)
            As in :meth:`fit`.
        classes : ignored
            For interfaces that pass it.

        Returns
        -------
        self : estimator
        """
        return self._fit_pairs(X, y, goes_on=True)

    def _fit_pairs(self, X, y, *, goes_on):
        self._check_training_params()
        knows_units = goes_on and self.__sklearn_is_fitted__()
        X, y = self._check_curves(X, y, reset=not knows_units)
        self._check_guard(y)
        if not knows_units:
            self._learn_units(X, y)
        X = self.unit_map_.to_y_units(X) / self.scale_
        y = y / self.scale_
        if not knows_units:
            self.noise_law_ = NoiseLaw.learn(X - y, y)
        # Weights of `initialize` or `load_params` are kept by the first `partial_fit`.
        if not (goes_on and self.initialized_):
            self.initialize()
        self._check_enough(len(X))
        try:
            self.fit_loop(X, y)
        except KeyboardInterrupt:
            # The weights so far can be used, but not without their guard.
            self.guard_ = self._learn_guard(y)
            raise
        self.guard_ = self._learn_guard(y)
        return self

    def fit_guard(self, y, n_curves=None):
        """Learn the guard anew, of the network as it is.

        For a network that is to meet tissue, or with another `guard`, that `fit` did not know of.

        Parameters
        ----------
        y : array-like of shape (n_curves, n_times)
            Clean training curves, in mM.
        n_curves : int, default=None
            Curves to learn from, drawn from these with replacement: at most 262,144 count where
            kinetics are found or told by a :class:`KineticGuard`, else 65,536. None takes three
            fifths of what training has passed, or one fifth, as `fit` does, and as many times more
            as the network has millions of weights: the longer the training, the better the guard.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If y holds NaN or infinity or has another number of frames.
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        y = check_array(y, dtype=DTYPES, ensure_all_finite=False, input_name="y")
        check_finite_curves(y, "y")
        if y.shape[1] != self.n_features_in_:
            raise ValueError(
                f"y has {y.shape[1]} frames, but the network was fitted on {self.n_features_in_}: "
                "give the clean curves that it was trained on."
            )
        self._check_guard(y)
        self.guard_ = self._learn_guard(y / self.scale_, n_curves)
        return self

    def _learn_guard(self, y, n_curves=None):
        tissue = self._other_tissue(y)
        if n_curves is None:
            n_curves = max(200, int(tissue.of_training * self._cost_of_training()))
        return Guard.learn(
            lambda X: torch.cat(list(self.forward_iter(X, device=self.device_))),
            self._tensor(y),
            self.noise_law_,
            n_curves,
            self._generator(),
            knows_size=not self.scaled_per_curve_,
            tissue=tissue,
        )

    def _other_tissue(self, y):
        if self._is_kinetic():
            return self.guard.other_tissue(self.scale_)
        found = found_kinetics(y, self.noise_law_.quiet_sd(y))
        return FILTERED if found is None else found.law()

    def _cost_of_training(self):
        """Curves that a small network would have passed meanwhile.

        A guard costs as much beside a large network, whose steps are few and dear, as beside any.
        """
        n_weights = sum(weight.numel() for weight in self.module_.parameters())
        return self._steps_done() * self.batch_size * max(1.0, n_weights / _SMALL)

    def _steps_done(self):
        if hasattr(self, "budget_"):
            return self.budget_.steps_done
        return sum(self.history[:, "train_batch_count"])  # a network from a file

    def _is_kinetic(self):
        return isinstance(self.guard, KineticGuard)

    def _share(self):
        """Share of curves that are expected to be of other tissue; None for the guard's own."""
        if self._is_kinetic():
            return self.guard.share
        return None if isinstance(self.guard, str) else self.guard

    def _learn_units(self, X, y):
        check_option(self.scale, "scale", ("global", "curve", None))
        warn_if_scaled_per_curve(X, y)
        self.unit_map_ = UnitMap.learn(X, y)
        self.scale_ = _size(y) if self.scale is not None else 1.0
        self.scaled_per_curve_ = self.scale == "curve"

    def __sklearn_is_fitted__(self):
        return hasattr(self, "unit_map_") and self.initialized_

    def _check_enough(self, n_curves):
        norms = any(isinstance(m, torch.nn.BatchNorm1d) for m in self.module_.modules())
        if norms and n_curves - int(self.validation_fraction * n_curves) < 2:
            raise ValueError(
                f"X has 1 sample for training (n_samples={n_curves}), but expected at least 2 "
                "curves, since batch normalisation cannot learn from one: give more curves."
            )

    def _noise_law(self):
        return self.noise_law_ if self.redraw_noise else None

    def infer(self, x, **fit_params):
        """Run the module, each curve divided by its own root mean square if so asked."""
        if not self.scaled_per_curve_:
            return super().infer(x)
        size = _sizes(x)
        return super().infer(x / size) * size

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """The criterion, each curve in units of its own size if so asked, so that all count."""
        if self.scaled_per_curve_ and X is not None:
            size = _sizes(X)
            y_pred, y_true = y_pred / size, y_true / size
        return super().get_loss(y_pred, y_true, X=X, training=training)

    # ---- use ---------------------------------------------------------------------------------

    def transform(self, X):
        """Denoise curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves in the units that `fit` saw.

        Returns
        -------
        X_denoised : ndarray of shape (n_curves, n_times)
            In the units of the y that `fit` saw and the dtype of X.

        Raises
        ------
        ValueError
            If X holds NaN or infinity or has another number of frames.
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        return self._denoise(X)

    def _denoise(self, X):
        X, out, guard = self._ready(X)
        for rows, curves, denoised in self._chunks(X):
            if guard is not None:
                denoised, _, _ = guard(curves, denoised, self._share())
            np.multiply(denoised.cpu().numpy(), self.scale_, out=out[rows])
            # So that the next batch finds the same memory free as this one, warm in the cache.
            del denoised
        return out

    def score_samples(self, X):
        """Tell how well each curve is explained, as a share of training curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        scores : ndarray of shape (n_curves,)
            Share of training curves at this curve's noise that the network explains worse: what it
            removes from them is less like what it removes from most, or what lies outside the
            space of clean curves is less like noise. Near 0 for a curve that the training law
            cannot make. All 1 where `guard_` is None.
        """
        return self._judged(X, lambda trust, score: score)

    def trust(self, X):
        """Tell how far the guard goes by the network, curve by curve.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        trust : ndarray of shape (n_curves,)
            Probability that the curve is of the training law, given that a share ``guard`` of all
            curves is not; 0 where no such curve is like it. All 1 with ``guard=None``.
        """
        return self._judged(X, lambda trust, score: trust)

    def fell_back(self, X):
        """Tell which curves are rather of other tissue, and go by the data more than the network.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        mask : ndarray of shape (n_curves,), bool
            Where :meth:`trust` is below one half. All False with ``guard=None``.
        """
        return self.trust(X) < 0.5

    def _judged(self, X, chosen):
        X, _, guard = self._ready(X)
        found = np.ones(len(X))
        for rows, curves, denoised in self._chunks(X) if guard is not None else ():
            found[rows] = chosen(*guard(curves, denoised, self._share())[1:]).cpu().numpy()
        return found

    def _ready(self, X):
        """Checked curves, memory for as many, and the guard if there is one to be asked."""
        check_is_fitted(self)
        self._check_guard()
        X = self._check_shape(X, reset=False)
        return X, np.empty_like(X, order="C"), None if self.guard is None else self.guard_

    def _chunks(self, X):
        """Rows, their curves in the network's units, and what the network makes of them."""
        self._set_training(False)
        step, device = self._at_a_time(), self.device_
        scaled = torch.empty((min(step, len(X)), X.shape[1]))
        with torch.inference_mode():
            for start in range(0, len(X), step):
                rows = slice(start, start + step)
                curves = self._scaled(X, rows, scaled).to(device)
                if not math.isfinite(curves.sum()):
                    check_finite_curves(X, "X")
                yield rows, curves, self.infer(curves)

    def _scaled(self, X, rows, out):
        """Some curves in the network's units, in the memory of the tensor `out`."""
        # A look for NaN in the whole of X beforehand, and new arrays for every step, would take as
        # long as a small network.
        curves = self.unit_map_.to_y_units(X[rows])
        out = out[: len(curves)]
        np.multiply(curves, 1 / self.scale_, out=out.numpy(), casting="same_kind")
        return out

    def predict(self, X):
        """Denoise curves; the same as :meth:`transform`.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        X_denoised : ndarray of shape (n_curves, n_times)
        """
        if isinstance(X, Dataset):
            return self._predict_dataset(X)
        if getattr(X, "in_network_units", False):
            return self._predict_dataset(CurvePairs(X, X))
        return self._denoise(X)

    def score(self, X, y):
        """Share of the variance of the clean curves that is explained, all frames together.

        Frames count by their variance: the plain mean over frames is ruled by baseline frames,
        where a clean curve hardly varies.

        Parameters
        ----------
        X, y : array-like of shape (n_curves, n_times)
            Noisy and clean curves.

        Returns
        -------
        score : float
            1 is perfect.
        """
        return r2_score(y, self.predict(X), multioutput="variance_weighted")

    @property
    def n_iter_(self):
        """Number of epochs run."""
        check_is_fitted(self)
        return len(self.history)

    # ---- checks ------------------------------------------------------------------------------

    def _check_guard(self, y=None):
        if self._is_kinetic():
            self.guard.check(y)
        elif isinstance(self.guard, str):
            check_option(self.guard, "guard", ("auto",))
        elif self.guard is not None:
            check_fraction(self.guard, "guard")
            check_positive(self.guard, "guard")

    def _check_shape(self, X, *, reset):
        return validate_data(self, X, dtype=DTYPES, ensure_all_finite=False, reset=reset)

    def _check_curves(self, X, y, *, reset):
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: give "
                "the clean curves of the noisy curves X."
            )
        X = self._check_shape(X, reset=reset)
        check_finite_curves(X, "X")
        y = check_array(y, dtype=DTYPES, ensure_2d=False, ensure_all_finite=False, input_name="y")
        check_pairs(X, y)
        check_finite_curves(y, "y")
        return X, y


def _size(curves):
    """Root mean square, or 1 for curves that are all zero."""
    size = float(np.sqrt(np.mean(np.square(curves, dtype=np.float64))))
    return size if size > 0 else 1.0


def _sizes(x):
    """Root mean square of each curve as a column; 1 for curves that are all zero."""
    size = x.square().mean(dim=1, keepdim=True).sqrt()
    return torch.where(size > 0, size, torch.ones_like(size))
