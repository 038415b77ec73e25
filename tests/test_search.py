"""Search spaces, and `tune` in one process."""

import os
import time

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from search_cases import LR, QUIET, TIME, TINY, PruneAt, X, Y, chain
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from small_networks import SMALL, name_of

from sk_dcedenoise import denoisers
from sk_dcedenoise.baselines import PCADenoiser
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.metrics import neg_curve_rmse_scorer
from sk_dcedenoise.preprocessing import CurveScaler
from sk_dcedenoise.search import search_space, tune
from sk_dcedenoise.search._journal import open_storage

pytestmark = pytest.mark.usefixtures("quiet_optuna")

# ---- search spaces ---------------------------------------------------------------------------


@pytest.mark.parametrize("denoiser", SMALL, ids=name_of)
def test_spaces_hold_parameters_that_train(denoiser):
    space = search_space(denoiser)
    default = type(denoiser)().get_params()
    for name, distribution in space.items():
        if default.get(name) not in ("auto", None):
            assert distribution._contains(distribution.to_internal_repr(default[name])), name
    for ends in ("low", "high"):
        values = {k: getattr(d, ends) for k, d in space.items() if hasattr(d, ends)}
        # As wide as the range allows, layers are large: one epoch of few curves shows the shapes.
        large = {k: v for k, v in values.items() if k not in _WIDTHS or ends == "low"}
        candidate = clone(denoiser).set_params(max_epochs=1, **large)
        assert np.isfinite(candidate.fit(X[:20], Y[:20]).transform(X[:20])).all()


_WIDTHS = {"hidden_size", "width", "n_filters", "channels", "middle_channels"}


def test_space_of_a_pipeline_has_the_names_of_its_steps():
    inner = Pipeline([("net", clone(TINY))])
    pipeline = Pipeline(
        [("scale", CurveScaler()), ("inner", inner), ("fit", ToftsTransformer(TIME))]
    )
    space = search_space(pipeline)
    assert set(space) == {f"inner__net__{name}" for name in search_space(TINY)}
    pipeline.set_params(**{name: distribution.high for name, distribution in space.items()})
    with pytest.raises(ValueError, match="Pipeline without a denoising network, but expected"):
        search_space(make_pipeline(CurveScaler()))


def test_every_network_has_a_space():
    for name in (name for name in denoisers.__all__ if name.startswith("Denoiser")):
        assert "lr" in search_space(getattr(denoisers, name)())


# ---- tune ------------------------------------------------------------------------------------


def test_finds_what_is_better_and_fits_with_it():
    space = {"lr": optuna.distributions.CategoricalDistribution([1e-6, 1e-2])}
    result = tune(TINY, X, Y, n_trials=6, space=space, random_state=0, cv=2, **QUIET)
    assert result.best_params_ == {"lr": 1e-2}
    expected = clone(TINY).set_params(lr=1e-2)
    scores = cross_val_score(expected, X, Y, cv=2, scoring=neg_curve_rmse_scorer)
    assert result.best_score_ == pytest.approx(scores.mean(), rel=1e-12)
    np.testing.assert_array_equal(
        result.best_estimator_.transform(X), expected.fit(X, Y).transform(X)
    )
    assert result.best_estimator_.callbacks is None
    assert "best_score_" in repr(result)


def test_ends_with_nothing_worse_than_the_estimator_as_it_is():
    own = clone(TINY).set_params(lr=1e-2)
    result = tune(own, X, Y, n_trials=2, space=LR, random_state=0, cv=2, refit=False, **QUIET)
    assert result.study_.trials[0].params == {"lr": 1e-2}
    expected = cross_val_score(own, X, Y, cv=2, scoring=neg_curve_rmse_scorer).mean()
    assert result.study_.trials[0].value == pytest.approx(expected, rel=1e-12)
    assert result.best_score_ >= result.study_.trials[0].value


def test_leaves_the_estimator_and_its_callbacks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pipeline = chain(TINY)
    result = tune(pipeline, X, Y, n_trials=1, progress=False, random_state=0)
    assert pipeline.named_steps["denoiservanillanl"].callbacks is None
    assert not hasattr(pipeline, "n_features_in_")
    assert set(result.best_params_) == set(search_space(pipeline))
    assert os.listdir(tmp_path) == ["tune.journal"]


def test_epochs_are_counted():
    result = tune(TINY, X, Y, n_trials=2, refit=False, **QUIET)
    assert result.n_epochs_ == 2 * 3 * 2
    assert result.best_estimator_ is None


def test_classical_denoisers_can_be_tuned():
    space = {"n_components": optuna.distributions.IntDistribution(1, 6)}
    result = tune(PCADenoiser(), X, Y, n_trials=4, space=space, random_state=0, **QUIET)
    assert result.best_params_["n_components"] in range(1, 7)


def test_trials_that_diverge_do_not_end_the_search():
    space = {"lr": optuna.distributions.CategoricalDistribution([1e30, 1e-3])}
    result = tune(TINY, X, Y, n_trials=6, space=space, random_state=1, **QUIET)
    assert result.best_params_ == {"lr": 1e-3}
    assert {t.state for t in result.study_.trials} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_no_trial_with_a_score():
    with pytest.raises(ValueError, match="has no trial with a finite score"):
        tune(TINY, X, Y, n_trials=2, pruner=PruneAt(0), space=LR, **QUIET)


def test_groups_stay_together():
    seen = []

    def scorer(estimator, X, y):
        seen.append(set(X[:, 0]))
        return 0.0

    marked = X.copy()
    marked[:, 0] = groups = np.repeat(np.arange(6), 10)
    tune(
        PCADenoiser(), marked, Y, n_trials=1, cv=3, groups=groups, scoring=scorer,
        space={"n_components": optuna.distributions.IntDistribution(1, 3)}, **QUIET,
    )  # fmt: skip
    expected = [set(groups[test]) for _, test in GroupKFold(3).split(X, Y, groups)]
    assert seen == expected


def test_timeout_ends_it():
    started = time.monotonic()
    result = tune(TINY, X, Y, timeout=0.5, space=LR, refit=False, **QUIET)
    assert time.monotonic() - started < 60
    assert len(result.study_.trials) >= 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "n_trials and timeout are None, but expected"),
        ({"n_trials": 1, "space": {"lrr": LR["lr"]}}, "lrr"),
    ],
)
def test_bad_settings(given, message):
    with pytest.raises(ValueError, match=message):
        tune(TINY, X, Y, **given, **QUIET)


def test_an_error_in_training_is_raised_and_the_trial_marked(tmp_path):
    storage = tmp_path / "j"
    space = {"lr": optuna.distributions.CategoricalDistribution([1e-3])}

    def broken(estimator, X, y):
        raise RuntimeError("no such luck")

    with pytest.raises(RuntimeError, match="no such luck"):
        tune(TINY, X, Y, n_trials=1, space=space, storage=storage, progress=False, scoring=broken)
    study = optuna.load_study(study_name=None, storage=open_storage(storage))
    assert [t.state for t in study.trials] == [TrialState.FAIL]
