"""Maps and curves as NIfTI files on the grid of the scan that they came from."""

from pathlib import Path

import numpy as np

from sk_dcedenoise.masking import volume_from_curves
from sk_dcedenoise.volumes._file import write_image
from sk_dcedenoise.volumes._quantities import describe


def save_maps(folder, columns, mask, volume, *, notes=None):
    """Write one NIfTI file and one JSON sidecar for each parameter.

    Files are called after the parameters, have the affine and the header of the scan, and say name
    and unit in header and sidecar. Parameters are float32, NaN outside the mask; whole numbers such
    as the status are int16, -1 outside the mask.

    Parameters
    ----------
    folder : path or str
        Where to write; it has to be there.
    columns : mapping of str to array-like of shape (n_curves,)
        Parameters by name, in the order of the mask's voxels.
    mask : array-like of shape ``(*spatial,)``
        The mask that the curves were taken out with.
    volume : DynamicVolume
        The scan.
    notes : dict, default=None
        What else the sidecars say, such as the model.

    Returns
    -------
    paths : list of Path
        The NIfTI files.

    Raises
    ------
    ValueError
        If a column has not one value for each voxel of the mask.

    Examples
    --------
    >>> import tempfile
    >>> from sk_dcedenoise.datasets import make_dce_phantom
    >>> from sk_dcedenoise.volumes import load_dynamic, load_map, save_maps, save_phantom
    >>> phantom = make_dce_phantom((16, 16, 1), random_state=0)
    >>> mask = phantom.tissue
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_phantom(phantom, folder)
    ...     volume = load_dynamic(f"{folder}/phantom.nii.gz")
    ...     [path] = save_maps(folder, {"ve": phantom.maps.ve[mask]}, mask, volume)
    ...     again = load_map(path, volume)
    >>> path.name, float(abs(again[mask] - phantom.maps.ve[mask]).max()) < 1e-7
    ('ve.nii.gz', True)
    """
    return [
        _save(Path(folder) / f"{name}.nii.gz", name, _grid(values, mask), volume, notes or {})
        for name, values in columns.items()
    ]


def save_curves(path, curves, mask, volume, *, notes=None):
    """Write curves as a 4-D NIfTI file with the affine, header and times of the scan.

    Parameters
    ----------
    path : path or str
        A .nii or .nii.gz file; its JSON sidecar is written beside.
    curves : array-like of shape (n_curves, n_times)
        Concentrations in mM, in the order of the mask's voxels. NaN stands outside the mask.
    mask : array-like of shape ``(*spatial,)``
        The mask that the curves were taken out with.
    volume : DynamicVolume
        The scan.
    notes : dict, default=None
        What else the sidecar says.

    Returns
    -------
    path : Path

    Raises
    ------
    ValueError
        If there is not one curve for each voxel of the mask.
    """
    notes = {"FrameTimesStart": volume.time.tolist(), **(notes or {})}
    values = _grid(np.asarray(curves, dtype=np.float32), mask)
    return _save(Path(path), "concentration", values, volume, notes)


def _grid(values, mask):
    values = np.asarray(values)
    if values.dtype.kind in "iu":
        # The largest sum of flags is below 2**12.
        return volume_from_curves(values.astype(np.int16), mask, fill_value=np.int16(-1))
    return volume_from_curves(values.astype(np.float32), mask, fill_value=np.float32(np.nan))


def _save(path, name, values, volume, notes):
    sidecar = describe(name) | notes
    unit = sidecar.get("Units")
    description = f"{name} ({unit})" if unit else name
    texts = {"name": name, "description": description, "sidecar": sidecar}
    write_image(path, values, volume.affine, volume.header, **texts)
    return path
