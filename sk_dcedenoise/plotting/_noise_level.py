"""Error against the level of noise, with the least that any method can reach."""

import numpy as np

from sk_dcedenoise.metrics import root_mean_squared_error
from sk_dcedenoise.plotting._axes import COLORS, check_same_shape, panels, tidy

_CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


class NoiseLevelDisplay:
    """Root mean square error of curves against their noise level, one line per method.

    Both axes are logarithmic. The limit, where it is given, is the lower edge of what is possible,
    which is shaded.

    Parameters
    ----------
    levels : array-like of shape (n_levels,)
        Relative noise levels, increasing; 0.1 is 10 %.
    errors : mapping of str to array-like of shape (n_levels,)
        Root mean square errors in mM by method. "noisy" and "limit" have their own looks.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure drawn in; only after :meth:`plot`.
    axes_ : ndarray of shape (1,) of matplotlib Axes
        The panel; only after :meth:`plot`.

    Raises
    ------
    ValueError
        If a method has not one error for each level.

    Examples
    --------
    >>> from sk_dcedenoise.baselines import PCADenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.plotting import NoiseLevelDisplay
    >>> X, y, params = make_dce_curves(500, random_state=0, return_params=True)
    >>> display = NoiseLevelDisplay.from_estimator(
    ...     {"PCA": PCADenoiser().fit(X)}, X, y, params.noise_level
    ... )
    >>> list(display.errors), display.levels.tolist()
    (['noisy', 'PCA'], [0.02, 0.05, 0.1, 0.2, 0.3])
    """

    def __init__(self, levels, errors):
        self.levels = np.asarray(levels, dtype=np.float64)
        self.errors = {name: np.asarray(e, dtype=np.float64) for name, e in errors.items()}
        for name, values in self.errors.items():
            if values.shape != self.levels.shape or values.ndim != 1:
                raise ValueError(
                    f"the errors of {name} have shape {values.shape}, but expected "
                    f"{self.levels.shape}: give one error for each level."
                )

    @classmethod
    def from_estimator(cls, estimators, X, y, noise_level, *, y_limit=None, ax=None):
        """Denoise with fitted estimators, and draw their errors.

        Parameters
        ----------
        estimators : mapping of str to object with ``transform``
            Fitted denoisers by the name that the legend shows; or one of them.
        X, y : array-like of shape (n_curves, n_times)
            Noisy and clean curves in mM.
        noise_level : array-like of shape (n_curves,)
            Relative noise level of each curve.
        y_limit : array-like of shape (n_curves, n_times), default=None
            Estimates of the best possible method, such as
            :class:`~sk_dcedenoise.baselines.PosteriorMeanDenoiser`.
        ax : matplotlib Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : NoiseLevelDisplay
        """
        if hasattr(estimators, "transform"):
            estimators = {type(estimators).__name__: estimators}
        denoised = {"noisy": X}
        denoised |= {name: estimator.transform(X) for name, estimator in estimators.items()}
        return cls.from_predictions(y, denoised, noise_level, y_limit=y_limit, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_pred, noise_level, *, y_limit=None, ax=None):
        """Draw the errors of curves at hand.

        Parameters
        ----------
        y_true : array-like of shape (n_curves, n_times)
            Clean curves in mM.
        y_pred : mapping of str to array-like of shape (n_curves, n_times)
            Denoised curves by method, in mM.
        noise_level : array-like of shape (n_curves,)
            Relative noise level of each curve. More than 12 different ones are gathered in 8
            groups of equal size, each at the geometric mean of its levels.
        y_limit : array-like of shape (n_curves, n_times), default=None
            Estimates of the best possible method.
        ax : matplotlib Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : NoiseLevelDisplay
        """
        y_true = np.asarray(y_true, dtype=np.float64)
        noise_level = np.asarray(noise_level, dtype=np.float64)
        if noise_level.shape != y_true.shape[:1]:
            raise ValueError(
                f"noise_level has shape {noise_level.shape}, but expected {y_true.shape[:1]}: give "
                "one level for each curve."
            )
        y_pred = dict(y_pred) | ({} if y_limit is None else {"limit": y_limit})
        levels, groups = _groups(noise_level)
        errors = {}
        for name, curves in y_pred.items():
            curves = check_same_shape(curves, name, y_true, "y_true")
            errors[name] = [root_mean_squared_error(y_true[g], curves[g]) for g in groups]
        return cls(levels, errors).plot(ax=ax)

    def plot(self, ax=None):
        """Draw one line per method.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        self : NoiseLevelDisplay
        """
        self.axes_ = panels(1, ax, n_columns=1, size=(4.4, 3.4))
        panel = self.axes_[0]
        self.figure_ = panel.figure
        colors = iter(_CYCLE * len(self.errors))
        for name, values in self.errors.items():
            looks = {
                "noisy": {"color": COLORS["noisy"], "marker": "o"},
                "limit": {"color": COLORS["clean"], "linestyle": "--"},
            }.get(name) or {"color": next(colors), "marker": "o"}
            panel.plot(self.levels, values, label=name, markersize=4, linewidth=1.4, **looks)
        panel.set(xscale="log", yscale="log", xlabel="noise level", ylabel="RMSE (mM)")
        if "limit" in self.errors:
            low = panel.get_ylim()[0]
            panel.fill_between(self.levels, low, self.errors["limit"], color="0.92", zorder=0)
            panel.set_ylim(bottom=low)
        _percent_ticks(panel, self.levels)
        panel.legend(frameon=False, fontsize="x-small")
        tidy(panel)
        return self


def _groups(noise_level):
    """Levels, and the rows of each: the distinct ones, or groups of equal size."""
    distinct = np.unique(noise_level)
    if distinct.size <= 12:
        return distinct, [np.flatnonzero(noise_level == level) for level in distinct]
    groups = np.array_split(np.argsort(noise_level, kind="stable"), 8)
    return np.array([np.exp(np.log(noise_level[g]).mean()) for g in groups]), groups


def _percent_ticks(panel, levels):
    panel.set_xticks(levels, [f"{100 * level:.2g} %" for level in levels])
    panel.minorticks_off()
