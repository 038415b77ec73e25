"""How the loss fell while a network was trained."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_dcedenoise.plotting._axes import COLORS, panels, tidy


class TrainingHistoryDisplay:
    """Loss of training and validation curves, epoch by epoch, on a logarithmic scale.

    Parameters
    ----------
    train_loss : array-like of shape (n_epochs,)
        Loss on the training curves.
    valid_loss : array-like of shape (n_epochs,), default=None
        Loss on the validation curves, where some were held back; NaN in epochs without.
    best_epoch : int, default=None
        Epoch, counted from 1, whose weights were kept; None means that of the least validation
        loss, if there is any.

    Attributes
    ----------
    best_epoch : int or None
        As given or found.
    figure_ : matplotlib Figure
        The figure drawn in; only after :meth:`plot`.
    axes_ : ndarray of shape (1,) of matplotlib Axes
        The panel; only after :meth:`plot`.

    Raises
    ------
    ValueError
        If there is no epoch, or lengths differ.

    Examples
    --------
    >>> from sk_dcedenoise.plotting import TrainingHistoryDisplay
    >>> TrainingHistoryDisplay.from_predictions([1.0, 0.5, 0.4], [1.1, 0.6, 0.7]).best_epoch
    2
    """

    def __init__(self, train_loss, valid_loss=None, best_epoch=None):
        self.train_loss = np.asarray(train_loss, dtype=np.float64)
        if self.train_loss.ndim != 1 or not self.train_loss.size:
            raise ValueError(
                f"train_loss has shape {self.train_loss.shape}, but expected (n_epochs,) with at "
                "least one epoch."
            )
        self.valid_loss, self.best_epoch = None, best_epoch
        if valid_loss is not None:
            self.valid_loss = np.asarray(valid_loss, dtype=np.float64)
            if self.valid_loss.shape != self.train_loss.shape:
                raise ValueError(
                    f"valid_loss has shape {self.valid_loss.shape}, but expected "
                    f"{self.train_loss.shape}, that of train_loss: give one loss for each epoch."
                )
            if best_epoch is None and np.isfinite(self.valid_loss).any():
                self.best_epoch = int(np.nanargmin(self.valid_loss)) + 1

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the history of a fitted denoiser.

        Parameters
        ----------
        estimator : fitted denoiser
            With ``history``, as every network of :mod:`sk_dcedenoise.denoisers` keeps it.
        ax : matplotlib Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : TrainingHistoryDisplay
        """
        check_is_fitted(estimator)
        train, valid = (
            [epoch.get(key, np.nan) for epoch in estimator.history]
            for key in ("train_loss", "valid_loss")
        )
        kept = np.flatnonzero([epoch.get("valid_loss_best", False) for epoch in estimator.history])
        return cls.from_predictions(
            train,
            valid if np.isfinite(valid).any() else None,
            best_epoch=int(kept[-1]) + 1 if kept.size else None,
            ax=ax,
        )

    @classmethod
    def from_predictions(cls, train_loss, valid_loss=None, *, best_epoch=None, ax=None):
        """Draw losses at hand.

        Parameters
        ----------
        train_loss : array-like of shape (n_epochs,)
            Loss on the training curves.
        valid_loss : array-like of shape (n_epochs,), default=None
            Loss on the validation curves.
        best_epoch : int, default=None
            Epoch whose weights were kept.
        ax : matplotlib Axes, default=None
            As :meth:`plot` takes it.

        Returns
        -------
        display : TrainingHistoryDisplay
        """
        return cls(train_loss, valid_loss, best_epoch).plot(ax=ax)

    def plot(self, ax=None):
        """Draw both losses.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        self : TrainingHistoryDisplay
        """
        self.axes_ = panels(1, ax, n_columns=1, size=(3.6, 2.4))
        panel = self.axes_[0]
        self.figure_ = panel.figure
        epochs = np.arange(1, self.train_loss.size + 1)
        style = {"linewidth": 1.3, "marker": "o" if epochs.size < 3 else None}
        panel.plot(epochs, self.train_loss, color=COLORS["noisy"], label="training", **style)
        if self.valid_loss is not None:
            color = COLORS["denoised"]
            panel.plot(epochs, self.valid_loss, color=color, label="validation", **style)
        if self.best_epoch is not None:
            panel.axvline(self.best_epoch, color="0.8", linewidth=0.8, zorder=0)
        panel.set(xlabel="epoch", ylabel="loss", yscale="log")
        panel.locator_params(axis="x", integer=True)
        panel.legend(frameon=False, fontsize="x-small")
        tidy(panel)
        return self
