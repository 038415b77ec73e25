"""Masks and maps that belong to a dynamic scan."""

import numpy as np

from sk_dcedenoise.volumes._file import read_image

# Differences of two affines, in mm, that are rounding.
_SAME_PLACE = 1e-3


def load_mask(path, volume, *, label=None):
    """Open a mask that lies on the grid of a scan.

    Parameters
    ----------
    path : path or str
        A 3-D NIfTI file with one value inside, whichever, and 0 outside.
    volume : DynamicVolume
        The scan.
    label : int, default=None
        The value that is wanted, where the file holds several.

    Returns
    -------
    mask : ndarray of shape ``(*spatial,)``, bool

    Raises
    ------
    ValueError
        If the file cannot be read, has another shape or place than the scan, is empty, or holds
        several values and no label says which.
    """
    values = _on_grid(path, volume, "mask")
    found = np.unique(values)
    if not np.isfinite(found).all():
        raise ValueError(f"mask {path} contains NaN or infinity, but expected 0 and one value.")
    if label is None and np.count_nonzero(found) > 1:
        raise ValueError(
            f"mask {path} holds {found.size} different values, but expected 0 and one more: write "
            "a mask of the region that is wanted."
        )
    mask = values != 0 if label is None else values == label
    if not mask.any():
        wanted = "" if label is None else f" with the label {label}"
        raise ValueError(f"mask {path} is empty, but expected at least one voxel{wanted}.")
    return mask


def load_map(path, volume):
    """Open a map of one value per voxel, such as T10 in seconds, that lies on the grid of a scan.

    Parameters
    ----------
    path : path or str
        A 3-D NIfTI file.
    volume : DynamicVolume
        The scan.

    Returns
    -------
    values : ndarray of shape ``(*spatial,)``

    Raises
    ------
    ValueError
        If the file cannot be read, or has another shape or place than the scan.
    """
    return _on_grid(path, volume, "map")


def _on_grid(path, volume, what):
    image, values = read_image(path, what)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.shape != volume.shape:
        raise ValueError(
            f"{what} {path} has shape {values.shape}, but expected {volume.shape}, that of the "
            "scan: resample it to the scan's grid."
        )
    # What a wrong affine does to a voxel is largest at the corners.
    last = np.array(volume.shape) - 1.0
    corners = np.array(np.meshgrid(*zip(np.zeros(3), last, strict=True))).reshape(3, -1)
    corners = np.vstack([corners, np.ones(8)])
    apart = np.abs((image.affine - volume.affine) @ corners).max()
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0).min()
    if not apart <= max(_SAME_PLACE, 1e-3 * spacing):
        raise ValueError(
            f"{what} {path} lies up to {apart:.3g} mm away from the scan by its affine, but "
            "expected the same place: resample it to the scan's grid."
        )
    return values
