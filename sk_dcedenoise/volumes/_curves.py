"""The curve of a region, and the arterial input function that an artery's voxels show."""

import numpy as np

from sk_dcedenoise._validation import check_fraction, check_option, check_whole_number


def mean_curve(curves, *, skip_nan=False):
    """Return the mean curve of a region.

    Parameters
    ----------
    curves : array-like of shape (n_curves, n_times)
        Curves of the region's voxels.
    skip_nan : bool, default=False
        Whether voxels with NaN or infinity are left out; else they are an error.

    Returns
    -------
    curve : ndarray of shape (n_times,), float64

    Raises
    ------
    ValueError
        If there is no voxel to take, or one holds NaN or infinity.

    Examples
    --------
    >>> from sk_dcedenoise.volumes import mean_curve
    >>> mean_curve([[0.0, 1.0], [0.0, 3.0]])
    array([0., 2.])
    """
    return _whole_curves(curves, skip_nan).mean(axis=0)


def aif_from_curves(curves, *, n_voxels=None, hematocrit=None, skip_nan=False):
    """Return the plasma curve that the voxels of an artery show.

    Parameters
    ----------
    curves : array-like of shape (n_curves, n_times)
        Concentrations in mM in the voxels of an artery.
    n_voxels : int, default=None
        How many voxels to take the mean of, those with the highest peak: at the artery's wall, a
        voxel holds tissue as well. Peaks are high by noise, too, so a few voxels read higher than
        many. None takes all.
    hematocrit : float in [0, 1), default=None
        None takes the curves as plasma; a number takes them as blood and divides them by
        1 - hematocrit.
    skip_nan : bool, default=False
        Whether voxels with NaN or infinity are left out; else they are an error.

    Returns
    -------
    cp : ndarray of shape (n_times,), float64
        Plasma concentration in mM.

    Raises
    ------
    ValueError
        If there is no voxel to take, fewer than `n_voxels`, or one holds NaN or infinity.

    Examples
    --------
    >>> from sk_dcedenoise.volumes import aif_from_curves
    >>> blood = [[0.0, 3.0, 1.0], [0.0, 1.0, 0.5]]
    >>> aif_from_curves(blood, n_voxels=1, hematocrit=0.5)
    array([0., 6., 2.])
    """
    curves = _whole_curves(curves, skip_nan)
    if n_voxels is not None:
        n_voxels = check_whole_number(n_voxels, "n_voxels", most=len(curves))
        curves = curves[np.argsort(-curves.max(axis=1), kind="stable")[:n_voxels]]
    plasma = 1.0 if hematocrit is None else 1.0 - check_fraction(hematocrit, "hematocrit")
    return curves.mean(axis=0) / plasma


def _whole_curves(curves, skip_nan):
    check_option(skip_nan, "skip_nan", (True, False))
    curves = np.asarray(curves, dtype=np.float64)
    if curves.ndim != 2:
        raise ValueError(
            f"curves have shape {curves.shape}, but expected (n_curves, n_times): put one curve in "
            "each row."
        )
    whole = np.isfinite(curves).all(axis=1)
    if not whole.any() or not (skip_nan or whole.all()):
        raise ValueError(
            f"{np.sum(~whole)} of the region's {len(curves)} voxels hold NaN or infinity, but "
            f"expected {'a finite one' if skip_nan else 'finite values'}: mask them out first."
        )
    return curves[whole]
