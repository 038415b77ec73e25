"""From a volume to curves and back: axes are (..., n_times), with time last."""

import numpy as np


def curves_from_volume(volume, mask):
    """Take the curves of the masked voxels out of a dynamic volume.

    Parameters
    ----------
    volume : array-like of shape ``(*spatial, n_times)``
        Any number of spatial axes, time last.
    mask : array-like of shape ``(*spatial,)``
        True (or 1) where a voxel is wanted, False (or 0) elsewhere.

    Returns
    -------
    curves : ndarray of shape (n_curves, n_times)
        A copy of the wanted voxels, in the order in which the mask holds them (last spatial axis
        fastest).

    Raises
    ------
    ValueError
        If the mask does not cover the spatial axes, or holds anything but true and false.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.masking import curves_from_volume
    >>> volume = np.arange(12.0).reshape(2, 2, 3)
    >>> curves_from_volume(volume, [[True, False], [False, True]])
    array([[ 0.,  1.,  2.],
           [ 9., 10., 11.]])
    """
    volume = np.asarray(volume)
    mask = _check_mask(mask)
    if volume.ndim != mask.ndim + 1 or volume.shape[:-1] != mask.shape:
        raise ValueError(
            f"volume has shape {volume.shape}, but expected {(*mask.shape, 'n_times')} for a mask "
            f"of shape {mask.shape}: give the mask of the same space, and put time last."
        )
    return volume[mask]


def volume_from_curves(values, mask, fill_value=np.nan):
    """Put one value, or one row of values, for each masked voxel back into a volume.

    Parameters
    ----------
    values : array-like of shape (n_curves,) or (n_curves, n_values)
        A parameter, or rows such as curves, in the order of :func:`curves_from_volume`.
    mask : array-like of shape ``(*spatial,)``
        The mask that the curves were taken out with.
    fill_value : scalar, default=nan
        What stands outside the mask.

    Returns
    -------
    volume : ndarray of shape ``(*spatial,)`` or ``(*spatial, n_values)``
        Of the type of `values`, or of one that holds `fill_value` as well.

    Raises
    ------
    ValueError
        If there is not one row of values for each voxel in the mask.

    Examples
    --------
    >>> from sk_dcedenoise.masking import volume_from_curves
    >>> volume_from_curves([0.1, 0.2], [[True, False], [False, True]], fill_value=0)
    array([[0.1, 0. ],
           [0. , 0.2]])
    """
    values = np.asarray(values)
    mask = _check_mask(mask)
    n_curves = np.count_nonzero(mask)
    if values.ndim not in (1, 2) or len(values) != n_curves:
        raise ValueError(
            f"values has shape {values.shape}, but expected ({n_curves},) or ({n_curves}, "
            "n_values): give one row for each voxel in the mask that the curves came from."
        )
    dtype = np.result_type(values.dtype, fill_value)
    volume = np.full((*mask.shape, *values.shape[1:]), fill_value, dtype=dtype)
    volume[mask] = values
    return volume


def _check_mask(mask):
    mask = np.asarray(mask)
    if mask.ndim == 0:
        raise ValueError(
            "mask is a single value, but expected an array of shape (*spatial,): give one true or "
            "false for each voxel."
        )
    if mask.dtype != bool:
        try:
            is_binary = np.isin(mask, (0, 1)).all()
        except TypeError:
            is_binary = False
        if not is_binary:
            raise ValueError(
                f"mask of type {mask.dtype} holds other values than 0 and 1, but expected true and "
                "false: compare it with something, for example mask > 0.5."
            )
    return mask.astype(bool)
