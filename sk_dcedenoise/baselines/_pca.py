"""Projection on the first principal components."""

from sklearn.decomposition import PCA

from sk_dcedenoise.baselines._base import CurveDenoiser


class PCADenoiser(CurveDenoiser):
    """Keep the first principal components of curves and drop the rest as noise.

    Kinetic curves lie near a space of few dimensions; white noise spreads over all of them. What
    stays are the components in which curves differ most.

    Parameters
    ----------
    n_components : int, default=3
        Number of components kept, besides the mean curve.

    Attributes
    ----------
    pca_ : :class:`~sklearn.decomposition.PCA`
        Fitted decomposition.
    n_features_in_ : int
        Number of frames seen in fit.
    feature_names_in_ : ndarray of shape (n_times,)
        Names of the frames, if the curves came with string names.

    Notes
    -----
    All frames share one scale: no frame is standardised, which would blow up the noise of those
    before the bolus. A common factor on all curves is a common factor on the output, so no scaler
    is needed before.

    On the reference law with its mixed noise levels three components give 1.25 times the least
    possible error; a law with unknown delays needs five or six.

    References
    ----------
    .. [1] K. Pearson, "On lines and planes of closest fit to systems of points in space", Phil.
       Mag. 2, 559-572, 1901, doi:10.1080/14786440109462720.

    Examples
    --------
    >>> from sk_dcedenoise.baselines import PCADenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.metrics import snr_gain
    >>> X, y = make_dce_curves(1000, noise_levels=0.1, random_state=0)
    >>> gain = snr_gain(y, X, PCADenoiser().fit_transform(X))
    >>> 9 < gain < 12
    True
    """

    def __init__(self, n_components=3):
        self.n_components = n_components

    def fit(self, X, y=None):
        """Learn the components.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.
        y : array-like of shape (n_curves, n_times), default=None
            Clean curves. If given, the components are those of the clean curves; if not, those of
            the noisy ones.

        Returns
        -------
        self : object
            The fitted denoiser.

        Raises
        ------
        ValueError
            If there are fewer curves or frames than components, or `y` has another shape than `X`.
        """
        X = self._check_fit(X)
        curves = X if y is None else self._check_clean(X, y)
        self.pca_ = PCA(self.n_components, svd_solver="full").fit(curves)
        return self

    def transform(self, X):
        """Project curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        X_denoised : ndarray of shape (n_curves, n_times)
            Their nearest points in the space of the components, in the dtype of X.
        """
        X = self._check_transform(X)
        return self.pca_.inverse_transform(self.pca_.transform(X)).astype(X.dtype, copy=False)
