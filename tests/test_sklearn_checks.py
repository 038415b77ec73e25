"""scikit-learn's own checks over the seven denoisers."""

import numpy as np
import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from small_networks import SMALL, name_of


def with_wide_target(estimator):
    """Let a check's narrow y stand for curves: scikit-learn's checks know no y shaped like X."""

    def widen(X, y):
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        y_array = np.asarray(y)
        narrow = y_array.ndim == 1 or (y_array.ndim == 2 and y_array.shape[1] == 1)
        if y is None or len(shape) != 2 or not narrow:
            return y
        return np.tile(y_array.reshape(len(y_array), 1), (1, shape[1]))

    class Adapter(type(estimator)):
        def fit(self, X, y=None):
            return super().fit(X, widen(X, y))

        def partial_fit(self, X, y=None, classes=None):
            return super().partial_fit(X, widen(X, y))

        def score(self, X, y):
            return super().score(X, widen(X, y))

    Adapter.__name__ = Adapter.__qualname__ = type(estimator).__name__ + "Adapter"
    globals()[Adapter.__name__] = Adapter  # where pickle looks for it
    return Adapter(**estimator.get_params(deep=False))


EXEMPT = {
    "check_do_not_raise_errors_in_init_or_set_params": (
        "passes the name of the ** parameter as if it were a parameter, which a constructor that "
        "refuses mistyped names refuses"
    ),
}


@parametrize_with_checks(
    [with_wide_target(estimator) for estimator in SMALL],
    expected_failed_checks=lambda estimator: EXEMPT,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Checks that scikit-learn runs over its own estimators alone. Some fit with names of frames and
# transform without, or the other way round, where scikit-learn warns by design.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_dataframe_column_names_consistency,
        estimator_checks.check_estimators_partial_fit_n_features,
        estimator_checks.check_inplace_ensure_writeable,
        estimator_checks.check_set_output_transform_pandas,
        estimator_checks.check_global_output_transform_pandas,
        estimator_checks.check_transformer_get_feature_names_out,
        estimator_checks.check_transformer_get_feature_names_out_pandas,
        estimator_checks.check_transformers_unfitted,
    ],
    ids=lambda check: check.__name__,
)
@pytest.mark.parametrize("estimator", SMALL, ids=name_of)
def test_scikit_learn_s_own_checks(estimator, check):
    check(type(estimator).__name__, with_wide_target(estimator))
