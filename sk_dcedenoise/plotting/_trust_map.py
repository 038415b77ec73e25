"""Where denoised curves can be trusted."""

import numpy as np

from sk_dcedenoise.masking import volume_from_curves
from sk_dcedenoise.plotting._axes import panels
from sk_dcedenoise.plotting._slices import (
    check_maps,
    chosen_slices,
    draw_slice,
    frame_of,
    hide_frame,
)


class TrustMapDisplay:
    """Trust in each voxel, from 0 (went by the data alone) to 1 (by the network), slice by slice.

    Dark voxels are those to look at: there the data do not bear out what the network made of them.

    Parameters
    ----------
    trust : array-like of shape (nx, ny) or (nx, ny, nz)
        From 0 to 1, NaN outside the mask.

    Attributes
    ----------
    trusted : float
        Share of the voxels with a trust of at least 0.5.
    slices : list of int
        Slices drawn; only after :meth:`plot`.
    figure_ : matplotlib Figure
        The figure drawn in; only after :meth:`plot`.
    axes_ : ndarray of shape (n_slices,) of matplotlib Axes
        One panel per slice; only after :meth:`plot`.

    Raises
    ------
    ValueError
        If values lie outside 0 to 1.

    See Also
    --------
    ParameterMapDisplay : The maps themselves.

    Examples
    --------
    >>> from sk_dcedenoise.plotting import TrustMapDisplay
    >>> TrustMapDisplay.from_predictions([[0.0, 1.0], [1.0, 1.0]]).trusted
    0.75
    """

    def __init__(self, trust):
        self.trust = check_maps({"trust": trust})["trust"]
        known = self.trust[np.isfinite(self.trust)]
        if known.size and (known.min() < 0 or known.max() > 1):
            raise ValueError(
                f"trust reaches from {known.min():g} to {known.max():g}, but expected 0 to 1."
            )
        self.trusted = float(np.mean(known >= 0.5)) if known.size else np.nan

    @classmethod
    def from_estimator(cls, estimator, X, mask, *, slices=1, ax=None):
        """Ask a fitted estimator how far it trusts itself, and draw.

        Parameters
        ----------
        estimator : object with ``trust``
            A fitted denoiser that says for each curve how far it went by the network, from 0 to 1.
        X : array-like of shape (n_curves, n_times)
            Curves in mM, in the order of the mask's voxels.
        mask : array-like of shape (nx, ny) or (nx, ny, nz)
            The mask that the curves were taken out with.
        slices : int or list of int, default=1
            As :meth:`plot` takes it.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : TrustMapDisplay
        """
        trust = np.asarray(estimator.trust(X), dtype=np.float64)
        return cls.from_predictions(volume_from_curves(trust, mask), slices=slices, ax=ax)

    @classmethod
    def from_predictions(cls, trust, *, slices=1, ax=None):
        """Draw a map at hand.

        Parameters
        ----------
        trust : array-like of shape (nx, ny) or (nx, ny, nz)
            From 0 to 1, NaN outside the mask.
        slices : int or list of int, default=1
            As :meth:`plot` takes it.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : TrustMapDisplay
        """
        return cls(trust).plot(slices=slices, ax=ax)

    def plot(self, ax=None, *, slices=1):
        """Draw one panel per slice.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            As many Axes as slices; or one, whose place is divided; None makes a new figure.
        slices : int or list of int, default=1
            Slices to draw. A number takes that many at even distances among those that hold a
            value.

        Returns
        -------
        self : TrustMapDisplay
        """
        self.slices = chosen_slices({"trust": self.trust}, slices)
        self.axes_ = panels(len(self.slices), ax, n_columns=4, size=(2.6, 2.4))
        self.figure_ = self.axes_[0].figure
        for panel, z in zip(self.axes_, self.slices, strict=True):
            image = draw_slice(panel, self.trust[..., z], cmap="cividis", vmin=0.0, vmax=1.0)
            panel.set_title(f"slice {z}", fontsize="small")
            hide_frame(panel, frame_of({"trust": self.trust}))
        bar = self.figure_.colorbar(image, ax=list(self.axes_), shrink=0.85, ticks=[0, 0.5, 1])
        bar.set_label("trust", fontsize="small")
        bar.ax.tick_params(labelsize="x-small")
        return self
