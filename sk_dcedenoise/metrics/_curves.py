"""Measures of how far denoised curves are from clean ones.

Curves are rows, ``(n_curves, n_times)``, in mM. A measure is taken of each curve and then averaged
over the curves; ``average=False`` gives one value per curve.
"""

import numpy as np

from sk_dcedenoise._validation import check_finite_curves


def sum_of_squared_differences(y_true, y_pred, *, average=True):
    """Sum of squared differences along a curve, in mM squared.

    Parameters
    ----------
    y_true : array-like of shape (n_curves, n_times)
        Clean curves.
    y_pred : array-like of shape (n_curves, n_times)
        Denoised curves.
    average : bool, default=True
        Whether to return the mean over the curves instead of one value per curve.

    Returns
    -------
    ssd : float or ndarray of shape (n_curves,)
        0 for equal curves. Grows with the number of frames.

    Raises
    ------
    ValueError
        If the shapes differ, or a curve holds NaN or infinity.

    Examples
    --------
    >>> from sk_dcedenoise.metrics import sum_of_squared_differences
    >>> sum_of_squared_differences([[0.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [2.0, 1.0]])
    2.5
    """
    y_true, y_pred = _check_curves(y_true, y_pred)
    return _averaged(((y_true - y_pred) ** 2).sum(axis=1), average)


def max_abs_difference(y_true, y_pred, *, average=True):
    """Maximum absolute difference along a curve, in mM.

    Parameters
    ----------
    y_true : array-like of shape (n_curves, n_times)
        Clean curves.
    y_pred : array-like of shape (n_curves, n_times)
        Denoised curves.
    average : bool, default=True
        Whether to return the mean over the curves instead of one value per curve.

    Returns
    -------
    difference : float or ndarray of shape (n_curves,)
        0 for equal curves.

    Raises
    ------
    ValueError
        If the shapes differ, or a curve holds NaN or infinity.

    Notes
    -----
    Published code of denoising networks calls this "MAD" and describes it as a mean; what it
    computes is the maximum, and the name here says so.

    Examples
    --------
    >>> from sk_dcedenoise.metrics import max_abs_difference
    >>> max_abs_difference([[0.0, 1.0], [0.0, 1.0]], [[0.5, 2.0], [2.0, 1.0]], average=False)
    array([1., 2.])
    """
    y_true, y_pred = _check_curves(y_true, y_pred)
    return _averaged(np.abs(y_true - y_pred).max(axis=1), average)


def percent_root_mean_square_difference(y_true, y_pred, *, average=True):
    """Root mean square difference as a percentage of the spread of the clean curve.

    Parameters
    ----------
    y_true : array-like of shape (n_curves, n_times)
        Clean curves.
    y_pred : array-like of shape (n_curves, n_times)
        Denoised curves.
    average : bool, default=True
        Whether to return the mean over the curves instead of one value per curve.

    Returns
    -------
    prd : float or ndarray of shape (n_curves,)
        0 for equal curves, 100 for a prediction by the mean of each curve. A constant clean curve
        has no spread: infinity, or NaN where the prediction is exact.

    Raises
    ------
    ValueError
        If the shapes differ, or a curve holds NaN or infinity.

    Notes
    -----
    For a clean curve c with mean m and a prediction p this is
    ``100 sqrt(sum (c - p)**2 / sum (c - m)**2)``, the definition of [1]_ with the mean taken off.
    Published code of denoising networks divides by ``sum (p - M)**2`` instead, the spread of the
    prediction around the mean M of all targets. That is smaller for a larger output, and it
    changes with the other curves of the batch; its values do not compare with these.

    References
    ----------
    .. [1] Y. Zigel, A. Cohen, A. Katz, "The weighted diagnostic distortion (WDD) measure for ECG
       signal compression", IEEE Trans. Biomed. Eng. 47, 1422-1430, 2000, doi:10.1109/10.880093.

    Examples
    --------
    >>> from sk_dcedenoise.metrics import percent_root_mean_square_difference
    >>> percent_root_mean_square_difference([[0.0, 1.0]], [[0.5, 0.5]])
    100.0
    """
    y_true, y_pred = _check_curves(y_true, y_pred)
    spread = ((y_true - y_true.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = ((y_true - y_pred) ** 2).sum(axis=1) / spread
    return _averaged(100 * np.sqrt(ratio), average)


def cosine_similarity(y_true, y_pred, *, average=True):
    """Cosine of the angle between clean and denoised curve.

    Parameters
    ----------
    y_true : array-like of shape (n_curves, n_times)
        Clean curves.
    y_pred : array-like of shape (n_curves, n_times)
        Denoised curves.
    average : bool, default=True
        Whether to return the mean over the curves instead of one value per curve.

    Returns
    -------
    cosine : float or ndarray of shape (n_curves,)
        1 for curves that differ by a positive factor only, -1 for opposite ones. NaN where a curve
        is zero throughout.

    Raises
    ------
    ValueError
        If the shapes differ, or a curve holds NaN or infinity.

    Notes
    -----
    It is blind to a wrong amplitude, which Ktrans is proportional to: never judge by it alone.

    Examples
    --------
    >>> from sk_dcedenoise.metrics import cosine_similarity
    >>> cosine_similarity([[3.0, 4.0]], [[6.0, 8.0]])
    1.0
    """
    y_true, y_pred = _check_curves(y_true, y_pred)
    with np.errstate(invalid="ignore"):
        # Normalised before the product, which could underflow otherwise.
        y_true = y_true / np.linalg.norm(y_true, axis=1, keepdims=True)
        y_pred = y_pred / np.linalg.norm(y_pred, axis=1, keepdims=True)
    return _averaged((y_true * y_pred).sum(axis=1), average)


def root_mean_squared_error(y_true, y_pred, *, average=True):
    """Root of the mean squared difference, in mM.

    Parameters
    ----------
    y_true : array-like of shape (n_curves, n_times)
        Clean curves.
    y_pred : array-like of shape (n_curves, n_times)
        Denoised curves.
    average : bool, default=True
        True takes the mean over all values of all curves before the root, which is what a network
        trained on squared error minimises. False gives one value per curve.

    Returns
    -------
    rmse : float or ndarray of shape (n_curves,)
        0 for equal curves.

    Raises
    ------
    ValueError
        If the shapes differ, or a curve holds NaN or infinity.

    Notes
    -----
    The mean over ``average=False`` is smaller, unless all curves have the same error. For 2-D
    arrays, :func:`sklearn.metrics.root_mean_squared_error` averages the roots of the columns.

    Examples
    --------
    >>> from sk_dcedenoise.metrics import root_mean_squared_error
    >>> root_mean_squared_error([[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [7.0, 7.0]])
    5.0
    """
    y_true, y_pred = _check_curves(y_true, y_pred)
    mean_square = ((y_true - y_pred) ** 2).mean(axis=1)
    return float(np.sqrt(mean_square.mean())) if average else np.sqrt(mean_square)


def snr_gain(y_true, X_noisy, y_denoised, *, average=True):
    """Signal-to-noise ratio gained by denoising, in dB.

    Parameters
    ----------
    y_true : array-like of shape (n_curves, n_times)
        Clean curves.
    X_noisy : array-like of shape (n_curves, n_times)
        Noisy curves, in the unit of `y_true`.
    y_denoised : array-like of shape (n_curves, n_times)
        Denoised curves.
    average : bool, default=True
        Whether to return the mean over the curves instead of one value per curve.

    Returns
    -------
    gain : float or ndarray of shape (n_curves,)
        ``10 log10(sum (X_noisy - y_true)**2 / sum (y_denoised - y_true)**2)``: 0 if nothing
        changed, 20 if the error fell to a tenth, negative if denoising did harm. Infinite where one
        of the two errors is exactly zero, 0 where both are.

    Raises
    ------
    ValueError
        If the shapes differ, or a curve holds NaN or infinity.

    Notes
    -----
    The mean of decibels counts every curve alike, so harm done to precise curves shows, which a
    pooled squared error hides behind the noisiest curves.

    Examples
    --------
    >>> from sk_dcedenoise.metrics import snr_gain
    >>> round(snr_gain([[1.0, 1.0]], [[2.0, 0.0]], [[1.1, 0.9]]), 6)
    20.0
    """
    y_true, y_denoised = _check_curves(y_true, y_denoised)
    y_true, X_noisy = _check_curves(y_true, X_noisy)
    before = ((X_noisy - y_true) ** 2).sum(axis=1)
    after = ((y_denoised - y_true) ** 2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = 10 * (np.log10(before) - np.log10(after))
        gain[before == after] = 0.0
        return _averaged(gain, average)


def _check_curves(y_true, y_pred):
    """Two float64 arrays of one 2-D shape, all finite."""
    y_true = np.asarray(y_true, dtype=np.float64)
    y_pred = np.asarray(y_pred, dtype=np.float64)
    if y_true.ndim != 2 or y_true.shape != y_pred.shape or y_true.size == 0:
        raise ValueError(
            f"y_true has shape {y_true.shape} and the other curves {y_pred.shape}, but expected "
            "one shape (n_curves, n_times): put one curve in each row, on the same time grid."
        )
    check_finite_curves(y_true, "y_true")
    check_finite_curves(y_pred, "y_pred")
    return y_true, y_pred


def _averaged(values, average):
    return float(values.mean()) if average else values
