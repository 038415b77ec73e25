"""Smoothing by a moving polynomial."""

from scipy.signal import savgol_filter

from sk_dcedenoise.baselines._base import CurveDenoiser


class SavitzkyGolayDenoiser(CurveDenoiser):
    """Replace each point by the value of a polynomial fitted to its neighbours.

    Parameters
    ----------
    window_length : int, default=7
        Number of frames in the window, at most that of the curve.
    polyorder : int, default=2
        Degree of the polynomial, less than `window_length`.

    Attributes
    ----------
    n_features_in_ : int
        Number of frames seen in fit.
    feature_names_in_ : ndarray of shape (n_times,)
        Names of the frames, if the curves came with string names.

    Notes
    -----
    Frames are taken as equally spaced. At both ends the polynomial of the outermost window serves.
    Smoothers know nothing of kinetics: they blunt the first pass of the bolus, so at 2 % noise the
    result is several times worse than the noisy curve.

    References
    ----------
    .. [1] A. Savitzky, M. J. E. Golay, "Smoothing and differentiation of data by simplified least
       squares procedures", Anal. Chem. 36, 1627-1639, 1964, doi:10.1021/ac60214a047.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.baselines import SavitzkyGolayDenoiser
    >>> parabola = np.arange(10.0)[np.newaxis] ** 2
    >>> np.allclose(SavitzkyGolayDenoiser().fit_transform(parabola), parabola)
    True
    """

    def __init__(self, window_length=7, polyorder=2):
        self.window_length = window_length
        self.polyorder = polyorder

    def fit(self, X, y=None):
        """Check that the window fits the curves.

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

        Raises
        ------
        ValueError
            If the window is longer than the curves or not longer than the degree.
        """
        X = self._check_fit(X)
        if not 0 <= self.polyorder < self.window_length <= X.shape[1]:
            raise ValueError(
                f"polyorder={self.polyorder!r} and window_length={self.window_length!r} for curves "
                f"of {X.shape[1]} frames, but expected 0 <= polyorder < window_length <= frames."
            )
        return self

    def transform(self, X):
        """Smooth curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        X_denoised : ndarray of shape (n_curves, n_times)
            Smoothed curves, in the dtype of X.
        """
        X = self._check_transform(X)
        smooth = savgol_filter(X, self.window_length, self.polyorder, axis=1, mode="interp")
        return smooth.astype(X.dtype, copy=False)
