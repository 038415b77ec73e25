"""scikit-learn's searches and Optuna's over denoisers and whole pipelines."""

import numpy as np
import pytest
from search_cases import LR, TINY, X, Y, chain
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import Pipeline
from small_networks import SMALL, name_of

from sk_dcedenoise.metrics import neg_curve_rmse_scorer

pytestmark = pytest.mark.usefixtures("quiet_optuna")


@pytest.mark.parametrize("denoiser", SMALL, ids=name_of)
def test_grid_search_over_a_pipeline(denoiser):
    name = name_of(denoiser).lower()
    search = GridSearchCV(
        chain(denoiser),
        {f"{name}__lr": [1e-4, 1e-2]},
        scoring=neg_curve_rmse_scorer,
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    assert search.best_params_ == {f"{name}__lr": 1e-2}
    assert search.transform(X).shape == (60, 3)


@pytest.mark.parametrize("estimator", [TINY, chain(TINY)], ids=["bare", "pipeline"])
def test_two_processes_score_as_one(estimator):
    prefix = "denoiservanillanl__" if isinstance(estimator, Pipeline) else ""
    grid = {f"{prefix}lr": [1e-3, 1e-2], f"{prefix}kernel_size": [3, 5]}
    settings = {"scoring": neg_curve_rmse_scorer, "cv": 2, "error_score": "raise"}
    scores = [
        GridSearchCV(estimator, grid, n_jobs=n_jobs, **settings).fit(X, Y).cv_results_
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(scores[0]["mean_test_score"], scores[1]["mean_test_score"])
    several = cross_validate(estimator, X, Y, n_jobs=2, return_train_score=True, **settings)
    assert (several["test_score"] < 0).all()


@pytest.mark.parametrize("estimator", [TINY, chain(TINY)], ids=["bare", "pipeline"])
def test_cross_val_predict(estimator):
    predicted = cross_val_predict(estimator, X, Y, cv=KFold(3))
    fitted = clone(estimator).fit(X[20:], Y[20:])
    np.testing.assert_array_equal(predicted[:20], fitted.predict(X[:20]))


def test_randomized_search():
    search = RandomizedSearchCV(
        chain(TINY), {"denoiservanillanl__lr": [1e-3, 1e-2], "curvescaler__quantile": [0.9, 1.0]},
        n_iter=2, scoring=neg_curve_rmse_scorer, cv=2, random_state=0, error_score="raise",
    )  # fmt: skip
    assert np.isfinite(search.fit(X, Y).best_score_)


@pytest.mark.parametrize("resource", ["n_samples", "max_epochs"])
def test_halving_search(resource):
    given = {"min_resources": 1, "max_resources": 4} if resource == "max_epochs" else {}
    search = HalvingGridSearchCV(
        TINY, {"lr": [1e-4, 1e-3, 1e-2]}, resource=resource, factor=3, random_state=0, cv=2,
        scoring=neg_curve_rmse_scorer, error_score="raise", **given,
    )  # fmt: skip
    assert search.fit(X, Y).n_iterations_ == 2


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning:optuna")  # it imports what it has deprecated
@pytest.mark.filterwarnings("ignore::FutureWarning:optuna_integration")
@pytest.mark.parametrize("denoiser", SMALL, ids=name_of)
def test_optuna_search_cv(denoiser):
    integration = pytest.importorskip(
        "optuna_integration.sklearn", reason="optuna-integration is not installed"
    )
    name = name_of(denoiser).lower()
    search = integration.OptunaSearchCV(
        chain(denoiser), {f"{name}__lr": LR["lr"]}, n_trials=2, cv=2, random_state=0,
        scoring=neg_curve_rmse_scorer, error_score="raise",
    ).fit(X, Y)  # fmt: skip
    assert search.transform(X).shape == (60, 3)
