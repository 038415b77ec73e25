"""Whether what a denoiser removes looks like noise: its correlation in time."""

import numpy as np

from sk_dcedenoise.plotting._axes import COLORS, check_same_shape, panels, tidy


class ResidualAutocorrelationDisplay:
    """Autocorrelation of what was removed, X_noisy - y_denoised, pooled over curves.

    White noise has 1 at lag 0 and nothing beyond. A shape that was removed with the noise shows as
    correlation at short lags. The band holds 95 % of what white noise in as many curves would show;
    a good denoiser's residuals lie a little below zero at short lags, by about its number of
    effective parameters divided by the number of frames.

    Parameters
    ----------
    residuals : array-like of shape (n_curves, n_times)
        What was removed, in mM.
    max_lag : int, default=10
        Longest lag, in frames.

    Attributes
    ----------
    correlation : ndarray of shape (max_lag + 1,)
        Mean product of residuals so many frames apart, relative to their mean square.
    band : float
        Half width of the band.
    figure_ : matplotlib Figure
        The figure drawn in; only after :meth:`plot`.
    axes_ : ndarray of shape (1,) of matplotlib Axes
        The panel; only after :meth:`plot`.

    Raises
    ------
    ValueError
        If residuals are not two-dimensional, or there are no more frames than lags.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.plotting import ResidualAutocorrelationDisplay
    >>> noise = np.random.default_rng(0).normal(size=(1000, 32))
    >>> display = ResidualAutocorrelationDisplay.from_predictions(noise, 0 * noise)
    >>> bool(abs(display.correlation[1:]).max() < 0.03)
    True
    """

    def __init__(self, residuals, max_lag=10):
        residuals = np.asarray(residuals, dtype=np.float64)
        if residuals.ndim != 2 or residuals.shape[1] < 3:
            raise ValueError(
                f"residuals have shape {residuals.shape}, but expected (n_curves, n_times) with "
                "at least 3 frames."
            )
        if not 1 <= max_lag < residuals.shape[1]:
            raise ValueError(
                f"max_lag={max_lag}, but expected 1 to {residuals.shape[1] - 1}, the number of "
                "frames less one."
            )
        residuals = residuals[np.isfinite(residuals).all(axis=1)]
        # Each curve counts alike, whatever its noise.
        size = np.sqrt(np.mean(residuals**2, axis=1, keepdims=True))
        residuals = residuals[size[:, 0] > 0] / size[size[:, 0] > 0]
        n_times = residuals.shape[1]
        products = [
            residuals[:, : n_times - lag] * residuals[:, lag:] for lag in range(max_lag + 1)
        ]
        self.correlation = np.array([p.mean() if p.size else np.nan for p in products])
        self.band = 1.96 / np.sqrt(max(residuals.size, 1))

    @classmethod
    def from_estimator(cls, estimator, X, *, max_lag=10, ax=None):
        """Denoise with a fitted estimator, and draw what it removes.

        Parameters
        ----------
        estimator : object with ``transform``
            A fitted denoiser.
        X : array-like of shape (n_curves, n_times)
            Noisy curves in mM.
        max_lag : int, default=10
            Longest lag, in frames; at most the number of frames less one.
        ax : matplotlib Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : ResidualAutocorrelationDisplay
        """
        X = np.asarray(X)
        return cls.from_predictions(X, estimator.transform(X), max_lag=max_lag, ax=ax)

    @classmethod
    def from_predictions(cls, X_noisy, y_denoised, *, max_lag=10, ax=None):
        """Draw what was removed from curves at hand.

        Parameters
        ----------
        X_noisy, y_denoised : array-like of shape (n_curves, n_times)
            Curves before and after, in mM.
        max_lag : int, default=10
            Longest lag, in frames.
        ax : matplotlib Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : ResidualAutocorrelationDisplay
        """
        X_noisy = np.asarray(X_noisy, dtype=np.float64)
        y_denoised = check_same_shape(y_denoised, "y_denoised", X_noisy, "X_noisy")
        return cls(X_noisy - y_denoised, max_lag).plot(ax=ax)

    def plot(self, ax=None):
        """Draw one stem per lag.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        self : ResidualAutocorrelationDisplay
        """
        self.axes_ = panels(1, ax, n_columns=1, size=(3.6, 2.4))
        panel = self.axes_[0]
        self.figure_ = panel.figure
        lags = np.arange(1, self.correlation.size)
        panel.axhspan(-self.band, self.band, color="0.9", zorder=0)
        panel.axhline(0.0, color="0.6", linewidth=0.8)
        panel.vlines(lags, 0.0, self.correlation[1:], color=COLORS["denoised"], linewidth=1.5)
        panel.plot(lags, self.correlation[1:], "o", color=COLORS["denoised"], markersize=4)
        largest = float(np.nanmax(np.abs(self.correlation[1:]), initial=0.0))
        panel.set_ylim(-1.2 * max(largest, 0.15), 1.2 * max(largest, 0.15))
        panel.set(xlabel="lag (frames)", ylabel="autocorrelation")
        panel.locator_params(axis="x", integer=True)
        tidy(panel)
        return self
