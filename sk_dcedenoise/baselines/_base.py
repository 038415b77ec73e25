"""What the classical denoisers share: checks of curves, names of frames, tags."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sk_dcedenoise._validation import check_pairs


class CurveDenoiser(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Curves in, curves of the same shape and dtype out; not to be used by itself."""

    def _check_fit(self, X, *, min_samples=1):
        return validate_data(
            self, X, dtype=[np.float64, np.float32], ensure_min_samples=min_samples
        )

    def _check_clean(self, X, y):
        """The clean curves that belong to X, of its shape and dtype."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: give "
                "one clean curve per noisy curve."
            )
        y = check_array(y, dtype=X.dtype, ensure_2d=False, input_name="y")
        check_pairs(X, y)
        return y

    def _check_transform(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=[np.float64, np.float32], reset=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class TrainedOnPairs(CurveDenoiser):
    """A denoiser that learns from clean curves; not to be used by itself."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags
