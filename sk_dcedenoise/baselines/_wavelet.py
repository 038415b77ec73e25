"""Soft thresholding of wavelet coefficients."""

import numpy as np

from sk_dcedenoise._validation import check_positive
from sk_dcedenoise.baselines._base import CurveDenoiser

# Median of |z| for a standard normal z: turns a median absolute value into a standard deviation.
_NORMAL_MEDIAN = 0.6744897501960817


class WaveletDenoiser(CurveDenoiser):
    """Shrink the wavelet coefficients of each curve towards zero by a noise-dependent threshold.

    The noise is estimated curve by curve from the finest coefficients. Needs PyWavelets, which is
    not installed with this package: ``pip install PyWavelets``.

    Parameters
    ----------
    wavelet : str, default="db2"
        Name of an orthogonal wavelet that PyWavelets knows.
    level : int, default=None
        Depth of the decomposition. None means as deep as the curve's length allows.
    threshold : float, default=0.6
        Threshold in units of the universal one, ``sd sqrt(2 log n_times)``; at least 0.

    Attributes
    ----------
    n_features_in_ : int
        Number of frames seen in fit.
    feature_names_in_ : ndarray of shape (n_times,)
        Names of the frames, if the curves came with string names.

    Notes
    -----
    The universal threshold is made for long signals; a curve of a few dozen frames wants less.
    Approximation coefficients are kept. Frames are taken as equally spaced. As a curve has few
    frames, the depth is shallow: 32 frames and "db2" allow 3.

    References
    ----------
    .. [1] D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage",
       Biometrika 81, 425-455, 1994, doi:10.1093/biomet/81.3.425.

    Examples
    --------
    >>> from sk_dcedenoise.baselines import WaveletDenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.metrics import snr_gain
    >>> X, y = make_dce_curves(1000, noise_levels=0.2, random_state=0)
    >>> snr_gain(y, X, WaveletDenoiser().fit_transform(X)) > 2  # doctest: +SKIP
    True
    """

    def __init__(self, wavelet="db2", level=None, threshold=0.6):
        self.wavelet = wavelet
        self.level = level
        self.threshold = threshold

    def fit(self, X, y=None):
        """Check the settings; nothing is learned.

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
        ImportError
            If PyWavelets is not installed.
        ValueError
            If `threshold` is negative or PyWavelets refuses the wavelet.
        """
        check_positive(self.threshold, "threshold", allow_zero=True)
        _import_pywt().Wavelet(self.wavelet)
        self._check_fit(X)
        return self

    def transform(self, X):
        """Shrink coefficients.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.

        Returns
        -------
        X_denoised : ndarray of shape (n_curves, n_times)
            Denoised curves, in the dtype of X.
        """
        X = self._check_transform(X)
        pywt = _import_pywt()
        approximation, *details = pywt.wavedec(X, self.wavelet, level=self.level, axis=1)
        if not details:
            return X.copy()
        sd = np.median(np.abs(details[-1]), axis=1, keepdims=True) / _NORMAL_MEDIAN
        limit = self.threshold * sd * np.sqrt(2 * np.log(X.shape[1]))
        details = [np.sign(d) * np.maximum(np.abs(d) - limit, 0) for d in details]
        smooth = pywt.waverec([approximation, *details], self.wavelet, axis=1)
        # An odd number of frames comes back with one more.
        return smooth[:, : X.shape[1]].astype(X.dtype, copy=False)


def _import_pywt():
    try:
        import pywt
    except ImportError as error:
        raise ImportError(
            "WaveletDenoiser needs PyWavelets, but it is not installed: pip install PyWavelets."
        ) from error
    return pywt
