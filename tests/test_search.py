"""Searches: scikit-learn's and Optuna's, pruning, and studies that survive a kill."""

import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from sklearn.base import BaseEstimator, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline

from sk_dcedenoise import denoisers
from sk_dcedenoise.baselines import PCADenoiser
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import (
    DenoiserCNN,
    DenoiserDRNN,
    DenoiserEncoderDecoder,
    DenoiserFCNDAE,
    DenoiserLSTM,
    DenoiserResCNN,
    DenoiserVanillaNL,
)
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.metrics import neg_curve_rmse_scorer
from sk_dcedenoise.preprocessing import CurveScaler
from sk_dcedenoise.search import PruningCallback, search_space, tune
from sk_dcedenoise.search import _lease as lease
from sk_dcedenoise.search import _process as process
from sk_dcedenoise.search import _tune as tuning
from sk_dcedenoise.search._journal import JournalLock, open_storage
from sk_dcedenoise.search._process import has_died, signature
from sk_dcedenoise.search._pruner import NarrowingPruner
from sk_dcedenoise.search._study import TPEByTrial

TIME = 3.75 * np.arange(32)
X, Y = make_dce_curves(60, random_state=0)
FAST = {"max_epochs": 2, "device": "cpu", "random_state": 0}
SMALL = [
    DenoiserDRNN(hidden_size=8, **FAST),
    DenoiserLSTM(hidden_size=8, **FAST),
    DenoiserCNN(n_filters=8, kernel_size=5, **FAST),
    DenoiserFCNDAE(kernel_size=5, **FAST),
    DenoiserEncoderDecoder(width=0.125, kernel_size=5, **FAST),
    DenoiserVanillaNL(width=0.25, kernel_size=5, **FAST),
    DenoiserResCNN(channels=8, middle_channels=4, n_blocks=1, **FAST),
]
TINY = DenoiserVanillaNL(width=0.1, kernel_size=3, **FAST)
LR = {"lr": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)}
QUIET = {"progress": False, "storage": None}
ENV = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def name_of(estimator):
    return type(estimator).__name__


def chain(denoiser):
    # Without the guard, which makes up for networks that have hardly learned.
    unguarded = clone(denoiser).set_params(guard=None)
    return make_pipeline(CurveScaler(), unguarded, ToftsTransformer(TIME))


@pytest.fixture(autouse=True, scope="module")
def quiet_optuna():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


# ---- scikit-learn's searches -----------------------------------------------------------------


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


# ---- pruning ---------------------------------------------------------------------------------


class PruneAt(optuna.pruners.BasePruner):
    """Prune every trial at one step."""

    def __init__(self, step):
        self.step = step

    def prune(self, study, trial):
        return trial.last_step >= self.step


def new_trial(pruner=None):
    return optuna.create_study(direction="maximize", pruner=pruner).ask()


def reports(trial):
    return trial.study.trials[trial.number].intermediate_values


@pytest.mark.parametrize("copied", [clone, copy.copy, copy.deepcopy])
def test_copies_share_the_trial(copied):
    callback = PruningCallback(new_trial(PruneAt(0)))
    denoiser = copied(clone(TINY).set_params(callbacks=[("pruning", callback)]))
    with pytest.raises(optuna.TrialPruned, match="after 1 epochs"):
        denoiser.fit(X, Y)
    assert list(reports(callback.trial)) == list(range(10))


@pytest.mark.parametrize("estimator", [TINY, chain(TINY)], ids=["bare", "pipeline"])
def test_prunes_inside_the_second_fold(estimator):
    callback = PruningCallback(new_trial(PruneAt(25)))
    prefix = "denoiservanillanl__" if isinstance(estimator, Pipeline) else ""
    candidate = clone(estimator).set_params(**{f"{prefix}callbacks": [("pruning", callback)]})
    with pytest.raises(optuna.TrialPruned, match="after 3 epochs"):
        cross_val_score(candidate, X, Y, cv=3, scoring=neg_curve_rmse_scorer, error_score="raise")
    assert list(reports(callback.trial)) == list(range(30))


def test_reports_the_validation_error_in_mm():
    callback = PruningCallback(new_trial(PruneAt(99)))
    denoiser = clone(TINY).set_params(callbacks=[("pruning", callback)], max_epochs=3).fit(X, Y)
    losses = denoiser.history[:, "valid_loss"]  # mean squared error of y / scale_
    expected = -denoiser.scale_ * np.sqrt(losses)
    found = reports(callback.trial)
    np.testing.assert_allclose([found[5], found[12], found[19]], expected, rtol=1e-5)
    assert callback.n_epochs_ == 3


def test_looking_at_a_trial_does_not_change_its_training():
    callback = PruningCallback(new_trial(PruneAt(99)))
    watched = clone(TINY).set_params(callbacks=[callback], max_epochs=3).fit(X, Y)
    alone = clone(TINY).set_params(max_epochs=3).fit(X, Y)
    np.testing.assert_array_equal(watched.transform(X), alone.transform(X))


@pytest.mark.parametrize("max_epochs", [1, 7, 20, 33])
def test_reports_at_equal_shares_of_any_number_of_epochs(max_epochs):
    callback = PruningCallback(new_trial(PruneAt(99)))
    denoiser = clone(TINY).set_params(callbacks=[callback], max_epochs=max_epochs)
    cross_val_score(denoiser, X[:30], Y[:30], cv=2, error_score="raise")
    assert list(reports(callback.trial)) == list(range(40))


def test_pickled_callback_leaves_its_trial():
    denoiser = clone(TINY).set_params(callbacks=[PruningCallback(new_trial(PruneAt(0)))])
    pickle.loads(pickle.dumps(denoiser)).fit(X, Y)


def test_pruning_needs_validation_curves():
    denoiser = clone(TINY).set_params(validation_fraction=0)
    with pytest.raises(ValueError, match="validation_fraction=0 of DenoiserVanillaNL leaves no"):
        tune(denoiser, X, Y, n_trials=1, **QUIET)
    tune(denoiser, X, Y, n_trials=1, pruner=optuna.pruners.NopPruner(), refit=False, **QUIET)


def study_of(reports):
    """A study of stopped trials, each with its reports."""
    study = optuna.create_study(direction="maximize")
    for values in reports:
        found = dict(enumerate(values))
        state = TrialState.PRUNED
        study.add_trial(optuna.trial.create_trial(state=state, intermediate_values=found))
    return study


@pytest.mark.parametrize(
    ("others", "values", "stopped"),
    [
        # At the end, one in four may go on; half-way, five in eight.
        ([[0.0] * 4] * 4, [-1.0] * 4, 4),  # among the first five
        ([[0.0] * 4] * 5, [-1.0] * 4, 0),  # the last of six
        ([[0.0] * 4] * 5, [0.0] * 4, 4),
        ([[1.0] * 4] + [[0.0] * 4] * 6, [0.5] * 4, 4),  # second of eight
        ([[1.0] * 4] * 2 + [[0.0] * 4] * 5, [0.5] * 4, 3),  # third of eight
        ([[1.0] * 4] * 6 + [[0.0] * 4], [0.5] * 4, 1),  # seventh of eight
        # Stopped ones are worse, whatever they were.
        ([[1.0] * 2] * 4 + [[0.0] * 4] * 3, [0.0, 0.0, 0.5, 0.5], 4),
        ([[0.0] * 4] * 5, [0.0, np.nan, 0.0, 0.0], 1),
    ],
)
def test_fewer_and_fewer_trials_go_on(others, values, stopped):
    study, pruner = study_of(others), NarrowingPruner(4)
    for _ in range(20):  # trials that failed say nothing of their parameters
        failed = study.ask()
        failed.report(2.0, 0)
        study.tell(failed, state=TrialState.FAIL)
    trial = study.ask()
    assert not pruner.prune(study, study.trials[-1])
    for step, value in enumerate(values):
        trial.report(value, step)
        if pruner.prune(study, study.trials[-1]):
            break
    else:
        step = 4
        trial.report(-9.0, step)  # the next training
        assert not pruner.prune(study, study.trials[-1])
    assert step == stopped


def test_pruning_leaves_what_is_tried_alone_while_the_best_tenth_goes_on():
    # Reports are final scores, so that the best are never stopped.
    def found(pruner):
        study = optuna.create_study(direction="maximize", sampler=TPEByTrial(0), pruner=pruner)

        def score(trial):
            value = -((trial.suggest_float("x", -1, 1) - 0.3) ** 2)
            for step in range(4):
                trial.report(value, step)
                if trial.should_prune():
                    raise optuna.TrialPruned
            return value

        study.optimize(score, n_trials=40)
        return study

    pruned, whole = found(NarrowingPruner(4)), found(optuna.pruners.NopPruner())
    assert [t.params for t in pruned.trials] == [t.params for t in whole.trials]
    assert pruned.best_value == whole.best_value
    assert sum(t.state == TrialState.PRUNED for t in pruned.trials) > 10


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


# ---- resuming and sharing --------------------------------------------------------------------


def test_resumed_study_goes_on_as_an_unbroken_one(tmp_path):
    settings = {"space": LR, "random_state": 3, "cv": 2, "refit": False, "progress": False}
    for n_trials in (2, 5, 5):
        broken = tune(TINY, X, Y, n_trials=n_trials, storage=tmp_path / "a", **settings)
    unbroken = tune(TINY, X, Y, n_trials=5, storage=tmp_path / "b", **settings)
    assert [t.params for t in broken.study_.trials] == [t.params for t in unbroken.study_.trials]
    assert broken.best_score_ == unbroken.best_score_
    assert len({t.params["lr"] for t in broken.study_.trials}) == 5


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"X": X + 1e-9}, "data"),
        ({"estimator": clone(TINY).set_params(kernel_size=5)}, "estimator"),
        ({"space": {"lr": optuna.distributions.FloatDistribution(1e-4, 1e-3)}}, "space"),
        ({"cv": 2}, "cv"),
        ({"scoring": "neg_mean_squared_error"}, "scoring"),
    ],
)
def test_a_study_of_something_else_is_not_resumed(change, what, tmp_path):
    same = {"estimator": TINY, "X": X, "y": Y, "n_trials": 1, "space": LR, "refit": False,
            "storage": tmp_path / "j", "progress": False}  # fmt: skip
    tune(**same)
    tune(**same | {"estimator": clone(TINY).set_params(verbose=0, device="auto")})
    with pytest.raises(ValueError, match=f"was made with another {what}"):
        tune(**same | change)
    tune(**same | change | {"study_name": "another"})


def test_a_torn_last_line_is_mended(tmp_path):
    path = tmp_path / "j"
    settings = {"space": LR, "storage": path, "progress": False, "refit": False}
    tune(TINY, X, Y, n_trials=2, **settings)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"worker_id":"torn-in-mid-wri')
    result = tune(TINY, X, Y, n_trials=3, **settings)
    assert [t.state for t in result.study_.trials] == [TrialState.COMPLETE] * 3
    assert path.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_trials_of_the_dead_are_given_up_and_of_the_living_are_not(tmp_path, monkeypatch):
    settings = {"space": LR, "storage": tmp_path / "j", "progress": False, "refit": False}
    study = tune(TINY, X, Y, n_trials=1, **settings).study_
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    place = signature().rsplit(" ", 2)[0]
    for worker in (f"{place} {child.pid} 123", signature(), f"elsewhere {child.pid} 123"):
        study.ask(LR).set_user_attr("worker", worker)
    watch = lease.Watch(study)
    watch.give_up_dead()
    running, failed = TrialState.RUNNING, TrialState.FAIL
    assert [t.state for t in study.trials[1:]] == [failed, running, running]
    monkeypatch.setattr(lease, "SILENCE", 0.05)
    watch.give_up_dead()
    time.sleep(0.1)
    optuna.trial.Trial(study, study.trials[2]._trial_id).set_user_attr("beat", 1)
    watch.give_up_dead()
    assert [t.state for t in study.trials[1:]] == [failed, running, failed]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="only Linux tells of processes")
def test_a_killed_process_is_seen_to_be_dead():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    signed = f"{signature().rsplit(' ', 2)[0]} {child.pid} {process._start(child.pid)}"
    try:
        assert not has_died(signed)
    finally:
        child.kill()
    wait_for(lambda: has_died(signed))  # also before it has been waited for
    child.wait()
    assert has_died(signed)
    assert not has_died(signature())
    assert not has_died("elsewhere 1 123")


def test_the_lock_of_a_dead_process_does_not_last(tmp_path):
    path = str(tmp_path / "j")
    Path(path).touch()
    place = signature().rsplit(" ", 2)[0]
    os.symlink(f"{place} 1 123 0123", path + ".lock")  # process 1 began at another time
    started = time.monotonic()
    lock = JournalLock(path)
    assert lock.acquire()
    assert time.monotonic() - started < 20
    assert os.readlink(path + ".lock").startswith(signature())
    lock.release()
    assert os.listdir(tmp_path) == ["j"]


def test_the_lock_of_another_machine_is_waited_for(tmp_path, monkeypatch):
    path = str(tmp_path / "j")
    Path(path).touch()
    os.symlink("elsewhere 1 123 0123", path + ".lock")
    monkeypatch.setattr("sk_dcedenoise.search._journal._GRACE", 0.3)
    started = time.monotonic()
    lock = JournalLock(path)
    lock.acquire()
    assert time.monotonic() - started > 0.3
    os.unlink(path + ".lock")
    os.symlink("another 1 123 0123", path + ".lock")
    lock.release()  # what others took in the meantime is theirs
    assert os.readlink(path + ".lock") == "another 1 123 0123"


def test_beats_while_at_work(monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.01)
    trial = new_trial()
    with lease.at_work(trial):
        deadline = time.monotonic() + 30
        while trial.study.trials[0].user_attrs.get("beat", 0) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert trial.study.trials[0].user_attrs["worker"] == signature()


class GivenUp(BaseEstimator):
    """Has its trial failed by another process while it trains."""

    def __init__(self, path=None, x=0.0):
        self.path, self.x = path, x

    def fit(self, X, y):
        study = optuna.load_study(study_name=None, storage=open_storage(self.path))
        if len(study.trials) == 1:
            study.tell(0, state=TrialState.FAIL)
        return self

    def score(self, X, y):
        return self.x


def test_a_trial_given_up_by_others_counts_for_nothing(tmp_path):
    path = tmp_path / "j"
    path.touch()
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    result = tune(
        GivenUp(str(path)), X, Y, n_trials=2, space=space, storage=path, progress=False,
        scoring=lambda estimator, X, y: estimator.x,
    )  # fmt: skip
    states = [t.state for t in result.study_.trials]
    assert states == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]


def test_the_last_place_goes_to_the_lower_number():
    study = optuna.create_study(direction="maximize")
    first = study.ask(LR)
    tuning._run_trial(study, LR, lambda trial: 1.0, target=1)
    assert [t.state for t in study.trials] == [TrialState.RUNNING, TrialState.FAIL]
    study.tell(first, 1.0)


WORKER = """
import sys, time
from pathlib import Path
import numpy as np
import optuna
from sklearn.base import BaseEstimator
from sk_dcedenoise.search import tune

class Slow(BaseEstimator):
    def __init__(self, x=0.0, folder=""):
        self.x, self.folder = x, folder

    def fit(self, X, y):
        (Path(self.folder) / f"{self.x!r}").touch()
        while (Path(self.folder) / "hang").exists():
            time.sleep(0.01)
        return self

def score(estimator, X, y):
    return estimator.x

folder, role = sys.argv[1:]
optuna.logging.set_verbosity(optuna.logging.WARNING)
X = np.zeros((4, 2))
result = tune(
    Slow(folder=folder), X, X, n_trials=40, cv=2, scoring=score, random_state=0, progress=False,
    space={"x": optuna.distributions.FloatDistribution(0, 1)}, storage=folder + "/j", refit=False,
)
print(role, "done", result.best_score_)
"""


def start(folder, role):
    script = Path(folder) / "worker.py"
    script.write_text(WORKER)
    command = [sys.executable, str(script), str(folder), role]
    return subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE)


def test_killed_in_mid_trial_and_resumed(tmp_path):
    """Two processes share a study, one is killed at work, a third resumes: 40 trials, each once."""
    hang = tmp_path / "hang"
    hang.touch()
    workers = [start(tmp_path, "first"), start(tmp_path, "second")]
    try:
        wait_for(lambda: len(list(tmp_path.glob("0.*"))) == 2)  # both are in mid-trial
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait()
        hang.unlink()
        wait_for(lambda: len(list(tmp_path.glob("0.*"))) >= 10)
        hang.touch()
        time.sleep(0.5)
        workers[1].send_signal(signal.SIGKILL)
        workers[1].wait()
        before = optuna.load_study(study_name=None, storage=open_storage(tmp_path / "j")).trials
        hang.unlink()
        workers += [start(tmp_path, "third"), start(tmp_path, "fourth")]
        outputs = [worker.communicate(timeout=300)[0].decode() for worker in workers[2:]]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.stdout.close()
    trials = optuna.load_study(study_name=None, storage=open_storage(tmp_path / "j")).trials
    finished = [t for t in trials if t.state in tuning.FINISHED]
    assert len(finished) == 40
    assert len({t.params["x"] for t in finished}) == 40
    assert {t.state for t in trials} <= {TrialState.COMPLETE, TrialState.FAIL}
    lost = [t for t in before if t.state == TrialState.RUNNING]
    assert 1 <= len(lost) <= 2
    for t in before:
        expected = TrialState.FAIL if t.state == TrialState.RUNNING else t.state
        assert (trials[t.number].state, trials[t.number].value) == (expected, t.value)
    best = max(t.value for t in finished)
    assert outputs == [f"third done {best}\n", f"fourth done {best}\n"]


def wait_for(condition, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
