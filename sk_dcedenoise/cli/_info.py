"""Say what a scan, a mask, a map, a table or a denoiser holds, and which versions are here.

For a NIfTI file: shape, size of voxels, frames and their times, unit, affine. For a denoiser:
class, parameters, number of frames. For .npz, .npy and .csv: shapes. Without FILE: versions.
"""

from pathlib import Path

import numpy as np

from sk_dcedenoise.cli._write import versions


def add_arguments(parser):
    """Add the arguments of this command."""
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help="what to look at")


def run(args):
    """Run the command."""
    for title, value in _lines(args.file):
        print(f"{title + ':':<16}{value}")


def _lines(path):
    """Titles and values, line by line."""
    from sk_dcedenoise.volumes._file import is_nifti

    if path is None:
        return list(versions().items())
    if is_nifti(path):
        return _of_nifti(path)
    if path.suffix.lower() in (".npz", ".npy", ".csv"):
        return _of_table(path)
    if not path.is_file():
        raise ValueError(f"FILE {path} is not there, but expected a file: check the path.")
    return _of_estimator(path)


def _of_nifti(path):
    from sk_dcedenoise.volumes import load_dynamic
    from sk_dcedenoise.volumes._file import read_image, read_sidecar

    image, values = read_image(path, "FILE")
    spacing = " x ".join(f"{size:g}" for size in image.header.get_zooms()[:3])
    finite = values[np.isfinite(values)]
    lines = [
        ("shape", " x ".join(map(str, values.shape))),
        ("voxel", f"{spacing} {image.header.get_xyzt_units()[0]}"),
        ("stored as", image.get_data_dtype()),
    ]
    if finite.size:
        lines.append(("values", f"{finite.min():g} to {finite.max():g}"))
    lines.append(("not finite", f"{values.size - finite.size} of {values.size}"))
    if values.ndim == 4:
        try:
            time = load_dynamic(path).time
            lines.append(("frames", f"{time.size}, {time[0]:g} to {time[-1]:g} s"))
        except ValueError as error:
            lines.append(("frames", f"{values.shape[3]}; {error}"))
    for key in ("Name", "Description", "Units", "OSIPI", "Model"):
        sidecar = read_sidecar(path)
        if key in sidecar:
            lines.append((key.lower() if key != "OSIPI" else key, sidecar[key]))
    rows = ["  ".join(f"{x:9.3f}" for x in row) for row in image.affine]
    return lines + [("affine" if i == 0 else "", row) for i, row in enumerate(rows)]


def _of_table(path):
    from sk_dcedenoise.cli._read import read_array

    if path.suffix.lower() != ".npz":
        array = read_array(path, None, option="FILE", key_option="--key")
        return [("shape", " x ".join(map(str, array.shape)))]
    if not path.is_file():
        raise ValueError(f"FILE {path} is not there, but expected a file: check the path.")
    try:
        with np.load(path, allow_pickle=False) as file:
            return [(key, f"{file[key].shape} {file[key].dtype}") for key in file.files]
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"FILE {path} cannot be read as arrays ({' '.join(str(error).split())}): save it anew."
        ) from error


def _of_estimator(path):
    from sk_dcedenoise.persistence import load

    estimator = load(path)
    lines = [("class", type(estimator).__name__)]
    if hasattr(estimator, "n_features_in_"):
        lines.append(("frames", estimator.n_features_in_))
    if hasattr(estimator, "history") and len(estimator.history):
        lines.append(("epochs", len(estimator.history)))
    parameters = estimator.get_params(deep=False)
    return lines + [(name, _short(value)) for name, value in sorted(parameters.items())]


def _short(value, longest=70):
    text = " ".join(repr(value).split())
    return text if len(text) <= longest else f"{text[:longest]}..."
