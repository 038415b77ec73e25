"""Which trials to stop during their first training."""

import math

import optuna
from optuna.trial import TrialState


class NarrowingPruner(optuna.pruners.BasePruner):
    """Stop a trial that is not among the best of all, of whom fewer and fewer may go on.

    The share that may go on falls evenly from all at the start of a trial's first training to
    `share` at its end. Afterwards nothing is stopped.
    Trials that were stopped before count as worse: Optuna's percentile pruner compares with those
    alone that were scored, which are the better ones, and ever more so, until it stops what would
    have become the best.

    Parameters
    ----------
    n_steps : int
        Reports of a training.
    share : float, default=0.2
        Share of the trials that may go on to a second training.
    n_startup_trials : int, default=5
        So many go on in any case.
    """

    def __init__(self, n_steps, share=0.2, n_startup_trials=5):
        self.n_steps, self.share = n_steps, share
        self.n_startup_trials = n_startup_trials

    def prune(self, study, trial):
        """Judge a running trial of a study that maximises."""
        step = trial.last_step
        if step is None or step >= self.n_steps:
            return False
        value = trial.intermediate_values[step]
        others = [
            other.intermediate_values.get(step, -math.inf)
            for other in study.get_trials(deepcopy=False)
            if other.number != trial.number and _says_something(other, step)
        ]
        if len(others) < self.n_startup_trials:
            return False
        if math.isnan(value):
            return True
        may_go_on = 1 - (1 - self.share) * (step + 1) / self.n_steps
        return sum(other > value for other in others) >= may_go_on * (len(others) + 1)


def _says_something(trial, step):
    """Whether a trial has come as far as a step, or was stopped before."""
    return trial.state == TrialState.PRUNED or (
        trial.state != TrialState.FAIL and step in trial.intermediate_values
    )
