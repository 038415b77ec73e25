"""Steps before a denoiser: from signals to concentrations, and to a scale that suits networks."""

import numbers

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sk_dcedenoise.signal import concentration_from_signal, spgr_signal

_FLOATS = [np.float64, np.float32]


class CurveScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Divide all curves by one factor, learned from the training curves.

    One factor for all curves and frames keeps what a denoiser needs: the shape of each curve, the
    amplitudes relative to each other, and zero. Scalers that treat frames one by one blow up the
    noise before the bolus; scalers that treat curves one by one hide the amplitude.

    Parameters
    ----------
    quantile : float in (0, 1], default=0.95
        The factor is this quantile of the absolute values, so a few wild voxels do not set it. 1 is
        the maximum.

    Attributes
    ----------
    scale_ : float
        The factor, in the unit of the curves. Where the quantile is zero, the maximum; where that
        is zero as well, 1.
    n_features_in_ : int
        Number of frames seen in fit.
    feature_names_in_ : ndarray of shape (n_times,)
        Names of the frames, if the curves came with string names.

    Notes
    -----
    NaN is refused, as denoisers refuse it: mask such curves out first.

    As a step before a denoiser, it scales noisy curves but not their targets, which keep their
    unit: the denoiser then learns to scale back.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.preprocessing import CurveScaler
    >>> curves = np.array([[0.0, 2.0, 1.0], [0.0, 4.0, -1.0]])
    >>> scaler = CurveScaler(quantile=1).fit(curves)
    >>> scaler.scale_
    4.0
    >>> scaler.transform(curves)
    array([[ 0.  ,  0.5 ,  0.25],
           [ 0.  ,  1.  , -0.25]])
    >>> scaler.inverse_transform(scaler.transform(curves))
    array([[ 0.,  2.,  1.],
           [ 0.,  4., -1.]])
    """

    def __init__(self, quantile=0.95):
        self.quantile = quantile

    def fit(self, X, y=None):
        """Learn the factor.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Curves.
        y : Ignored
            Present for the API's sake.

        Returns
        -------
        self : object
            The fitted scaler.

        Raises
        ------
        ValueError
            If `quantile` is out of range, or `X` holds NaN or infinity.
        """
        if not isinstance(self.quantile, numbers.Real) or not 0 < self.quantile <= 1:
            raise ValueError(
                f"quantile={self.quantile!r}, but expected a number above 0 and up to 1: 0.95 "
                "leaves room for wild voxels."
            )
        size = np.abs(validate_data(self, X, dtype=_FLOATS))
        # A Python float keeps float32 curves float32.
        self.scale_ = float(np.quantile(size, self.quantile)) or float(size.max()) or 1.0
        return self

    def transform(self, X):
        """Divide by the factor.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Curves.

        Returns
        -------
        X_scaled : ndarray of shape (n_curves, n_times)
            Scaled curves, in the dtype of X.
        """
        check_is_fitted(self)
        return validate_data(self, X, dtype=_FLOATS, reset=False) / self.scale_

    def inverse_transform(self, X):
        """Multiply by the factor.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Scaled curves.

        Returns
        -------
        X_original : ndarray of shape (n_curves, n_times)
            Curves in the unit of the training curves, in the dtype of X.
        """
        check_is_fitted(self)
        return _check_inverse(self, X) * self.scale_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class SignalToConcentration(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Turn spoiled gradient echo signals into concentrations of contrast agent.

    :func:`~sk_dcedenoise.signal.concentration_from_signal` as the first step of a pipeline. The
    mean of the frames before the bolus is each curve's own reference, so signals may come in any
    unit, with any receive sensitivity.

    Parameters
    ----------
    TR : float
        Repetition time in s.
    flip_angle : float or array-like of shape (n_curves,)
        Flip angle in degrees.
    r1 : float
        Relaxivity in 1/s/mM.
    T10 : float or array-like of shape (n_curves,)
        T1 before contrast in s. One value per curve fits only those curves, in their order, so
        not cross-validation.
    n_baseline : int
        Number of frames before the bolus.
    n_skip : int, default=0
        Number of first frames left out of the baseline, while the signal reaches its steady state.

    Attributes
    ----------
    n_features_in_ : int
        Number of frames seen in fit.
    feature_names_in_ : ndarray of shape (n_times,)
        Names of the frames, if the signals came with string names.

    Notes
    -----
    Where no concentration explains a signal the result is NaN, and the shape stays: NaN signals,
    signals at or above the largest that the sequence can give, and curves whose baseline is not
    positive. Negative concentrations are noise around zero and stay as they are. Denoisers refuse
    NaN, so mask such curves out before: ``known = np.isfinite(concentrations).all(axis=1)``.

    References
    ----------
    .. [1] M. C. Schabel, D. L. Parker, "Uncertainty and bias in contrast concentration measurements
       using spoiled gradient echo pulse sequences", Phys. Med. Biol. 53, 2345-2373, 2008,
       doi:10.1088/0031-9155/53/9/010.

    Examples
    --------
    >>> from sk_dcedenoise.preprocessing import SignalToConcentration
    >>> step = SignalToConcentration(TR=0.005, flip_angle=15, r1=4.5, T10=1.4, n_baseline=2)
    >>> signals = [[200.0, 200.0, 420.0, 360.0]]
    >>> concentrations = step.fit_transform(signals)
    >>> concentrations.round(3)
    array([[0.   , 0.   , 0.217, 0.153]])
    >>> step.inverse_transform(concentrations).round(3)
    array([[1. , 1. , 2.1, 1.8]])
    """

    def __init__(self, *, TR, flip_angle, r1, T10, n_baseline, n_skip=0):
        self.TR = TR
        self.flip_angle = flip_angle
        self.r1 = r1
        self.T10 = T10
        self.n_baseline = n_baseline
        self.n_skip = n_skip

    def fit(self, X, y=None):
        """Check that the settings make sense and the baseline fits the curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Signals in any unit.
        y : Ignored
            Present for the API's sake.

        Returns
        -------
        self : object
            The fitted transformer; nothing is learned but the number of frames.

        Raises
        ------
        ValueError
            If a setting is out of range, or there are fewer frames than baseline frames.
        """
        X = self._check_curves(X, reset=True)
        # Per-curve settings belong to the curves of transform; here the first stands for all.
        settings = self._settings()
        settings |= {name: np.ravel(settings[name])[:1] for name in ("flip_angle", "T10")}
        self._to_concentration(X[:1], settings)
        return self

    def transform(self, X):
        """Convert signals.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Signals in any unit; NaN is passed on.

        Returns
        -------
        X_concentration : ndarray of shape (n_curves, n_times)
            Concentrations in mM, in the dtype of X; NaN where there is no answer.

        Raises
        ------
        ValueError
            If a setting per curve has another length than `X`.
        """
        check_is_fitted(self)
        X = self._check_curves(X, reset=False)
        return self._to_concentration(X, self._settings()).astype(X.dtype, copy=False)

    def inverse_transform(self, X):
        """Simulate signals, relative to those before contrast.

        The unit of the original signals is not kept; multiplied by the mean of a curve's baseline
        frames, the result is in that unit.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Concentrations in mM.

        Returns
        -------
        X_signal : ndarray of shape (n_curves, n_times)
            Signals divided by the signal of zero concentration, in the dtype of X.
        """
        check_is_fitted(self)
        X = _check_inverse(self, X, ensure_all_finite="allow-nan")
        settings = self._settings()
        signal = spgr_signal(X, **settings) / spgr_signal(np.zeros((len(X), 1)), **settings)
        return signal.astype(X.dtype, copy=False)

    def _settings(self):
        return {"TR": self.TR, "flip_angle": self.flip_angle, "r1": self.r1, "T10": self.T10}

    def _to_concentration(self, X, settings):
        frames = {"n_baseline": self.n_baseline, "n_skip": self.n_skip}
        return concentration_from_signal(X, **settings, **frames)

    def _check_curves(self, X, *, reset):
        return validate_data(self, X, dtype=_FLOATS, ensure_all_finite="allow-nan", reset=reset)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check_inverse(transformer, X, **checks):
    """Curves for an inverse; names are not asked for, as what denoisers return has none."""
    X = check_array(X, dtype=_FLOATS, input_name="X", **checks)
    if X.shape[1] != transformer.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} frames, but expected {transformer.n_features_in_}, the number "
            "seen in fit: give whole curves."
        )
    return X
