"""The law of the kinetic parameters, learned from noisy curves."""

import numpy as np
from sklearn.utils import Bunch

from sk_dcedenoise.semisynthetic._deconvolution import deconvolve, likelihoods
from sk_dcedenoise.semisynthetic._strata import even_out, strata

# Curves that meet candidates, at most; twice as many candidates. Their table takes 128 MB.
_MOST_CURVES = 4000
# Candidates beside the fitted parameters: these times a random factor of this log width.
_NEARBY = 0.3
_ITERATIONS = 10
# A drawn parameter set moves by so many bandwidths of Silverman's rule, which is too wide for
# laws with edges.
_BANDWIDTH = 0.25
# Parameter sets drawn beside those learned lie in a box that reaches beyond the learned ones by
# this factor, as far as fractions are fractions.
_REACH = 1.5
_LOWEST = {"Ktrans": 1e-3, "ve": 1e-2, "vp": 5e-4}


class TissueLaw:
    """How often which kinetic parameters occur.

    Parameters
    ----------
    params : dict of str to ndarray of shape (n_candidates,)
        Parameter sets: "Ktrans" (1/min), "ve", "vp" and "delay" (s), or some of these.
    weights : ndarray of shape (n_candidates,)
        How often each occurs, of sum one.
    bandwidths : dict of str to float
        Spread of a drawn set about its candidate: relative for "Ktrans", "ve" and "vp", s for
        "delay".
    n_curves : int
        How many curves the law was learned from; what is rarer than one of them is not lifted.
    """

    def __init__(self, params, weights, bandwidths, n_curves):
        self.params = params
        self.weights = weights
        self.bandwidths = bandwidths
        self.n_curves = n_curves

    @classmethod
    def learn(cls, X, params, simulate, rng, whiten=None):
        """Take the scatter of the noise off fitted parameters.

        Parameters
        ----------
        X : ndarray of shape (n_curves, n_times)
            Noisy curves.
        params : dict of str to ndarray of shape (n_curves,)
            Their fitted parameters.
        simulate : callable
            From parameters to clean curves.
        rng : RandomState
            Chooses curves and candidates.
        whiten : ndarray of shape (n_times, n_times), default=None
            Turns noise into white noise, ``noise @ whiten.T``; None where it is white.
        """
        chosen, counts = _choose(params, rng)
        fitted = {name: values[chosen] for name, values in params.items()}
        nearby = {name: values * _factor(rng, name, values) for name, values in fitted.items()}
        both = {name: np.concatenate([fitted[name], nearby[name]]) for name in fitted}
        both = _in_range(both, params)
        curves, clean = X[chosen], simulate(both)
        if whiten is not None:
            curves, clean = curves @ whiten.T, clean @ whiten.T
        weights = deconvolve(likelihoods(curves, clean), counts, _ITERATIONS)
        return cls(both, weights, _bandwidths(both, weights, len(chosen)), len(X))

    def draw(self, n, random_state, *, stratify=0.0, widen=0.0):
        """Draw parameter sets.

        Parameters
        ----------
        n : int
            How many.
        random_state : RandomState
            Of the draws.
        stratify : float, default=0.0
            0 draws as often as learned, 1 every stratum of tissue equally often.
        widen : float, default=0.0
            Share of sets that are drawn log-uniformly from a box around all that was learned.

        Returns
        -------
        params : Bunch
            Arrays of shape (n,) under the names of the law.
        """
        least = 1 / self.n_curves
        weights = even_out(self.weights, strata(self.params), stratify, least)
        chosen = random_state.choice(len(weights), size=n, p=weights)
        drawn = {}
        for name, values in self.params.items():
            moved = self.bandwidths[name] * random_state.standard_normal(n)
            learned = values[chosen]
            drawn[name] = learned + moved if name == "delay" else learned * np.exp(moved)
        drawn = _in_range(drawn, self.params)
        anywhere = random_state.uniform(size=n) < widen
        for name, values in self._box(n, weights, random_state).items():
            drawn[name] = np.where(anywhere, values, drawn[name])
        return Bunch(**drawn)

    def _box(self, n, weights, rng):
        """Sets drawn log-uniformly around the candidates that are drawn at all."""
        drawn = {}
        occurs = weights > 0.01 * weights.max()
        for name, values in self.params.items():
            if name == "delay":
                drawn[name] = rng.uniform(values.min(), values.max(), n)
                continue
            low = max(values[occurs].min() / _REACH, _LOWEST[name])
            high = max(values[occurs].max() * _REACH, low)
            drawn[name] = np.exp(rng.uniform(np.log(low), np.log(high), n))
        return _in_range(drawn, self.params)


def _choose(params, rng):
    """Curves to learn from, and how many each stands for; of rare tissue relatively more."""
    n = len(params["Ktrans"])
    if n <= _MOST_CURVES:
        return np.arange(n), np.ones(n)
    chance = np.minimum(_MOST_CURVES * even_out(np.ones(n), strata(params), 0.5), 1.0)
    chosen = np.flatnonzero(rng.uniform(size=n) < chance)
    return chosen, 1 / chance[chosen]


def _factor(rng, name, values):
    return 1.0 if name == "delay" else np.exp(_NEARBY * rng.standard_normal(values.shape))


def _in_range(params, learned):
    """Fractions of at most one, delays no further than those learned."""
    capped = {name: np.minimum(params[name], 1.0) for name in ("ve", "vp") if name in params}
    if "delay" in params:
        capped["delay"] = params["delay"].clip(learned["delay"].min(), learned["delay"].max())
    return params | capped


def _bandwidths(params, weights, n_curves):
    """A part of Silverman's rule, in logarithms but for delays, the spread from quartiles."""
    part = _BANDWIDTH * n_curves ** (-1 / 8)
    found = {}
    for name, values in params.items():
        known = (values > 0) | (name == "delay")
        scale = values[known] if name == "delay" else np.log(values[known])
        spread = _quartile_range(scale, weights[known]) / 1.349 if known.any() else 0.0
        found[name] = float(part * spread)
    return found


def _quartile_range(values, weights):
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    low, high = np.interp([0.25 * share[-1], 0.75 * share[-1]], share, values[order])
    return high - low
