"""A dynamic scan: values of each voxel over time, where they lie in space, and when."""

import numpy as np

from sk_dcedenoise._validation import check_time
from sk_dcedenoise.masking import curves_from_volume
from sk_dcedenoise.volumes._file import read_image, read_sidecar

# How NIfTI names units of time, and what they are in seconds.
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
# Medians of frame spacing that are taken for seconds.
_SPACING = 0.1, 600.0


class DynamicVolume:
    """A dynamic scan, as :func:`load_dynamic` opens it.

    Parameters
    ----------
    data : ndarray of shape ``(*spatial, n_times)``
        Values, time last.
    time : array-like of shape (n_times,)
        Frame times in seconds.
    affine : ndarray of shape (4, 4)
        From voxel indices to mm.
    header : nibabel header
        That of the file; what is written for this scan takes it over.
    unit : str, default=None
        Unit of the values, where a sidecar says one.

    Raises
    ------
    ValueError
        If there is not one time for each frame, or times cannot be seconds.
    """

    def __init__(self, data, time, affine, header, unit=None):
        self.data = data
        self.time = check_time(time, n_times=data.shape[-1])
        _check_spacing(self.time)
        self.affine = affine
        self.header = header
        self.unit = unit

    @property
    def shape(self):
        """Voxels along each axis of space."""
        return self.data.shape[:-1]

    def curves(self, mask):
        """Take the curves of the masked voxels out.

        Parameters
        ----------
        mask : array-like of shape ``(*spatial,)``
            True (or 1) where a voxel is wanted.

        Returns
        -------
        curves : ndarray of shape (n_curves, n_times)
            A copy, in the order in which the mask holds the voxels.
        """
        return curves_from_volume(self.data, mask)

    def varying(self):
        """Where a voxel holds data that change: not constant, and not without a finite value.

        Returns
        -------
        mask : ndarray of shape ``(*spatial,)``, bool
            For scans that come without a mask, whose surroundings were set to zero or to NaN.
        """
        finite = np.isfinite(self.data)
        high = np.max(self.data, axis=-1, where=finite, initial=-np.inf)
        low = np.min(self.data, axis=-1, where=finite, initial=np.inf)
        return high > low


def load_dynamic(path, *, time=None):
    """Open a 4-D NIfTI file.

    Parameters
    ----------
    path : path or str
        A .nii or .nii.gz file with axes x, y, z, time.
    time : array-like of shape (n_times,), default=None
        Frame times in seconds. None takes them from the JSON file beside (``FrameTimesStart`` or
        ``VolumeTiming``, in seconds), or else from the header's spacing and its unit.

    Returns
    -------
    volume : DynamicVolume
        Values with the file's scaling applied, times in seconds.

    Raises
    ------
    ImportError
        If nibabel is not installed.
    ValueError
        If the file cannot be read, is not 4-D, or nothing says its times.

    Examples
    --------
    >>> import os, tempfile
    >>> from sk_dcedenoise.datasets import make_dce_phantom
    >>> from sk_dcedenoise.volumes import load_dynamic, save_phantom
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_phantom(make_dce_phantom((16, 16, 1), random_state=0), folder)
    ...     volume = load_dynamic(os.path.join(folder, "phantom.nii.gz"))
    >>> volume.data.shape, volume.unit, volume.time[:3]
    ((16, 16, 1, 40), 'mM', array([ 0.,  5., 10.]))
    """
    image, values = read_image(path, "volume")
    if values.ndim != 4 or values.size == 0:
        raise ValueError(
            f"volume {path} has shape {values.shape}, but expected (x, y, z, n_times): give the "
            "whole dynamic scan in one file."
        )
    sidecar = read_sidecar(path)
    if time is None:
        time = _stored_time(path, image.header, sidecar, values.shape[-1])
    return DynamicVolume(values, time, image.affine, image.header, sidecar.get("Units"))


def _stored_time(path, header, sidecar, n_times):
    """Frame times in seconds out of a sidecar or a header."""
    for key in ("FrameTimesStart", "VolumeTiming"):
        if key in sidecar:
            return check_time(sidecar[key], n_times=n_times, name=f"{key} of {path}'s sidecar")
    unit, step = header.get_xyzt_units()[1], float(header.get_zooms()[3])
    if unit not in _SECONDS or not step > 0:
        raise ValueError(
            f"volume {path} has a frame spacing of {step:g} in unit {unit!r}, but expected a "
            "spacing in sec, msec or usec in its header, or FrameTimesStart in a sidecar: say the "
            "frame times in seconds."
        )
    start = float(header["toffset"])
    return _SECONDS[unit] * (start + step * np.arange(n_times))


def _check_spacing(time):
    """Raise if frames follow each other so fast or so slowly that seconds cannot be meant."""
    spacing = np.median(np.diff(time)) if time.size > 1 else 1.0
    if not _SPACING[0] <= spacing <= _SPACING[1]:
        raise ValueError(
            f"frames are {spacing:g} s apart, but expected {_SPACING[0]:g} to {_SPACING[1]:g} s: "
            "the times are in minutes or milliseconds, or the file's unit is wrong; say the frame "
            "times in seconds."
        )
