"""Agreement of two ways to find a parameter, after Bland and Altman."""

import numpy as np

from sk_dcedenoise.plotting._axes import COLORS, panels, parameter_label, tidy


class BlandAltmanDisplay:
    """Difference of two estimates against their mean, one panel per parameter.

    Lines stand at the mean difference (bias) and at 1.96 standard deviations on either side (limits
    of agreement). Pairs with a NaN are left out. Scales show the middle 99 % of the pairs; pairs
    beyond are drawn at the edge as triangles.

    Parameters
    ----------
    params_a : mapping of str to array-like of shape (n_curves,)
        Estimates by name, such as those from denoised curves.
    params_b : mapping of str to array-like of shape (n_curves,)
        Estimates to compare with: those from noisy curves, or the truth. Names that `params_a`
        lacks are left out.

    Attributes
    ----------
    names : list of str
        Parameters drawn, in the order of `params_a`.
    bias : dict of float
        Mean difference a - b by name.
    limits : dict of tuple
        Lower and upper limit of agreement by name.
    figure_ : matplotlib Figure
        The figure drawn in; only after :meth:`plot`.
    axes_ : ndarray of shape (n_params,) of matplotlib Axes
        One panel per parameter; only after :meth:`plot`.

    Raises
    ------
    ValueError
        If no name is shared, or lengths differ.

    References
    ----------
    .. [1] J. M. Bland and D. G. Altman, "Statistical methods for assessing agreement between two
       methods of clinical measurement", Lancet 327, 307-310, 1986,
       doi:10.1016/S0140-6736(86)90837-8.

    Examples
    --------
    >>> from sk_dcedenoise.plotting import BlandAltmanDisplay
    >>> display = BlandAltmanDisplay.from_predictions(
    ...     {"ve": [0.2, 0.4]}, {"ve": [0.1, 0.3]}
    ... )
    >>> round(display.bias["ve"], 3)
    0.1
    """

    def __init__(self, params_a, params_b):
        self.names = [name for name in params_a if name in params_b]
        if not self.names:
            raise ValueError(
                f"params_a has {list(params_a)} and params_b {list(params_b)}, but expected at "
                "least one name in common."
            )
        self.means, self.differences, self.bias, self.limits = {}, {}, {}, {}
        for name in self.names:
            a, b = (np.asarray(p[name], dtype=np.float64) for p in (params_a, params_b))
            if a.shape != b.shape or a.ndim != 1:
                raise ValueError(
                    f"{name} has shapes {a.shape} and {b.shape}, but expected (n_curves,) twice: "
                    "give estimates of the same curves."
                )
            known = np.isfinite(a) & np.isfinite(b)
            self._keep(name, a[known], b[known])

    def _keep(self, name, a, b):
        difference = a - b
        self.means[name], self.differences[name] = (a + b) / 2, difference
        bias = float(difference.mean()) if difference.size else np.nan
        sd = float(difference.std(ddof=1)) if difference.size > 1 else np.nan
        self.bias[name], self.limits[name] = bias, (bias - 1.96 * sd, bias + 1.96 * sd)

    @classmethod
    def from_estimator(cls, estimator, X_a, X_b, *, ax=None):
        """Find parameters of two versions of the same curves, and draw.

        Parameters
        ----------
        estimator : object with ``transform`` and ``get_feature_names_out``
            A fitted :class:`~sk_dcedenoise.fitting.ToftsTransformer`.
        X_a, X_b : array-like of shape (n_curves, n_times)
            Curves in mM, such as denoised and noisy ones.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : BlandAltmanDisplay
        """
        names = estimator.get_feature_names_out()
        a, b = (
            dict(zip(names, np.asarray(estimator.transform(X)).T, strict=True)) for X in (X_a, X_b)
        )
        return cls.from_predictions(a, b, ax=ax)

    @classmethod
    def from_predictions(cls, params_a, params_b, *, ax=None):
        """Draw estimates at hand.

        Parameters
        ----------
        params_a, params_b : mapping of str to array-like of shape (n_curves,)
            Estimates by name.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : BlandAltmanDisplay
        """
        return cls(params_a, params_b).plot(ax=ax)

    def plot(self, ax=None, *, labels=("a", "b")):
        """Draw one panel per parameter.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            As many Axes as parameters; or one, whose place is divided; None makes a new figure.
        labels : tuple of str, default=("a", "b")
            What the two estimates are called at the axes.

        Returns
        -------
        self : BlandAltmanDisplay
        """
        self.axes_ = panels(len(self.names), ax, n_columns=3, size=(2.8, 2.4))
        self.figure_ = self.axes_[0].figure
        for panel, name in zip(self.axes_, self.names, strict=True):
            self._draw(panel, name, labels)
        return self

    def _draw(self, panel, name, labels):
        mean, difference = self.means[name], self.differences[name]
        alpha = float(np.clip(40 / np.sqrt(max(mean.size, 1)), 0.05, 0.8))
        style = {"color": COLORS["denoised"], "alpha": alpha, "linewidths": 0, "rasterized": True}
        low, high = _middle(difference, [*self.limits[name], 0.0])
        for marker, rows in (
            ("o", (difference >= low) & (difference <= high)),
            ("^", difference > high),
            ("v", difference < low),
        ):
            panel.scatter(mean[rows], difference[rows].clip(low, high), s=6, marker=marker, **style)
        panel.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
        panel.axhline(self.bias[name], color=COLORS["fitted"], linewidth=1.2)
        for limit in self.limits[name]:
            panel.axhline(limit, color=COLORS["fitted"], linewidth=0.9, linestyle="--")
        panel.set_ylim(low, high)
        if mean.size:
            panel.set_xlim(*_middle(mean, []))
        panel.set(xlabel=f"mean {parameter_label(name)}", ylabel=f"{labels[0]} minus {labels[1]}")
        panel.text(
            0.03,
            0.97,
            f"bias {self.bias[name]:.2g}",
            transform=panel.transAxes,
            va="top",
            fontsize="x-small",
        )
        panel.locator_params(nbins=4)
        tidy(panel)


def _middle(values, others):
    """Ends of a scale that shows the middle 99 % of values, and some others."""
    shown = [*np.percentile(values, [0.5, 99.5])] if values.size else [0.0]
    shown += [value for value in others if np.isfinite(value)]
    low, high = min(shown), max(shown)
    margin = 0.08 * (high - low) or 1.0
    return low - margin, high + margin
