"""Measures against hand-worked values and scikit-learn; scorers inside searches and pipelines."""

import pickle

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sk_dcedenoise import metrics

MEASURES = [
    metrics.sum_of_squared_differences,
    metrics.max_abs_difference,
    metrics.percent_root_mean_square_difference,
    metrics.cosine_similarity,
    metrics.root_mean_squared_error,
]
SCORERS = [
    metrics.neg_curve_rmse_scorer,
    metrics.snr_gain_scorer,
    metrics.cosine_similarity_scorer,
]
TRUE = np.array([[0.0, 3.0, 4.0, 1.0], [1.0, 2.0, 2.0, 0.0]])
PRED = np.array([[1.0, 3.0, 2.0, 1.0], [1.0, 2.0, 2.0, 0.0]])


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (metrics.sum_of_squared_differences, [5.0, 0.0]),
        (metrics.max_abs_difference, [2.0, 0.0]),
        # Squares around the mean, 2, of the clean curve: 4 + 1 + 4 + 1 = 10.
        (metrics.percent_root_mean_square_difference, [100 * np.sqrt(0.5), 0.0]),
        (metrics.cosine_similarity, [18 / np.sqrt(26 * 15), 1.0]),
        (metrics.root_mean_squared_error, [np.sqrt(5 / 4), 0.0]),
    ],
)
def test_hand_worked(measure, expected):
    np.testing.assert_allclose(measure(TRUE, PRED, average=False), expected, rtol=1e-14)
    if measure is not metrics.root_mean_squared_error:
        assert measure(TRUE, PRED) == pytest.approx(np.mean(expected), rel=1e-14)
    assert isinstance(measure(TRUE.tolist(), PRED), float)


def test_rmse_pools_all_values(rng):
    true, pred = rng.normal(size=(2, 7, 5))
    assert metrics.root_mean_squared_error(true, pred) == pytest.approx(
        sklearn.metrics.root_mean_squared_error(true.ravel(), pred.ravel()), rel=1e-14
    )


def test_cosine_is_that_of_sklearn(rng):
    true, pred = rng.normal(size=(2, 7, 5))
    np.testing.assert_allclose(
        metrics.cosine_similarity(true, pred, average=False),
        np.diag(sklearn.metrics.pairwise.cosine_similarity(true, pred)),
        rtol=1e-13,
    )


def test_prd_does_not_depend_on_other_curves_or_output_size(rng):
    """What the published code's denominator gets wrong."""
    true = rng.normal(size=(4, 6))
    pred = true + rng.normal(size=(4, 6))
    alone = metrics.percent_root_mean_square_difference(true[:1], pred[:1])
    batch = metrics.percent_root_mean_square_difference(true, pred, average=False)
    assert batch[0] == pytest.approx(alone, rel=1e-14)
    twice = metrics.percent_root_mean_square_difference(
        true, true + 2 * (pred - true), average=False
    )
    np.testing.assert_allclose(twice, 2 * batch, rtol=1e-12)


def test_snr_gain_in_db(rng):
    true, noise = rng.normal(size=(2, 3, 8))
    factors = np.array([[0.1], [1.0], [10.0]])
    gain = metrics.snr_gain(true, true + noise, true + factors * noise, average=False)
    np.testing.assert_allclose(gain, [20, 0, -20], atol=1e-12)
    assert metrics.snr_gain(true, true + noise, true + noise) == 0


def test_snr_gain_without_noise():
    true = np.ones((3, 4))
    noisy = true + np.array([[0.0], [0.0], [0.1]])
    out = true + np.array([[0.0], [0.1], [0.0]])
    gain = metrics.snr_gain(true, noisy, out, average=False)
    np.testing.assert_array_equal(gain, [0, -np.inf, np.inf])


def test_undefined_values_are_not_numbers():
    constant = np.ones((1, 4))
    assert np.isinf(metrics.percent_root_mean_square_difference(constant, 2 * constant))
    assert np.isnan(metrics.percent_root_mean_square_difference(constant, constant))
    assert np.isnan(metrics.cosine_similarity(constant, 0 * constant))


curves = arrays(np.float64, (3, 5), elements=st.floats(-100, 100, width=32))


@settings(deadline=None, max_examples=50)
@given(true=curves, pred=curves, shift=st.floats(-10, 10), factor=st.floats(0.1, 10))
def test_invariances(true, pred, shift, factor):
    for measure, power in [
        (metrics.sum_of_squared_differences, 2),
        (metrics.max_abs_difference, 1),
        (metrics.root_mean_squared_error, 1),
    ]:
        value = measure(true, pred)
        assert value == pytest.approx(measure(pred, true))
        assert measure(factor * true, factor * pred) == pytest.approx(factor**power * value)
        assert measure(true + shift, pred + shift) == pytest.approx(value, rel=1e-6, abs=1e-9)
        assert measure(true[::-1, ::-1], pred[::-1, ::-1]) == pytest.approx(value)
    cosine = metrics.cosine_similarity(true, pred, average=False)
    known = ~np.isnan(cosine)
    assert (np.abs(cosine[known]) <= 1 + 1e-12).all()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (TRUE, PRED[:1], r"y_true has shape \(2, 4\) and the other curves \(1, 4\)"),
        (TRUE[0], PRED[0], r"expected one shape \(n_curves, n_times\)"),
        (TRUE[:0], PRED[:0], r"expected one shape"),
        (np.full((2, 4), np.nan), PRED, "y_true contains NaN or infinity in 2 of 2"),
        (TRUE, np.full((2, 4), np.inf), "y_pred contains NaN or infinity"),
    ],
)
def test_bad_curves(measure, true, pred, message):
    with pytest.raises(ValueError, match=message):
        measure(true, pred)


def test_inputs_are_not_modified():
    true, pred = TRUE.copy(), PRED.copy()
    true.flags.writeable = pred.flags.writeable = False
    for measure in MEASURES:
        measure(true, pred)
    metrics.snr_gain(true, pred, pred)
    metrics.parameter_errors(true, pred, names="abcd")


# Parameters


def test_parameter_errors_by_hand():
    true = {"Ktrans": np.array([0.1, 0.2, 0.3, 0.4]), "kep": np.ones(4)}
    est = {"Ktrans": np.array([0.2, 0.2, np.nan, 0.7]), "ve": np.ones(4)}
    errors = metrics.parameter_errors(true, est)
    assert list(errors) == ["Ktrans"]
    row = errors["Ktrans"]
    assert row["n_missing"] == 1
    assert row["bias"] == pytest.approx(0.4 / 3)
    assert row["rmse"] == pytest.approx(np.sqrt(0.1 / 3))
    assert row["median_abs_error"] == pytest.approx(0.1)
    assert row["relative_bias"] == pytest.approx(row["bias"] / (0.7 / 3))
    assert row["relative_rmse"] == pytest.approx(row["rmse"] / (0.7 / 3))


def test_parameter_errors_of_frames_and_arrays(rng):
    pandas = pytest.importorskip("pandas")
    true, est = rng.uniform(size=(2, 6, 2))
    expected = metrics.parameter_errors(true, est, names=["Ktrans", "vp"])
    frame = pandas.DataFrame(est[:, ::-1], columns=["vp", "Ktrans"])
    swapped = metrics.parameter_errors(true, frame, names=["Ktrans", "vp"])
    assert swapped == expected
    table = pandas.DataFrame(expected)
    assert table.loc["rmse", "vp"] == expected["vp"]["rmse"]


def test_parameter_without_any_estimate():
    row = metrics.parameter_errors({"ve": [0.1, 0.2]}, {"ve": [np.nan, np.inf]})["ve"]
    assert row["n_missing"] == 2 and np.isnan(row["rmse"])


@pytest.mark.parametrize(
    ("true", "est", "names", "message"),
    [
        ({"ve": [1.0]}, {"vp": [1.0]}, None, "at least one in common"),
        ({"ve": [1.0, 2.0]}, {"ve": [1.0]}, None, "ve has 2 true values"),
        ({"ve": [np.nan]}, {"ve": [1.0]}, None, "0 of them finite"),
        (np.ones((2, 2)), np.ones((2, 2)), None, "give names= for arrays"),
        (np.ones((2, 2)), np.ones((2, 2)), ["ve"], "as many names"),
    ],
)
def test_bad_parameters(true, est, names, message):
    with pytest.raises(ValueError, match=message):
        metrics.parameter_errors(true, est, names=names)


# Scorers


class Halve(TransformerMixin, BaseEstimator):
    """A denoiser with a closed form: half of what enters."""

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        return np.asarray(X) / 2


class MeanAsKtrans(Halve):
    """A kinetic step: one column."""

    def transform(self, X):
        return np.asarray(X).mean(axis=1, keepdims=True)

    def get_feature_names_out(self, input_features=None):
        return np.array(["Ktrans"], dtype=object)


class SquareMap(MeanAsKtrans):
    """A kinetic step that happens to return as many columns as there are frames."""

    def transform(self, X):
        return np.full(np.shape(X), -1000.0)


class NamelessStep(Halve):
    """A step whose output betrays it by its shape only."""

    def transform(self, X):
        return np.asarray(X).mean(axis=1, keepdims=True)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def pairs(rng):
    y = np.outer(rng.uniform(0.5, 1.5, 60), np.sin(np.arange(12) / 4))
    return y + 0.3 * rng.normal(size=y.shape), y


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("last", [MeanAsKtrans(), SquareMap(), NamelessStep()])
def test_pipeline_is_judged_by_the_curves_before_its_kinetic_step(scorer, last, pairs):
    X, y = pairs
    alone = scorer(Halve().fit(X, y), X, y)
    assert scorer(make_pipeline(Halve(), last).fit(X, y), X, y) == alone
    assert scorer(make_pipeline(Halve()).fit(X, y), X, y) == alone
    assert scorer(make_pipeline("passthrough", Halve()).fit(X, y), X, y) == alone


def test_scores_are_the_measures(pairs):
    X, y = pairs
    est = Halve().fit(X)
    assert metrics.neg_curve_rmse_scorer(est, X, y) == -metrics.root_mean_squared_error(y, X / 2)
    assert metrics.snr_gain_scorer(est, X, y) == metrics.snr_gain(y, X, X / 2)
    assert metrics.cosine_similarity_scorer(est, X, y) == metrics.cosine_similarity(y, X / 2)
    only_fit = make_pipeline(MeanAsKtrans()).fit(X)
    assert metrics.snr_gain_scorer(only_fit, X, y) == 0


def test_estimators_with_predict_alone(pairs):
    X, y = pairs
    ridge = Ridge().fit(X, y)
    expected = -metrics.root_mean_squared_error(y, ridge.predict(X))
    assert metrics.neg_curve_rmse_scorer(ridge, X, y) == expected


@pytest.mark.parametrize("scorer", [*SCORERS, metrics.neg_parameter_error_scorer])
def test_scorers_pickle_and_search(scorer, pairs):
    X, y = pairs
    assert pickle.loads(pickle.dumps(scorer)) is scorer
    # One component holds these curves; without any, all of a curve's shape is lost.
    pipe = make_pipeline(PCAInverse(), MeanAsKtrans())
    search = GridSearchCV(pipe, {"pcainverse__k": [1, 12]}, scoring=scorer, error_score="raise")
    assert search.fit(X, y).best_score_ > scorer(Worthless().chain().fit(X, y), X, y)


class PCAInverse(TransformerMixin, BaseEstimator):
    """PCA and back."""

    def __init__(self, k=1):
        self.k = k

    def fit(self, X, y=None):
        self.pca_ = PCA(self.k).fit(X)
        return self

    def transform(self, X):
        return self.pca_.inverse_transform(self.pca_.transform(X))


class Worthless(Halve):
    """Another curve altogether."""

    def transform(self, X):
        return np.cos(np.arange(np.size(X)) * 1.7).reshape(np.shape(X)) - 3

    def chain(self):
        return make_pipeline(self, MeanAsKtrans())


def test_parameter_scorer_by_hand():
    y = np.array([[1.0, 3.0], [2.0, 4.0], [5.0, 5.0]])
    pipe = make_pipeline(Halve(), MeanAsKtrans()).fit(y, y)
    # Means of the curves are 2, 3, 5 (their mean 10 / 3); halved, they are off by 1, 1.5, 2.5.
    assert metrics.neg_parameter_error_scorer(pipe, y, y) == pytest.approx(-1.5 / (10 / 3))


class WithRSS(MeanAsKtrans):
    """A kinetic step with a column that is no parameter."""

    def transform(self, X):
        return np.column_stack([np.asarray(X).mean(axis=1), np.asarray(X)[:, 0] ** 9])

    def get_feature_names_out(self, input_features=None):
        return np.array(["Ktrans", "rss"], dtype=object)


def test_parameter_scorer_leaves_other_columns_out(pairs):
    X, y = pairs
    scores = [
        metrics.neg_parameter_error_scorer(make_pipeline(Halve(), last).fit(X, y), X, y)
        for last in (MeanAsKtrans(), WithRSS())
    ]
    assert scores[0] == scores[1] < 0


def test_wrong_estimators_for_scorers(pairs):
    X, y = pairs
    with pytest.raises(ValueError, match="estimator is a Halve, but expected a Pipeline"):
        metrics.neg_parameter_error_scorer(Halve().fit(X), X, y)
    with pytest.raises(ValueError, match="one shape"):
        metrics.neg_curve_rmse_scorer(NamelessStep().fit(X), X, y)
