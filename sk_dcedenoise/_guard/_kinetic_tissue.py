"""Curves of other tissue, made by a kinetic model.

Tissue that the training law lacks is as a rule not foreign in everything: a vessel has more plasma,
a tumour leaks more. So of other tissue each parameter is either one of the training curves', or
anything that it may be.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from sklearn.base import clone

from sk_dcedenoise._guard._other_tissue import OtherTissue, now_and_then_delayed
from sk_dcedenoise.fitting import ToftsTransformer

# Chance of each parameter to be anything.
_SHARE_ANYTHING = 1 / 3
# Rates below this, per scan, cannot be told from none.
_SLOWEST = 1 / 4
# How weak curves get that are weaker altogether.
_WEAKEST = 0.05


class KineticTissue(NamedTuple):
    """A model of tissue, and what its parameters may be where they are not those of training.

    `anything` holds, by the names of the parameters that make a curve, functions
    ``draw(n_curves, rng)``; Ktrans is never more than kep times `most_ve`. Shares of curves are
    weaker altogether, or come earlier or later.
    """

    model: ToftsTransformer
    anything: dict[str, Callable]
    most_ve: float
    share_weak: float
    share_delayed: float

    def draw(self, curves, rng):
        """Return a curve of other tissue for each clean one.

        Parameters
        ----------
        curves : ndarray of shape (n_curves, n_times)
            Clean curves in the units of the model.
        rng : numpy.random.Generator

        Returns
        -------
        others : ndarray of shape (n_curves, n_times)
        """
        n_curves, names = len(curves), list(self.anything)
        model = clone(self.model).set_params(outputs=names).fit(curves)
        found = dict(zip(names, model.transform(curves).T, strict=True))
        for name, anything in self.anything.items():
            replaced = rng.random(n_curves) < _SHARE_ANYTHING
            found[name] = np.where(replaced, anything(n_curves, rng), found[name])
        is_weak = rng.random(n_curves) < self.share_weak
        factor = np.where(is_weak, _WEAKEST ** rng.random(n_curves), 1.0)
        for name in {"Ktrans", "vp"} & set(names):
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

        def draw(clean, generator):
            seed = torch.randint(2**31, (1,), generator=generator, device=clean.device).item()
            curves = self.draw(clean.cpu().numpy() * scale, np.random.default_rng(seed)) / scale
            curves = torch.as_tensor(curves).to(clean)
            if not self.share_delayed:
                return curves
            return now_and_then_delayed(curves, self.share_delayed, generator)

        # Less of a guess than filters. So its mean is taken as it is, a larger judge that sees more
        # of it pays, and it has to be said of fewer curves that they are of neither law.
        return OtherTissue(
            draw,
            share=0.22,
            most_curves=262_144,
            of_training=0.6,
            width=192,
            passes=32,
            taken_out=1.0,
            not_of_law=0.002,
        )


def even_rates(low, high, duration):
    """Any rates, evenly in their logarithms, since their bounds span decades.

    Parameters
    ----------
    low, high : float
        Bounds in 1/min.
    duration : float
        Of the scan, in minutes.

    Returns
    -------
    draw : callable
        ``draw(n_curves, rng)``.
    """
    slowest = min(max(low, _SLOWEST / duration), high)
    return lambda n_curves, rng: slowest * (high / slowest) ** rng.random(n_curves)
