"""The seven in scikit-learn's company: Pipelines with scalers and the kinetic fit, searches."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, RobustScaler, StandardScaler

from sk_dcedenoise import CurveScaler, DenoiserLSTM, DenoiserVanillaNL, ToftsTransformer
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.metrics import neg_curve_rmse_scorer, root_mean_squared_error

TIME = np.arange(32) * 3.75


@pytest.fixture(scope="module")
def pairs():
    return make_dce_curves(2000, random_state=0)


@pytest.fixture(scope="module")
def few():
    return make_dce_curves(120, random_state=1)


def full_pipeline():
    network = DenoiserLSTM(hidden_size=8, max_epochs=1, device="cpu", random_state=0)
    return make_pipeline(CurveScaler(), network, ToftsTransformer(TIME))


def test_scaler_denoiser_and_fit_work_together(few):
    X, y = few
    pipeline = full_pipeline().fit(X, y)
    parameters = pipeline.transform(X)
    assert parameters.shape == (120, 3)
    assert list(pipeline.get_feature_names_out()) == ["Ktrans", "ve", "vp"]
    # The fit saw curves in y's units, not in those of the scaler before the network.
    curves = pipeline[:-1].transform(X)
    assert_allclose(parameters, ToftsTransformer(TIME).fit_transform(curves), rtol=1e-6)
    assert_array_equal(pickle.loads(pickle.dumps(pipeline)).transform(X), parameters)
    assert_array_equal(clone(pipeline).fit(X, y).transform(X), parameters)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_over_a_pipeline_that_ends_in_parameters(few, n_jobs):
    X, y = few
    grid = {"denoiserlstm__hidden_size": [4, 8]}
    search = GridSearchCV(
        full_pipeline(), grid, scoring=neg_curve_rmse_scorer, cv=2, n_jobs=n_jobs,
        error_score="raise",
    )  # fmt: skip
    search.fit(X, y)
    assert search.best_params_["denoiserlstm__hidden_size"] in (4, 8)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.transform(X).shape == (120, 3)


def test_jobs_do_not_change_scores(few):
    X, y = few
    scores = [
        GridSearchCV(
            full_pipeline(), {"denoiserlstm__hidden_size": [4, 8]}, scoring=neg_curve_rmse_scorer,
            cv=2, n_jobs=n_jobs,
        ).fit(X, y).cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]  # fmt: skip
    assert_allclose(*scores, rtol=1e-4)


@pytest.mark.parametrize(
    "scaler", [StandardScaler(), MinMaxScaler(), RobustScaler(), CurveScaler()]
)
def test_an_affine_scaler_in_front_is_harmless(pairs, scaler):
    X, y = pairs
    fresh, clean = make_dce_curves(500, random_state=2)
    network = DenoiserVanillaNL(width=0.5, max_steps=250, device="cpu", random_state=0)
    alone = root_mean_squared_error(clean, clone(network).fit(X, y).transform(fresh))
    behind = make_pipeline(clone(scaler), clone(network)).fit(X, y)
    assert root_mean_squared_error(clean, behind.transform(fresh)) < 1.1 * alone


def test_a_scaler_of_single_curves_is_warned_about(few):
    X, y = few
    network = DenoiserVanillaNL(width=0.25, max_epochs=1, device="cpu", random_state=0)
    with pytest.warns(UserWarning, match="scale='curve'"):
        make_pipeline(Normalizer(), network).fit(X, y)


def test_cross_val_predict_denoises_every_curve_once(few):
    X, y = few
    network = DenoiserVanillaNL(width=0.25, max_epochs=2, device="cpu", random_state=0)
    assert cross_val_predict(network, X, y, cv=3).shape == X.shape
