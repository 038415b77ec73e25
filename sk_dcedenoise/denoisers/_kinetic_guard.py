"""A guard that knows the kinetic model, and so what other tissue there may be.

Tissue that the training law lacks is as a rule not foreign in everything: a vessel has more plasma,
a tumour leaks more. So of other tissue each parameter is either one of the training curves', or
anything that the bounds of the model allow.
"""

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone

from sk_dcedenoise._validation import check_fraction, check_positive
from sk_dcedenoise.denoisers._other_tissue import OtherTissue
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.fitting._box import check_box

# Chance of each parameter to be anything within its bounds.
_SHARE_ANYWHERE = 1 / 3
# Rates below this, per scan, cannot be told from none.
_SLOWEST = 1 / 4
# Share of curves that are weaker altogether, and how weak they get.
_SHARE_WEAK, _WEAKEST = 0.25, 0.05


class KineticGuard(BaseEstimator):
    """What a denoiser's guard may know of other tissue: a kinetic model and its bounds.

    To be given as ``guard=`` of a denoiser. Its guard then tells tissue that is not of the training
    law by this model, where without it learns to tell any filter of the training curves. This keeps
    more of what the network gains, and what is known of other tissue makes its curves better, too.

    At the end of the denoiser's `fit`, the clean training curves are fitted. Curves of other tissue
    are those of the model with these parameters, each of which is replaced, with a chance of one in
    three, by a number drawn evenly from its bounds, kep from their logarithms; a quarter of the
    curves is weaker as a whole.

    Parameters
    ----------
    model : ToftsTransformer
        Times in seconds and input of the training curves, which have to be in mM, and in `bounds`
        the range of all tissue that may be met: the narrower, the more the guard can tell. A
        `delay` that is a range is a parameter like the others.
    share : float, default=0.35
        How likely a curve is, before it is seen, to be of other tissue than the training curves.
        May be set after `fit`, too.

    See Also
    --------
    sk_dcedenoise.fitting.ToftsTransformer : The model.

    Notes
    -----
    Both laws being known, the guarded curve comes near the posterior mean under a mixture of the
    two, as far as a small network can learn it.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserVanillaNL, KineticGuard
    >>> from sk_dcedenoise.fitting import ToftsTransformer
    >>> X, y = make_dce_curves(500, random_state=0)
    >>> bounds = {"Ktrans": (0, 0.6), "kep": (0, 6), "vp": (0, 0.12)}
    >>> model = ToftsTransformer(3.75 * np.arange(32), bounds=bounds)
    >>> denoiser = DenoiserVanillaNL(guard=KineticGuard(model), max_steps=100, random_state=0)
    >>> denoiser.fit(X, y).transform(X).shape
    (500, 32)
    """

    def __init__(self, model, share=0.35):
        self.model = model
        self.share = share

    def check(self, curves=None):
        """Raise ValueError unless the settings make sense, and fit these curves if given.

        Parameters
        ----------
        curves : array-like of shape (n_curves, n_times), default=None
            Clean curves in mM.
        """
        check_fraction(self.share, "share")
        check_positive(self.share, "share")
        if not isinstance(self.model, ToftsTransformer):
            raise ValueError(
                f"model is a {type(self.model).__name__}, but expected a ToftsTransformer: give "
                "one with the times, the input and the bounds of the tissue."
            )
        if curves is not None:
            self._fitted(curves)

    def other_tissue(self, scale=1.0):
        """Return the law of other tissue.

        Parameters
        ----------
        scale : float, default=1.0
            mM in a unit of the clean curves that it gets and of the curves that it makes.

        Returns
        -------
        tissue : OtherTissue
        """

        def draw(clean, generator):
            seed = torch.randint(2**31, (1,), generator=generator, device=clean.device).item()
            curves = self.draw(clean.cpu().numpy() * scale, np.random.default_rng(seed)) / scale
            return torch.as_tensor(curves).to(clean)

        # This law is no guess. So its mean is taken as it is, a larger judge that sees more of it
        # pays, and it has to be said of fewer curves that they are of neither law.
        return OtherTissue(
            draw,
            most_curves=262_144,
            of_training=0.6,
            width=192,
            passes=32,
            taken_out=1.0,
            not_of_law=0.002,
        )

    def draw(self, curves, rng):
        """Return a curve of other tissue for each clean one.

        Parameters
        ----------
        curves : ndarray of shape (n_curves, n_times)
            Clean curves in mM.
        rng : numpy.random.Generator

        Returns
        -------
        others : ndarray of shape (n_curves, n_times)
        """
        model, ranges = self._fitted(curves), self._ranges()
        found = dict(zip(ranges, model.transform(curves).T, strict=True))
        for name, (low, high) in ranges.items():
            anywhere = rng.random(len(curves)) < _SHARE_ANYWHERE
            drawn = self._drawn(name, low, high, len(curves), rng)
            found[name] = np.where(anywhere, drawn, found[name])
        is_weak = rng.random(len(curves)) < _SHARE_WEAK
        factor = np.where(is_weak, _WEAKEST ** rng.random(len(curves)), 1.0)
        for name in ("Ktrans", "vp"):
            if name in found:
                found[name] = factor * found[name]
        if "kep" in found:
            # A lower rate would take more space than there is.
            found["kep"] = np.maximum(found["kep"], found["Ktrans"] / self._box().ve[1])
        return model.inverse_transform(np.column_stack(list(found.values())))

    def _drawn(self, name, low, high, n_curves, rng):
        """Any values of a parameter within bounds."""
        if name != "kep":
            return rng.uniform(low, high, n_curves)
        # Bounds of a rate span decades, most of which would else hold next to no curve.
        minutes = np.ptp(self.model.time) / 60
        slowest = min(max(low, _SLOWEST / minutes), high)
        return slowest * (high / slowest) ** rng.random(n_curves)

    def _fitted(self, curves):
        return clone(self.model).set_params(outputs=list(self._ranges())).fit(curves)

    def _ranges(self):
        """Bounds of the parameters that a curve is made from."""
        box = self._box()
        lacking = {"tofts": ["vp"], "patlak": ["kep"]}.get(self.model.model, [])
        lacking += ["delay"] if box.delay[0] == box.delay[1] else []
        names = ("Ktrans", "kep", "vp", "delay")
        return {name: getattr(box, name) for name in names if name not in lacking}

    def _box(self):
        return check_box(self.model.bounds, self.model.model, self.model.delay)
