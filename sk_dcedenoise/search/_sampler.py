"""What the next trial of a study tries."""

import math
from numbers import Real

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState
from scipy.stats import qmc

# Standard deviation of the steps away from the best trial, in widths of the ranges.
_STEP = 0.1


class NearTheBest(optuna.samplers.BaseSampler):
    """Try points all over the ranges and points near the best of these, by turns.

    The first trial has the parameters of `first`. Every second one is a normally distributed step
    away from the best so far of the others, at the borders reflected; the others are the points of
    a scrambled Halton sequence.

    All that a trial learns from those before is which of the points all over was the best. As long
    as that one is not stopped, a study that is pruned tries what it would have tried unpruned, and
    where it is, only the points near it are others. Optuna's tree-structured Parzen estimator
    learns from the best tenth; some of them are stopped, and from there on the study is another
    one, for better or worse. And all that is random depends on the number of the trial: with one
    stream per process, a resumed run and a second process with the same seed would begin by trying
    what the first has tried.

    Parameters
    ----------
    seed : int
        The seed.
    space : dict of str to optuna.distributions.BaseDistribution
        The ranges.
    first : dict of str to object, default=None
        Parameters of the first trial, or of the next one should it fail. One that its range does
        not hold is drawn.
    """

    def __init__(self, seed, space, first=None):
        self.seed, self.space, self.first = seed, dict(space), first or {}

    def infer_relative_search_space(self, study, trial):
        return self.space

    def sample_relative(self, study, trial, search_space):
        earlier = study.get_trials(deepcopy=False)[: trial.number]
        places = zip(self.space.items(), self._point(earlier, trial.number).tolist(), strict=True)
        params = {name: _value(distribution, place) for (name, distribution), place in places}
        # Not by a queue of the study: two processes that begin it at once would both fill it.
        if all(other.state == TrialState.FAIL for other in earlier):
            own = {name: self.first.get(name) for name in params}
            params |= {name: v for name, v in own.items() if _holds(self.space[name], v)}
        return params

    def sample_independent(self, study, trial, param_name, param_distribution):
        return _value(param_distribution, self._rng(trial.number).random())

    def _point(self, earlier, number):
        """Where in the unit cube of all ranges."""
        n_params, (turn, is_near) = len(self.space), divmod(number, 2)
        if not is_near:
            return qmc.Halton(n_params, seed=self.seed).fast_forward(turn).random(1)[0]
        best = max(_complete(earlier[::2]), key=lambda trial: trial.value, default=None)
        if best is None:
            return self._rng(number).random(n_params)
        centre = np.array([_place(d, best.params[name]) for name, d in self.space.items()])
        point = centre + self._rng(number).normal(0.0, _STEP, n_params)
        return 1 - np.abs(1 - np.abs(point))

    def _rng(self, number):
        return np.random.default_rng([self.seed, number])


def _complete(trials):
    return (trial for trial in trials if trial.state == TrialState.COMPLETE)


# ---- ranges as unit intervals ----------------------------------------------------------------


def _value(distribution, at):
    """Value at a place between 0 and 1 of a range."""
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        return choices[min(int(at * len(choices)), len(choices) - 1)]
    low, high = _ends(distribution)
    value = low + at * (high - low)
    if distribution.log:
        value = math.exp(value)
    if distribution.step is not None:
        n_steps = round((value - distribution.low) / distribution.step)
        value = distribution.low + distribution.step * n_steps
    return min(max(value, distribution.low), distribution.high)


def _place(distribution, value):
    """Place between 0 and 1 of a value in its range."""
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        return (choices.index(value) + 0.5) / len(choices)
    low, high = _ends(distribution)
    value = math.log(value) if distribution.log else value
    return (value - low) / (high - low) if high > low else 0.5


def _ends(distribution):
    # Each step has the same width, those at the ends as well.
    half = (distribution.step or 0) / 2
    ends = distribution.low - half, distribution.high + half
    return tuple(map(math.log, ends)) if distribution.log else ends


def _holds(distribution, value):
    """Whether a value is one of a range."""
    if isinstance(distribution, CategoricalDistribution):
        return any(isinstance(c, type(value)) and c == value for c in distribution.choices)
    if (
        distribution is None
        or not isinstance(value, Real)
        or not distribution.low <= value <= distribution.high
    ):
        return False
    is_whole = isinstance(distribution, IntDistribution)
    return not is_whole or (value - distribution.low) % distribution.step == 0
