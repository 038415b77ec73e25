"""Maps of kinetic parameters, slice by slice."""

import numpy as np

from sk_dcedenoise.masking import volume_from_curves
from sk_dcedenoise.plotting._axes import panels, parameter_label
from sk_dcedenoise.plotting._slices import (
    check_maps,
    chosen_slices,
    draw_slice,
    frame_of,
    hide_frame,
)

# Sequential and even in lightness; kinetic parameters begin at zero. A delay has two sides.
_COLORS, _SIGNED_COLORS = "viridis", "RdBu_r"


class ParameterMapDisplay:
    """Maps of parameters: a row of panels per slice, a column and a colour scale per parameter.

    The scale of Ktrans, kep, ve, vp and of all else that has no sign begins at zero and ends where
    one voxel in a hundred lies higher, or at twice what one in twenty exceeds; such voxels have the
    last colour. A delay's is symmetric around zero. Voxels without a value are left blank, margins
    without any are cut off.

    Parameters
    ----------
    maps : mapping of str to array-like of shape (nx, ny) or (nx, ny, nz)
        Maps by name, NaN where there is no value. Ktrans and kep in 1/min, ve and vp fractions,
        delay in s.

    Attributes
    ----------
    names : list of str
        Parameters drawn.
    slices : list of int
        Slices drawn; only after :meth:`plot`.
    figure_ : matplotlib Figure
        The figure drawn in; only after :meth:`plot`.
    axes_ : ndarray of shape (n_slices * n_params,) of matplotlib Axes
        One panel per slice and parameter, row by row; only after :meth:`plot`.

    Raises
    ------
    ValueError
        If there is no map, or shapes differ.

    See Also
    --------
    TrustMapDisplay : How far the maps are to be trusted.

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_phantom
    >>> from sk_dcedenoise.plotting import ParameterMapDisplay
    >>> truth = make_dce_phantom((32, 32, 3), random_state=0).maps
    >>> display = ParameterMapDisplay.from_predictions(truth, slices=[1])
    >>> display.names
    ['Ktrans', 've', 'vp', 'kep', 'delay']
    """

    def __init__(self, maps):
        self.maps = check_maps(maps)
        self.names = list(self.maps)

    @classmethod
    def from_estimator(cls, estimator, X, mask, *, slices=1, ax=None):
        """Find parameters with a fitted estimator, and draw their maps.

        Parameters
        ----------
        estimator : object with ``transform`` and ``get_feature_names_out``
            A fitted :class:`~sk_dcedenoise.fitting.ToftsTransformer`, or a Pipeline that ends in
            one.
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
        display : ParameterMapDisplay
        """
        columns = np.asarray(estimator.transform(X), dtype=np.float64).T
        names = estimator.get_feature_names_out()
        maps = {n: volume_from_curves(c, mask) for n, c in zip(names, columns, strict=True)}
        return cls.from_predictions(maps, slices=slices, ax=ax)

    @classmethod
    def from_predictions(cls, maps, *, slices=1, ax=None):
        """Draw maps at hand.

        Parameters
        ----------
        maps : mapping of str to array-like of shape (nx, ny) or (nx, ny, nz)
            Maps by name.
        slices : int or list of int, default=1
            As :meth:`plot` takes it.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : ParameterMapDisplay
        """
        return cls(maps).plot(slices=slices, ax=ax)

    def plot(self, ax=None, *, slices=1, ranges=None):
        """Draw one panel per slice and parameter.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            As many Axes as panels, row by row; or one, whose place is divided; None makes a new
            figure.
        slices : int or list of int, default=1
            Slices to draw. A number takes that many at even distances among those that hold a
            value.
        ranges : mapping of str to (low, high), default=None
            Ends of colour scales by name, such as those of another display to compare with.

        Returns
        -------
        self : ParameterMapDisplay
        """
        self.slices = chosen_slices(self.maps, slices)
        n_columns = len(self.names)
        self.axes_ = panels(len(self.slices) * n_columns, ax, n_columns=n_columns, size=(2.6, 2.3))
        self.figure_ = self.axes_[0].figure
        self._frame = frame_of(self.maps)
        self.ranges = {name: color_range(name, self.maps[name]) for name in self.names}
        self.ranges |= {name: tuple(ranges[name]) for name in self.names if name in (ranges or {})}
        for row, z in enumerate(self.slices):
            for panel, name in zip(self.axes_[row * n_columns :], self.names, strict=False):
                self._draw(panel, name, z)
                if name == self.names[0] and len(self.slices) > 1:
                    panel.set_ylabel(f"slice {z}", fontsize="small")
        return self

    def _draw(self, panel, name, z):
        low, high = self.ranges[name]
        colors, beyond = (_SIGNED_COLORS, "both") if low < 0 else (_COLORS, "max")
        image = draw_slice(panel, self.maps[name][..., z], cmap=colors, vmin=low, vmax=high)
        bar = panel.figure.colorbar(image, ax=panel, shrink=0.85, extend=beyond)
        bar.ax.tick_params(labelsize="x-small")
        bar.locator = _few_ticks()
        bar.update_ticks()
        panel.set_title(parameter_label(name), fontsize="medium")
        hide_frame(panel, self._frame)


def color_range(name, values):
    """Ends of the colour scale of a parameter."""
    known = values[np.isfinite(values)]
    if name.startswith("delay") and not name.endswith("_se"):
        end = np.percentile(np.abs(known), 98) if known.size else 1.0
        return -(end or 1.0), end or 1.0
    # A lesion may be one voxel in thirty, and so may wild fits, which lie much farther out.
    high = min(np.percentile(known, 99), 2 * np.percentile(known, 95)) if known.size else 1.0
    return 0.0, high if high > 0 else 1.0


def _few_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)
