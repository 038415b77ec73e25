"""Which trials to stop half-way through their first training."""

import math

import optuna
from optuna.trial import TrialState


class BestShareHalfWay(optuna.pruners.BasePruner):
    """Stop a trial that is not among the best of all that have come as far, stopped ones included.

    Optuna's percentile pruner compares with trials that were scored. These are the better ones, and
    ever more so, until it stops those that would have become the best. The tree-structured Parzen
    estimator learns from the best tenth of all trials and the rest, whatever the scores of the
    rest: while none of that tenth is stopped, a study tries the same parameters with this pruner
    and without any.

    Parameters
    ----------
    step : int
        Step whose reports are compared.
    share : float, default=0.25
        Share of the trials that may go on.
    n_startup_trials : int, default=5
        So many go on in any case.
    """

    def __init__(self, step, share=0.25, n_startup_trials=5):
        self.step = step
        self.share, self.n_startup_trials = share, n_startup_trials

    def prune(self, study, trial):
        """Judge a running trial of a study that maximises."""
        if self.step not in trial.intermediate_values:
            return False
        others = [
            other.intermediate_values[self.step]
            for other in study.get_trials(deepcopy=False)
            if other.number != trial.number
            and other.state != TrialState.FAIL
            and self.step in other.intermediate_values
        ]
        value = trial.intermediate_values[self.step]
        if len(others) < self.n_startup_trials:
            return False
        if math.isnan(value):
            return True
        return sum(other > value for other in others) >= self.share * (len(others) + 1)
