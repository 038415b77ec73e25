"""Doing nothing, the baseline that a harmful denoiser falls behind."""

from sk_dcedenoise.baselines._base import CurveDenoiser


class IdentityDenoiser(CurveDenoiser):
    """Return curves as they are.

    Attributes
    ----------
    n_features_in_ : int
        Number of frames seen in fit.
    feature_names_in_ : ndarray of shape (n_times,)
        Names of the frames, if the curves came with string names.

    Examples
    --------
    >>> from sk_dcedenoise.baselines import IdentityDenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.metrics import snr_gain
    >>> X, y = make_dce_curves(10, random_state=0)
    >>> snr_gain(y, X, IdentityDenoiser().fit_transform(X))
    0.0
    """

    def fit(self, X, y=None):
        """Learn the number of frames.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.
        y : Ignored
            Present for the API's sake.

        Returns
        -------
        self : object
            The fitted denoiser.
        """
        self._check_fit(X)
        return self

    def transform(self, X):
        """Copy curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        X_copy : ndarray of shape (n_curves, n_times)
            The same curves.
        """
        return self._check_transform(X).copy()
