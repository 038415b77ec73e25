"""Pruning: bad trials stop early, good ones never know of it."""

import copy
import pickle

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from search_cases import QUIET, TINY, PruneAt, X, Y, chain, new_trial
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline

from sk_dcedenoise.metrics import neg_curve_rmse_scorer
from sk_dcedenoise.search import PruningCallback, tune
from sk_dcedenoise.search._pruner import NarrowingPruner
from sk_dcedenoise.search._sampler import NearTheBest

pytestmark = pytest.mark.usefixtures("quiet_optuna")


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
        # After a quarter, four in five may go on; half-way, three; at the end, one.
        ([[0.0] * 4] * 4, [-1.0] * 4, 4),  # among the first five
        ([[0.0] * 4] * 5, [-1.0] * 4, 0),  # the last of six
        ([[0.0] * 4] * 5, [0.0] * 4, 4),
        ([[1.0] * 4] + [[0.0] * 4] * 6, [0.5] * 4, 4),  # second of eight
        ([[1.0] * 4] * 2 + [[0.0] * 4] * 5, [0.5] * 4, 3),  # third of eight
        ([[1.0] * 4] * 4 + [[0.0] * 4] * 3, [0.5] * 4, 2),  # fifth of eight
        ([[1.0] * 4] * 5 + [[0.0] * 4] * 2, [0.5] * 4, 1),  # sixth of eight
        ([[1.0] * 4] * 7, [0.5] * 4, 0),
        # Stopped ones are worse, whatever they were.
        ([[1.0] * 2] * 3 + [[0.0] * 4] * 4, [0.0, 0.0, 0.5, 0.5], 4),
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


def test_pruning_leaves_what_is_tried_alone_while_the_best_goes_on():
    # Reports are final scores, so that the best is never stopped.
    def found(pruner):
        space = {"x": optuna.distributions.FloatDistribution(-1, 1)}
        sampler = NearTheBest(0, space)
        study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)

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
