"""Estimated against true kinetic parameters."""

import numpy as np

from sk_dcedenoise.metrics import parameter_errors
from sk_dcedenoise.plotting._axes import COLORS, panels, parameter_label, tidy


class ParameterScatterDisplay:
    """Estimated against true parameters, one panel per parameter.

    The line is where estimates are right. Estimates beyond the panel are drawn as triangles at its
    edge and counted. The error in the corner is over all curves with a finite estimate.

    Parameters
    ----------
    params_true : mapping of str to array-like of shape (n_curves,)
        True parameters by name; a DataFrame and the params of
        :func:`~sk_dcedenoise.datasets.make_dce_curves` are such mappings. Ktrans, kep, Fp and PS
        in 1/min, ve and vp fractions, delay in s.
    params_est : mapping of str to array-like of shape (n_curves,)
        Estimates; NaN where there is none. Names that `params_true` lacks are left out.

    Attributes
    ----------
    names : list of str
        Parameters drawn, in the order of `params_est`.
    errors : dict of dict
        What :func:`~sk_dcedenoise.metrics.parameter_errors` says of them.
    figure_ : matplotlib Figure
        The figure drawn in; only after :meth:`plot`.
    axes_ : ndarray of shape (n_params,) of matplotlib Axes
        One panel per parameter; only after :meth:`plot`.

    Raises
    ------
    ValueError
        If no name is shared, or lengths differ.

    See Also
    --------
    ParameterHistogramDisplay : Where no truth is known.

    Examples
    --------
    >>> from sk_dcedenoise.plotting import ParameterScatterDisplay
    >>> display = ParameterScatterDisplay.from_predictions(
    ...     {"Ktrans": [0.1, 0.2, 0.3]}, {"Ktrans": [0.11, 0.19, 0.32]}
    ... )
    >>> display.axes_[0].get_xlabel()
    'true $K^\\\\mathrm{trans}$ (1/min)'
    """

    def __init__(self, params_true, params_est):
        self.errors = parameter_errors(params_true, params_est)
        self.names = list(self.errors)
        self.params_true, self.params_est = (
            {name: np.asarray(params[name], dtype=np.float64) for name in self.names}
            for params in (params_true, params_est)
        )

    @classmethod
    def from_estimator(cls, estimator, X, params_true, *, ax=None):
        """Find parameters with a fitted estimator, and draw.

        Parameters
        ----------
        estimator : object with ``transform`` and ``get_feature_names_out``
            A fitted :class:`~sk_dcedenoise.fitting.ToftsTransformer`, or a Pipeline that ends in
            one.
        X : array-like of shape (n_curves, n_times)
            Curves in mM.
        params_true : mapping of str to array-like of shape (n_curves,)
            True parameters by name.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : ParameterScatterDisplay
        """
        columns = np.asarray(estimator.transform(X)).T
        names = estimator.get_feature_names_out()
        return cls.from_predictions(params_true, dict(zip(names, columns, strict=True)), ax=ax)

    @classmethod
    def from_predictions(cls, params_true, params_est, *, ax=None):
        """Draw estimates at hand.

        Parameters
        ----------
        params_true, params_est : mapping of str to array-like of shape (n_curves,)
            Parameters by name.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : ParameterScatterDisplay
        """
        return cls(params_true, params_est).plot(ax=ax)

    def plot(self, ax=None, *, color=COLORS["denoised"]):
        """Draw one panel per parameter.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            As many Axes as parameters; or one, whose place is divided; None makes a new figure.
        color : matplotlib color, default="#0072B2"
            Colour of the points.

        Returns
        -------
        self : ParameterScatterDisplay
        """
        self.axes_ = panels(len(self.names), ax, n_columns=3, size=(2.6, 2.6))
        self.figure_ = self.axes_[0].figure
        for panel, name in zip(self.axes_, self.names, strict=True):
            self._draw(panel, name, color)
        return self

    def _draw(self, panel, name, color):
        true, est = self.params_true[name], self.params_est[name]
        true, est = true[np.isfinite(est)], est[np.isfinite(est)]
        # The scale is that of the truth: a few wild estimates would leave a dot of all the others.
        shown = self.params_true[name]
        spread = np.ptp(shown) or 1.0
        low, high = shown.min() - 0.1 * spread, shown.max() + 0.25 * spread
        inside = (est >= low) & (est <= high)
        alpha = float(np.clip(40 / np.sqrt(max(est.size, 1)), 0.15, 0.8))
        style = {"color": color, "alpha": alpha, "linewidths": 0, "rasterized": True}
        panel.scatter(true[inside], est[inside], s=5, **style)
        for marker, edge, out in (("^", high, est > high), ("v", low, est < low)):
            panel.scatter(true[out], np.full(out.sum(), edge), s=8, marker=marker, **style)
        panel.axline((0, 0), slope=1, color="0.2", linewidth=0.8)
        panel.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
        label = parameter_label(name)
        panel.set(xlabel=f"true {label}", ylabel=f"estimated {label}")
        note = f"RMSE {self.errors[name]['rmse']:.3g}"
        if not inside.all():
            note += f"\n{np.mean(~inside):.1%} outside"
        panel.text(0.04, 0.96, note, transform=panel.transAxes, va="top", fontsize="small")
        panel.locator_params(nbins=4)
        tidy(panel)
