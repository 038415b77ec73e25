"""Distributions of kinetic parameters, where no truth is known."""

import numpy as np

from sk_dcedenoise.plotting._axes import COLORS, label_outside, panels, parameter_label, tidy


class ParameterHistogramDisplay:
    """Distribution of parameters fitted to curves before and after denoising, a panel each.

    Values beyond the panel are gathered in its last bins, so that bars always add up to all curves
    with a finite estimate.

    Parameters
    ----------
    params_noisy : mapping of str to array-like of shape (n_curves,)
        Parameters of the curves as measured, by name. Ktrans, kep, Fp and PS in 1/min, ve and vp
        fractions, delay in s. NaN where there is no estimate.
    params_denoised : mapping of str to array-like of shape (n_curves,)
        Parameters of the denoised curves, under the same names.

    Attributes
    ----------
    names : list of str
        Parameters drawn.
    figure_ : matplotlib Figure
        The figure drawn in; only after :meth:`plot`.
    axes_ : ndarray of shape (n_params,) of matplotlib Axes
        One panel per parameter; only after :meth:`plot`.

    Raises
    ------
    ValueError
        If the names differ.

    See Also
    --------
    ParameterScatterDisplay : Estimates against the truth.

    Examples
    --------
    >>> from sk_dcedenoise.plotting import ParameterHistogramDisplay
    >>> display = ParameterHistogramDisplay.from_predictions(
    ...     {"vp": [0.01, 0.03, 0.02]}, {"vp": [0.02, 0.02, 0.02]}
    ... )
    >>> display.axes_[0].get_ylabel()
    'curves'
    """

    def __init__(self, params_noisy, params_denoised):
        if list(params_noisy) != list(params_denoised):
            raise ValueError(
                f"params_denoised has {list(params_denoised)}, but expected {list(params_noisy)}, "
                "the names of params_noisy: fit the same model to both."
            )
        self.names = list(params_noisy)
        self.params_noisy, self.params_denoised = (
            {name: np.asarray(params[name], dtype=np.float64) for name in self.names}
            for params in (params_noisy, params_denoised)
        )

    @classmethod
    def from_predictions(cls, params_noisy, params_denoised, *, ax=None):
        """Draw parameters at hand.

        Parameters
        ----------
        params_noisy, params_denoised : mapping of str to array-like of shape (n_curves,)
            Parameters by name.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : ParameterHistogramDisplay
        """
        return cls(params_noisy, params_denoised).plot(ax=ax)

    def plot(self, ax=None, *, bins=40):
        """Draw one panel per parameter.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            As many Axes as parameters; or one, whose place is divided; None makes a new figure.
        bins : int, default=40
            Number of bins.

        Returns
        -------
        self : ParameterHistogramDisplay
        """
        self.axes_ = panels(len(self.names), ax, n_columns=3, size=(2.6, 2.0))
        self.figure_ = self.axes_[0].figure
        for panel, name in zip(self.axes_, self.names, strict=True):
            self._draw(panel, name, bins)
        label_outside(self.axes_, y="curves")
        self.axes_[0].legend(frameon=False, fontsize="x-small")
        return self

    def _draw(self, panel, name, bins):
        noisy, denoised = (
            values[np.isfinite(values)]
            for values in (self.params_noisy[name], self.params_denoised[name])
        )
        both = np.concatenate([noisy, denoised, [0.0]])
        # From the bulk of both: fits of noise reach to the bounds and would squeeze the rest.
        low, high = np.percentile(both, [0.5, 97])
        edges = np.linspace(min(low, 0.0), high if high > low else low + 1.0, bins + 1)
        for values, key in ((noisy, "noisy"), (denoised, "denoised")):
            values = np.clip(values, edges[0], edges[-1])
            style = {"histtype": "step", "linewidth": 1.3, "color": COLORS[key]}
            panel.hist(values, edges, label=f"fit of {key} curves", **style)
        panel.set_xlabel(parameter_label(name))
        panel.locator_params(axis="x", nbins=4)
        tidy(panel)
