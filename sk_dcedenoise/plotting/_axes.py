"""What the displays share: a grid of panels, colours, and labels with units."""

from importlib import import_module

import numpy as np

# Okabe and Ito's colours, which colour-blind readers can tell apart; measured data are grey.
COLORS = {"noisy": "0.55", "denoised": "#0072B2", "clean": "black", "fitted": "#D55E00"}

_LABELS = {
    "Ktrans": r"$K^\mathrm{trans}$ (1/min)",
    "kep": r"$k_\mathrm{ep}$ (1/min)",
    "ve": r"$v_\mathrm{e}$",
    "vp": r"$v_\mathrm{p}$",
    "Fp": r"$F_\mathrm{p}$ (1/min)",
    "PS": r"$PS$ (1/min)",
    "delay": "delay (s)",
}


def parameter_label(name):
    """Name of a parameter as it stands at an axis, with its unit; unknown names as they are."""
    return _LABELS.get(name, name)


def panels(n_panels, ax, *, n_columns, size):
    """Return `n_panels` axes to draw in.

    Parameters
    ----------
    n_panels : int
        Number of panels.
    ax : None, Axes or array-like of Axes
        None makes a new figure; one Axes gives its place to a grid of panels; as many Axes as
        panels are taken as they are.
    n_columns : int
        Most panels side by side, where the grid is made here.
    size : tuple of float
        Width and height of a panel in inches, where the figure is made here.

    Returns
    -------
    axes : ndarray of shape (n_panels,) of Axes

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If another number of axes is given.
    """
    if ax is not None and np.size(ax) != 1:
        axes = np.ravel(ax)
        if axes.size != n_panels:
            raise ValueError(
                f"ax holds {axes.size} axes, but expected {n_panels}: give one for each panel, a "
                "single one to be divided, or None."
            )
        return axes
    if ax is not None and n_panels == 1:
        return np.ravel(ax)
    n_columns = min(n_columns, n_panels)
    shape = -(-n_panels // n_columns), n_columns
    axes = _new_figure(shape, size) if ax is None else _divided(np.ravel(ax)[0], shape)
    for unused in axes[n_panels:]:
        unused.remove()
    return axes[:n_panels]


def empty_figure(size):
    """Return a figure that no window, notebook or global list knows of, to be saved to a file.

    Parameters
    ----------
    size : tuple of float
        Width and height in inches.

    Returns
    -------
    figure : matplotlib Figure

    Raises
    ------
    ImportError
        Without matplotlib.

    Examples
    --------
    >>> from sk_dcedenoise.plotting import empty_figure
    >>> empty_figure((4, 3)).axes
    []
    """
    return _matplotlib("matplotlib.figure").Figure(figsize=size, layout="constrained")


def _new_figure(shape, size):
    size = size[0] * shape[1], size[1] * shape[0]
    figure = _matplotlib("matplotlib.pyplot").figure(figsize=size, layout="constrained")
    return figure.subplots(*shape, squeeze=False).ravel()


def _matplotlib(module):
    try:
        return import_module(module)
    except ImportError:
        raise ImportError(
            "figures need matplotlib, which is not installed: pip install 'sk-dcedenoise[plots]'."
        ) from None


def _divided(ax, shape):
    ax.set_axis_off()
    grid = ax.get_subplotspec()
    if grid is None:
        raise ValueError(
            "ax was placed by hand, but expected one made by subplots, whose place can be divided: "
            "give one Axes per panel instead."
        )
    return grid.subgridspec(*shape).subplots(squeeze=False).ravel()


def label_outside(axes, *, x=None, y=None):
    """Label the left and the lowest panels of a grid, since the others share their scales."""
    places = [ax.get_subplotspec() for ax in axes]
    for ax, place in zip(axes, places, strict=True):
        if y is not None and (place is None or place.is_first_col()):
            ax.set_ylabel(y)
        if x is not None and (place is None or not any(_below(place, p) for p in places)):
            ax.set_xlabel(x)


def _below(place, other):
    """Whether another place of the same grid lies below."""
    same_column = other is not None and other.colspan == place.colspan
    return same_column and other.rowspan.start > place.rowspan.start


def tidy(ax):
    """Leave out the lines of the frame that carry no scale."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize="small")


def check_same_shape(curves, name, like, like_name):
    """Return `curves` as a float array, or say that it does not fit."""
    curves = np.asarray(curves, dtype=np.float64)
    if curves.shape != like.shape:
        raise ValueError(
            f"{name} has shape {curves.shape}, but expected {like.shape}, that of {like_name}: "
            "give one row per curve, on the same time grid."
        )
    return curves
