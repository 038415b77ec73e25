"""The digital phantom as the files that a scanner's user would have, and the truth beside them."""

from pathlib import Path

import numpy as np

from sk_dcedenoise.volumes._dynamic import DynamicVolume
from sk_dcedenoise.volumes._file import nibabel, write_image
from sk_dcedenoise.volumes._maps import save_maps

# Size of a voxel in mm, and where the first one lies: off the axes, so that nothing passes by luck.
_VOXEL = 1.5, 1.5, 4.0
_ORIGIN = -95.0, -80.0, 12.0


def save_phantom(phantom, folder):
    """Write a digital phantom as NIfTI files.

    Writes ``phantom.nii.gz`` (concentrations in mM, frame times in the header), ``signal.nii.gz``,
    the masks ``mask.nii.gz`` (tissue), ``lesion.nii.gz`` and ``artery.nii.gz``, ``labels.nii.gz``,
    ``T10.nii.gz`` (s), the truth as ``truth_Ktrans.nii.gz`` and so on, and ``aif.csv``, the plasma
    curve in seconds and mM; a JSON sidecar beside each image.

    Parameters
    ----------
    phantom : :class:`~sklearn.utils.Bunch`
        From :func:`~sk_dcedenoise.datasets.make_dce_phantom`.
    folder : path or str
        Where to write; it has to be there.

    Raises
    ------
    ImportError
        If nibabel is not installed.
    """
    folder = Path(folder)
    volume = _as_volume(phantom)
    times = {"FrameTimesStart": phantom.time.tolist()}
    protocol = {
        "FlipAngle": phantom.protocol.flip_angle,
        "RelaxivityPerSecondPerMM": phantom.protocol.r1,
        "RepetitionTimeExcitation": phantom.protocol.TR,
        "BaselineFrames": phantom.protocol.n_baseline,
    }
    _write(folder, "phantom", phantom.concentration, volume, {"Units": "mM"} | times)
    _write(folder, "signal", phantom.signal, volume, {"Units": "arbitrary"} | times | protocol)
    for name, mask in (("mask", phantom.tissue), ("lesion", phantom.lesion)):
        _write(folder, name, mask.astype(np.uint8), volume, {})
    _write(folder, "artery", phantom.artery.astype(np.uint8), volume, {})
    names = {"Labels": dict(enumerate(phantom.names))}
    _write(folder, "labels", phantom.labels, volume, names)
    everywhere = np.ones(volume.shape, dtype=bool)
    truth = {f"truth_{name}": values.ravel() for name, values in phantom.maps.items()}
    save_maps(folder, {"T10": phantom.T10.ravel()} | truth, everywhere, volume)
    table = np.column_stack(phantom.aif)
    np.savetxt(folder / "aif.csv", table, delimiter=",", header="s,mM", comments="", fmt="%.9g")


def _as_volume(phantom):
    header = nibabel().Nifti1Header()
    header.set_data_shape(phantom.concentration.shape)
    # Uneven frames have no spacing; the sidecar's times count then as always.
    steps = np.diff(phantom.time)
    spacing = float(steps[0]) if steps.size and np.allclose(steps, steps[0]) else 0.0
    header.set_zooms((*_VOXEL, spacing))
    header.set_xyzt_units("mm", "sec" if spacing else "unknown")
    header["toffset"] = phantom.time[0]
    affine = np.diag((*_VOXEL, 1.0))
    affine[:3, 3] = _ORIGIN
    header.set_sform(affine, "scanner")
    header.set_qform(affine, "scanner")
    return DynamicVolume(phantom.concentration, phantom.time, affine, header)


def _write(folder, name, values, volume, sidecar):
    texts = {"name": name, "description": f"digital phantom: {name}"}
    path = folder / f"{name}.nii.gz"
    sidecar = {"Name": name, **sidecar}
    write_image(path, values, volume.affine, volume.header, **texts, sidecar=sidecar)
