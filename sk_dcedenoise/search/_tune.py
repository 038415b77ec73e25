"""The search itself: trials of cross-validated estimators, shared between processes."""

import math
import time

import numpy as np
import optuna
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, check_cv, cross_validate
from tqdm.auto import tqdm

from sk_dcedenoise.metrics import neg_curve_rmse_scorer
from sk_dcedenoise.search._lease import Watch, at_work
from sk_dcedenoise.search._pruner import NarrowingPruner
from sk_dcedenoise.search._pruning import MARKS, PruningCallback
from sk_dcedenoise.search._sampler import NearTheBest
from sk_dcedenoise.search._space import find_denoisers, search_space
from sk_dcedenoise.search._study import describe, open_study

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_WAIT = 0.2  # seconds between looks at the other processes
_DIVERGED = "training loss became"  # what a network says whose weights have run away


class TuneResult:
    """What a search has found.

    Attributes
    ----------
    study_ : optuna.study.Study
        All trials, also those of other processes and earlier runs.
    best_params_ : dict
        Parameters of the best trial.
    best_score_ : float
        Its mean score over the folds.
    best_estimator_ : estimator or None
        Fitted to all curves with these parameters, unless ``refit=False``.
    n_epochs_ : int
        Epochs that the finished trials have trained, all folds together.
    """

    def __init__(self, study, best_estimator):
        self.study_ = study
        self.best_params_ = study.best_params
        self.best_score_ = study.best_value
        self.best_estimator_ = best_estimator
        finished = study.get_trials(deepcopy=False, states=FINISHED)
        self.n_epochs_ = sum(trial.user_attrs.get("epochs", 0) for trial in finished)

    def __repr__(self):
        return f"TuneResult(best_score_={self.best_score_:.4g}, best_params_={self.best_params_})"


def tune(
    estimator,
    X,
    y,
    *,
    n_trials=None,
    timeout=None,
    space=None,
    cv=3,
    scoring=None,
    storage="tune.journal",
    study_name=None,
    pruner=None,
    sampler=None,
    random_state=None,
    refit=True,
    progress=True,
    groups=None,
):
    """Search for the parameters with the best cross-validated score, and fit with them.

    The study is kept in a file, ``tune.journal`` in the working directory unless `storage` says
    otherwise. The same call resumes it, after the end, an interrupt or a kill; several processes
    that make the same call share it. A network's bad trials are stopped during training.

    Parameters
    ----------
    estimator : denoiser or Pipeline
        What to tune; it stays as it is.
    X : array-like of shape (n_curves, n_times)
        Noisy curves.
    y : array-like of shape (n_curves, n_times)
        Clean curves.
    n_trials : int, default=None
        Number of finished trials that the study shall have in the end, over all processes and
        earlier runs. Finished means scored or pruned.
    timeout : float, default=None
        Seconds after which this call begins no further trial. At least one of `n_trials` and
        `timeout` is needed.
    space : dict of str to optuna.distributions.BaseDistribution, default=None
        Ranges by parameter name; None means ``search_space(estimator)``.
    cv : int, splitter or iterable, default=3
        Folds, as scikit-learn takes them; an int means consecutive blocks of curves, or whole
        groups if `groups` are given.
    scoring : str or callable, default=None
        Scorer, greater is better; None means
        :func:`~sk_dcedenoise.metrics.neg_curve_rmse_scorer`, in mM.
    storage : path, str, optuna.storages.BaseStorage or None, default="tune.journal"
        File of the journal; or the URL of a data base, such as "postgresql://..."; or a storage of
        Optuna's; or None to keep the study in memory only.
    study_name : str, default=None
        Name within the storage; None means the names of the estimator's classes.
    pruner : optuna.pruners.BasePruner, default=None
        None stops trials during their first training, so that half-way the best three in five go
        on, and at its end the best fifth; ``optuna.pruners.NopPruner()`` stops nothing.
    sampler : optuna.samplers.BaseSampler, default=None
        None tries the estimator's own parameters first, as far as the ranges hold them, then by
        turns points all over the ranges and points near the best of these. Any of Optuna's will do.
    random_state : int, RandomState instance or None, default=None
        Seed of the default sampler. Seed the training by the estimator's own `random_state`.
    refit : bool, default=True
        Whether to fit the best parameters to all curves at the end.
    progress : bool, default=True
        Whether to show a bar of finished trials.
    groups : array-like of shape (n_curves,), default=None
        Group of each curve, such as its patient, for splitters that keep groups together.

    Returns
    -------
    result : TuneResult
        With ``study_``, ``best_params_``, ``best_score_``, ``best_estimator_`` and ``n_epochs_``.

    Raises
    ------
    ValueError
        If neither `n_trials` nor `timeout` is given, if the study in the storage was made with
        other data, parameters, ranges, folds or scoring, or if no trial gave a score.

    Notes
    -----
    **Processes.** Start as many as there are cores or accelerators, on any machines that see the
    storage, each with ``OMP_NUM_THREADS=1``. A trial whose process has died is marked as failed and
    another is run in its place. On the machine of the dead process this happens at once, elsewhere
    after two minutes without a sign of life. A call returns when the study is complete, so it waits
    for the last trials of the others; with ``refit=False`` in all but one, only one fits at the
    end.

    **Pruning.** Trials are compared by the validation error at equal shares of the training budget,
    see :class:`PruningCallback`; the first five are trained in full. That error is the
    network's own: search with ``guard=None``, or scores are of something else, and set the guard
    of the best estimator afterwards, which `fit` has learned all the same. The default sampler
    tries mostly the same parameters as it would without pruning.

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserVanillaNL
    >>> from sk_dcedenoise.search import tune
    >>> X, y = make_dce_curves(60, random_state=0)
    >>> denoiser = DenoiserVanillaNL(max_epochs=1, random_state=0)
    >>> result = tune(denoiser, X, y, n_trials=2, storage=None, random_state=0, progress=False)
    >>> sorted(result.best_params_)
    ['kernel_size', 'lr', 'width']
    >>> result.best_estimator_.transform(X).shape
    (60, 32)
    """
    if n_trials is None and timeout is None:
        raise ValueError(
            "n_trials and timeout are None, but expected a number of trials, of seconds, or both: "
            "say when the search shall end."
        )
    space = search_space(estimator) if space is None else dict(space)
    scoring = neg_curve_rmse_scorer if scoring is None else scoring
    splits = _splits(cv, X, y, groups)
    study = open_study(
        estimator,
        space,
        storage=storage,
        study_name=study_name,
        pruner=NarrowingPruner(MARKS) if pruner is None else pruner,
        sampler=NearTheBest(_seed(random_state), space, estimator.get_params())
        if sampler is None
        else sampler,
        particulars=describe(estimator, space, data=(X, y), splits=splits, scoring=scoring),
    )

    def score(trial):
        candidate = clone(estimator).set_params(**trial.params)
        pruning = _add_pruning(candidate, trial)
        try:
            scores = cross_validate(
                candidate, X, y, cv=splits, scoring=scoring, error_score="raise"
            )["test_score"]
        except ValueError as error:
            # Such a network has no score, which says enough about its parameters.
            if _DIVERGED not in str(error):
                raise
            return math.nan
        finally:
            trial.set_user_attr("epochs", pruning.n_epochs_)
        return float(np.mean(scores))

    _run(study, space, score, n_trials, timeout, progress)
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        raise ValueError(
            f"study {study.study_name!r} has no trial with a finite score, but expected one: raise "
            "n_trials or timeout, or narrow the ranges in space."
        )
    best = clone(estimator).set_params(**study.best_params).fit(X, y) if refit else None
    return TuneResult(study, best)


def _splits(cv, X, y, groups):
    # scikit-learn would leave groups aside with an int, and so let them leak between folds.
    cv = GroupKFold(cv) if groups is not None and isinstance(cv, int) else check_cv(cv, y)
    return list(cv.split(X, y, groups))


def _seed(random_state):
    if random_state is None:
        random_state = np.random.RandomState()
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    return random_state


def _add_pruning(candidate, trial):
    """Hang one callback into each network, unless nothing shall be pruned."""
    pruning = PruningCallback(trial)
    for prefix, denoiser in find_denoisers(candidate):
        callbacks = [*(denoiser.callbacks or []), ("pruning", pruning)]
        candidate.set_params(**{f"{prefix}callbacks": callbacks})
    return pruning


# ---- the loop of one process -----------------------------------------------------------------


def _run(study, space, score, n_trials, timeout, progress):
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    target = math.inf if n_trials is None else n_trials
    watch = Watch(study)
    with tqdm(total=n_trials, unit="trial", desc=study.study_name, disable=not progress) as bar:
        while time.monotonic() < deadline:
            watch.give_up_dead()
            finished, running = _count(study)
            _show(bar, study, finished)
            if finished >= target:
                break
            if finished + running >= target:
                time.sleep(_WAIT)
                continue
            _run_trial(study, space, score, target)
        _show(bar, study, _count(study)[0])


def _run_trial(study, space, score, target):
    trial = study.ask(space)
    with at_work(trial):
        try:
            # Two processes may have taken the last place at the same time: it belongs to the trial
            # with the lower number.
            if sum(_count(study, below=trial.number)) >= target:
                study.tell(trial, state=TrialState.FAIL)
                return
            try:
                value = score(trial)
            except optuna.TrialPruned:
                value = math.nan
            if math.isfinite(value):
                study.tell(trial, value)
            else:
                study.tell(trial, state=TrialState.PRUNED)
        except optuna.exceptions.UpdateFinishedTrialError:
            # Another process took this one for dead: the trial is not this process's any more.
            return
        except BaseException:
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise


def _count(study, below=math.inf):
    """Number of finished and of running trials."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.number < below]
    finished = sum(t.state in FINISHED for t in trials)
    return finished, sum(t.state == TrialState.RUNNING for t in trials)


def _show(bar, study, finished):
    bar.n = finished
    if finished and not bar.disable:
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if complete:
            bar.set_postfix(best=f"{study.best_value:.4g}", refresh=False)
    bar.refresh()
