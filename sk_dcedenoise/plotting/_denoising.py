"""Curves before and after denoising, in small multiples."""

import numbers

import numpy as np

from sk_dcedenoise._validation import check_time
from sk_dcedenoise.plotting._axes import COLORS, check_same_shape, label_outside, panels, tidy


class DenoisingDisplay:
    """Curves before and after denoising, one panel per curve.

    Made by :meth:`from_estimator` or :meth:`from_predictions`; the constructor only keeps what it
    is given.

    Parameters
    ----------
    time : array-like of shape (n_times,)
        Frame times in seconds.
    X_noisy : array-like of shape (n_curves, n_times)
        Curves as measured, in mM.
    y_denoised : array-like of shape (n_curves, n_times)
        The same curves denoised, in mM.
    y_clean : array-like of shape (n_curves, n_times), default=None
        The truth, in mM, where it is known.
    y_fitted : array-like of shape (n_curves, n_times), default=None
        Curves of a kinetic model fitted to the denoised ones, in mM.
    y_std : array-like of shape (n_curves, n_times), default=None
        Standard deviations of the denoised values, in mM; drawn as a band of 1.96 on either side.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure drawn in; only after :meth:`plot`.
    axes_ : ndarray of shape (n_curves,) of matplotlib Axes
        One panel per curve; only after :meth:`plot`.

    Raises
    ------
    ValueError
        If shapes do not fit each other.

    See Also
    --------
    ParameterScatterDisplay : Estimated against true parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.baselines import PCADenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.plotting import DenoisingDisplay
    >>> X, y = make_dce_curves(500, noise_levels=0.2, random_state=0)
    >>> display = DenoisingDisplay.from_estimator(
    ...     PCADenoiser().fit(X), X, y, time=3.75 * np.arange(32), curves=4
    ... )
    >>> display.X_noisy.shape, len(display.axes_)
    ((4, 32), 4)

    """

    def __init__(self, time, X_noisy, y_denoised, *, y_clean=None, y_fitted=None, y_std=None):
        self.X_noisy = np.asarray(X_noisy, dtype=np.float64)
        if self.X_noisy.ndim != 2:
            raise ValueError(
                f"X_noisy has shape {self.X_noisy.shape}, but expected (n_curves, n_times): put "
                "one curve in each row."
            )
        self.time = check_time(time, n_times=self.X_noisy.shape[1])
        self.y_denoised = check_same_shape(y_denoised, "y_denoised", self.X_noisy, "X_noisy")
        given = (y_clean, "y_clean"), (y_fitted, "y_fitted"), (y_std, "y_std")
        self.y_clean, self.y_fitted, self.y_std = (
            y if y is None else check_same_shape(y, name, self.X_noisy, "X_noisy")
            for y, name in given
        )

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, time, curves=6, ax=None):
        """Denoise with a fitted estimator, and draw.

        Parameters
        ----------
        estimator : object with ``transform``
            A fitted denoiser, or a Pipeline that ends in one.
        X : array-like of shape (n_curves, n_times)
            Noisy curves in mM.
        y : array-like of shape (n_curves, n_times), default=None
            Clean curves in mM, where they are known.
        time : array-like of shape (n_times,)
            Frame times in seconds.
        curves : int or array-like of int, default=6
            Rows to draw. A number takes that many, at even ranks from the weakest to the strongest
            enhancement, so that nobody picked them.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : DenoisingDisplay
        """
        X = np.asarray(X)
        denoised = np.asarray(estimator.transform(X))
        return cls.from_predictions(X, denoised, y, time=time, curves=curves, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        X_noisy,
        y_denoised,
        y_clean=None,
        *,
        time,
        y_fitted=None,
        y_std=None,
        curves=6,
        ax=None,
    ):
        """Draw curves that were denoised already.

        Parameters
        ----------
        X_noisy, y_denoised : array-like of shape (n_curves, n_times)
            Curves before and after, in mM.
        y_clean : array-like of shape (n_curves, n_times), default=None
            Clean curves in mM, where they are known.
        time : array-like of shape (n_times,)
            Frame times in seconds.
        y_fitted : array-like of shape (n_curves, n_times), default=None
            Curves of a kinetic model fitted to the denoised ones, in mM.
        y_std : array-like of shape (n_curves, n_times), default=None
            Standard deviations of the denoised values, in mM.
        curves : int or array-like of int, default=6
            Rows to draw, as in :meth:`from_estimator`.
        ax : matplotlib Axes or array of Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : DenoisingDisplay
        """
        others = {"y_clean": y_clean, "y_fitted": y_fitted, "y_std": y_std}
        whole = cls(time, X_noisy, y_denoised, **others)
        rows = _chosen_rows(whole.X_noisy, curves)
        few = {name: getattr(whole, name) for name in others}
        few = {name: y if y is None else y[rows] for name, y in few.items()}
        display = cls(whole.time, whole.X_noisy[rows], whole.y_denoised[rows], **few)
        return display.plot(ax=ax)

    def plot(self, ax=None):
        """Draw one panel per curve.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            As many Axes as curves; or one, whose place is divided; None makes a new figure.

        Returns
        -------
        self : DenoisingDisplay
        """
        self.axes_ = panels(len(self.X_noisy), ax, n_columns=3, size=(2.6, 2.0))
        self.figure_ = self.axes_[0].figure
        for i, panel in enumerate(self.axes_):
            self._draw(panel, i)
        label_outside(self.axes_, x="time (s)", y="C (mM)")
        self.axes_[0].legend(frameon=False, fontsize="x-small", handlelength=1.5)
        return self

    def _draw(self, panel, i):
        style = {"color": COLORS["noisy"], "marker": "o", "markersize": 2.5}
        panel.plot(self.time, self.X_noisy[i], linewidth=0.5, label="noisy", **style)
        if self.y_clean is not None:
            panel.plot(self.time, self.y_clean[i], color=COLORS["clean"], lw=1.2, label="clean")
        if self.y_fitted is not None:
            fitted = {"color": COLORS["fitted"], "linestyle": "--", "linewidth": 1.2}
            panel.plot(self.time, self.y_fitted[i], label="fitted", **fitted)
        panel.plot(
            self.time, self.y_denoised[i], color=COLORS["denoised"], lw=1.5, label="denoised"
        )
        if self.y_std is not None:
            middle, half = self.y_denoised[i], 1.96 * self.y_std[i]
            band = {"color": COLORS["denoised"], "alpha": 0.2, "linewidth": 0}
            panel.fill_between(self.time, middle - half, middle + half, **band)
        panel.axhline(0.0, color="0.85", linewidth=0.6, zorder=0)
        tidy(panel)


def _chosen_rows(X_noisy, curves):
    """Indices of the curves to draw."""
    n_curves = len(X_noisy)
    if not isinstance(curves, numbers.Integral):
        return np.asarray(curves, dtype=int)
    if curves < 1:
        raise ValueError(f"curves={curves}, but expected at least 1, or the rows to draw.")
    # The middles of equal shares: the extreme curves of a data set are as a rule artefacts.
    ranks = (np.arange(min(curves, n_curves)) + 0.5) / min(curves, n_curves) * n_curves
    return np.argsort(X_noisy.mean(axis=1), kind="stable")[ranks.astype(int)]
