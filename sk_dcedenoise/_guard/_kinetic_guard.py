"""A guard that is told the kinetic model and its bounds, and so what other tissue there may be."""

from functools import partial

from sklearn.base import BaseEstimator, clone

from sk_dcedenoise._guard._kinetic_tissue import KineticTissue, beyond
from sk_dcedenoise._validation import check_fraction, check_positive
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.fitting._box import check_box


class KineticGuard(BaseEstimator):
    """What a denoiser's guard may know of other tissue: a kinetic model and its bounds.

    To be given as ``guard=`` of a denoiser. Its guard then tells tissue that is not of the training
    law by this model. Without, it has to find the model in the clean curves and to guess the
    bounds; where it cannot, it learns to tell any filter of the training curves. What is known of
    other tissue makes its curves better, and keeps more of what the network gains inside.

    At the end of the denoiser's `fit`, the clean training curves are fitted. Curves of other tissue
    are those of the model with these parameters, of which one lies beyond those of training, mostly
    above and the rarer the farther, or which are weaker as a whole; with a chance of one in ten
    each, they are foreign in another respect as well. A `delay` is anything in its range.

    Parameters
    ----------
    model : ToftsTransformer
        Times in seconds and input of the training curves, which have to be in mM, and in `bounds`
        the range of all tissue that may be met: the narrower, the more the guard can tell. A
        `delay` that is a range is a parameter like the others; without it the guard looks out for
        no late bolus.
    share : float, default=0.1
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

    def __init__(self, model, share=0.1):
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
            clone(self.model).fit(curves)

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
        return self._tissue().law(scale)

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
        return self._tissue().draw(curves, rng)

    def _tissue(self):
        box = check_box(self.model.bounds, self.model.model, self.model.delay)
        lacking = {"tofts": ["vp"], "patlak": ["kep"]}.get(self.model.model, [])
        foreign = {
            name: beyond(*getattr(box, name))
            for name in ("Ktrans", "kep", "vp")
            if name not in lacking
        }
        if box.delay[0] < box.delay[1]:
            foreign["delay"] = partial(_evenly, *box.delay)
        return KineticTissue(self.model, foreign, box.ve[1], share_delayed=0.0)


def _evenly(low, high, values, rng):
    return rng.uniform(low, high, len(values))
