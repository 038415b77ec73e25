"""Curves of other tissue, made by a kinetic model.

Tissue that the training law lacks is as a rule not foreign in everything: a vessel has more plasma,
a tumour leaks more. So a curve of other tissue has one parameter beyond those of training, or is
weaker as a whole, and only now and then is foreign in more. What it may be is a guess, and what it
may be costs inside the law, where that cannot be told apart; so it is nowhere within the law, and
the rarer, the farther beyond it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from sklearn.base import clone

from sk_dcedenoise._guard._other_tissue import OtherTissue, delayed
from sk_dcedenoise.fitting import ToftsTransformer

# Chance to be foreign in one thing more.
_SHARE_MORE = 0.1
# How weak curves get that are weaker altogether.
_WEAKEST = 0.05
# Shares of training curves that are left out below and above, so that one odd curve is no law.
_INSIDE = 0.01, 0.99
# Of what is beyond the training law, how much lies below it; and the largest value over the least
# that is above it, at most.
_SHARE_BELOW, _MOST_TIMES = 0.1, 100.0


class KineticTissue(NamedTuple):
    """A model of tissue, and what its parameters are where they are not those of training.

    `foreign` holds, by the names of the parameters that make a curve, functions
    ``draw(values, rng)`` that are given the values of training; Ktrans is never more than kep times
    `most_ve`. The share `share_delayed` of curves are those of training, but earlier or later.
    """

    model: ToftsTransformer
    foreign: dict[str, Callable]
    most_ve: float
    share_delayed: float

    def draw(self, curves, rng):
        """Return a curve of other tissue for each clean one, none of them delayed.

        Parameters
        ----------
        curves : ndarray of shape (n_curves, n_times)
            Clean curves in the units of the model.
        rng : numpy.random.Generator

        Returns
        -------
        others : ndarray of shape (n_curves, n_times)
        """
        return self._made(*self._fitted(curves), rng)

    def _fitted(self, curves):
        """The model with the parameters of these curves, an array of shape (n_curves, n_params)."""
        model = clone(self.model).set_params(outputs=list(self.foreign)).fit(curves)
        return model, model.transform(curves)

    def _made(self, model, params, rng):
        """A curve of other tissue for each row of parameters of training curves."""
        n_curves, n_params = params.shape
        found = dict(zip(self.foreign, params.T, strict=True))
        is_foreign = rng.random((1 + n_params, n_curves)) < _SHARE_MORE
        is_foreign[rng.integers(1 + n_params, size=n_curves), np.arange(n_curves)] = True
        is_weak, *is_foreign = is_foreign
        for chosen, (name, draw) in zip(is_foreign, self.foreign.items(), strict=True):
            found[name] = np.where(chosen, draw(found[name], rng), found[name])
        factor = np.where(is_weak, _WEAKEST ** rng.random(n_curves), 1.0)
        for name in {"Ktrans", "vp"} & set(found):
            found[name] = factor * found[name]
        if "kep" in found:
            # A lower rate would take more space than there is.
            found["kep"] = np.maximum(found["kep"], found["Ktrans"] / self.most_ve)
        return model.inverse_transform(np.column_stack(list(found.values())))

    def law(self, scale=1.0):
        """Return the law of other tissue that a guard learns.

        Parameters
        ----------
        scale : float, default=1.0
            Units of the model in one of the curves that the law gets and makes.

        Returns
        -------
        tissue : OtherTissue
        """

        def of(clean):
            # Once for all, since a fit with delays takes longer than all that follows.
            model, params = self._fitted(clean.cpu().numpy() * scale)

            def draw(chosen, generator):
                like = {"generator": generator, "device": clean.device}
                rng = np.random.default_rng(torch.randint(2**31, (1,), **like).item())
                others = self._made(model, params[chosen.cpu().numpy()], rng) / scale
                is_late = torch.rand((len(chosen), 1), **like) < self.share_delayed
                late = delayed(clean.index_select(0, chosen), generator)
                return torch.where(is_late, late, torch.as_tensor(others).to(clean))

            return draw

        # Less of a guess than filters. So its mean is taken as it is, a larger judge that sees more
        # of it pays, and it has to be said of fewer curves that they are of neither law.
        return OtherTissue(
            of,
            share=0.15,
            most_curves=262_144,
            of_training=0.6,
            width=192,
            passes=32,
            taken_out=1.0,
            not_of_law=0.002,
        )


def beyond(least, most):
    """Values beyond those of training, within bounds.

    Parameters
    ----------
    least, most : float
        Bounds.

    Returns
    -------
    draw : callable
        ``draw(values, rng)`` returns as many values as there are values of training: evenly below
        them, and above the rarer the farther, half of them less than about twice as far. Where the
        bounds leave nothing beyond, evenly within them.
    """

    def draw(values, rng):
        low, high = np.quantile(values, _INSIDE)
        high = max(high, most / _MOST_TIMES)
        has_below, has_above = least < low, high < most
        if not has_below and not has_above:
            return rng.uniform(least, most, len(values))
        below = rng.uniform(min(least, low), low, len(values))
        above = high / rng.uniform(high / max(most, high), 1.0, len(values))
        share_below = _SHARE_BELOW if has_below and has_above else float(has_below)
        return np.where(rng.random(len(values)) < share_below, below, above)

    return draw
