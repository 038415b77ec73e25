"""Stopping a hopeless trial in mid-training, inside cross-validation."""

import math

import optuna
from skorch.callbacks import Callback

# Reports of one training. Training is compared at equal shares of its budget, not at equal epochs:
# the learning rate follows the budget, and batch sizes may differ from trial to trial.
MARKS = 20


class PruningCallback(Callback):
    """Report the validation error to a trial during training, and stop it where that is hopeless.

    Twenty times in a training, at equal shares of its budget, the root mean squared error of the
    validation curves is reported. The trainings of a cross-validation count on from each other, so
    each report has a step of its own. A study that prunes nothing (``NopPruner``) gets no reports.

    Parameters
    ----------
    trial : optuna.trial.Trial
        The trial, of a study that maximises.

    Attributes
    ----------
    n_epochs_ : int
        Epochs run so far, over all trainings.

    Raises
    ------
    optuna.TrialPruned
        During training. :func:`~sklearn.model_selection.cross_validate` hands it on only with
        ``error_score="raise"``.
    ValueError
        If a network trains without validation curves.

    Notes
    -----
    Copies of any kind, :func:`sklearn.base.clone` included, are the object itself: one trial has
    one record, however often its estimator is copied on the way through a cross-validation. A
    pickled callback leaves its trial behind and no longer does anything, so that a study runs in
    several processes by calling :func:`tune` in each of them, not by ``n_jobs``.

    Examples
    --------
    >>> import optuna
    >>> from sklearn.model_selection import cross_val_score
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserVanillaNL
    >>> from sk_dcedenoise.search import PruningCallback
    >>> X, y = make_dce_curves(90, random_state=0)
    >>> trial = optuna.create_study(direction="maximize").ask()
    >>> denoiser = DenoiserVanillaNL(max_epochs=2, callbacks=[("pruning", PruningCallback(trial))])
    >>> scores = cross_val_score(denoiser, X, y, cv=3, error_score="raise")
    >>> len(trial.study.trials[0].intermediate_values)
    60
    """

    def __init__(self, trial):
        self.trial = trial
        self.n_epochs_ = 0
        self._n_trainings = 0
        self._marks_passed = 0

    def on_train_begin(self, net, **kwargs):
        self._n_trainings += 1
        self._marks_passed = 0

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        self.n_epochs_ += 1
        if self.trial is None or isinstance(self.trial.study.pruner, optuna.pruners.NopPruner):
            return
        if dataset_valid is None:
            raise ValueError(
                f"validation_fraction={net.validation_fraction!r} of {type(net).__name__} leaves "
                "no curves to judge a trial by, but pruning needs some: raise it, or prune nothing "
                "with pruner=optuna.pruners.NopPruner()."
            )
        steps = self._new_steps(net.budget_.progress)
        error = _error(net, dataset_valid) if steps else 0.0
        for step in steps:
            self.trial.report(-error, step)
        if not math.isfinite(error) or (steps and self.trial.should_prune()):
            raise optuna.TrialPruned(f"after {self.n_epochs_} epochs")

    def _new_steps(self, progress):
        """Steps of the marks that training has passed since the last call."""
        before, self._marks_passed = self._marks_passed, math.floor(MARKS * progress + 1e-9)
        first = (self._n_trainings - 1) * MARKS
        return range(first + before, first + self._marks_passed)

    def __sklearn_clone__(self):
        return self

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __getstate__(self):
        return vars(self) | {"trial": None}


def _error(net, pairs):
    """Root mean squared error in mM, which is comparable whatever the loss and the scale."""
    squared, n_values = 0.0, 0
    predictions = net.forward_iter(pairs, device=net.device_)
    for (_, target), prediction in zip(net.get_iterator(pairs), predictions, strict=True):
        squared = squared + (prediction - target).square().sum()
        n_values += target.numel()
    return net.scale_ * math.sqrt(float(squared) / n_values)
