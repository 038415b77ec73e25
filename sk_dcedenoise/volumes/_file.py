"""NIfTI files through nibabel, with one sentence for whatever is wrong with them."""

import json
import zlib
from importlib import import_module
from pathlib import Path

import numpy as np

SUFFIXES = (".nii", ".nii.gz")


def nibabel():
    """Return nibabel, or say how to get it."""
    try:
        return import_module("nibabel")
    except ImportError:
        raise ImportError(
            "NIfTI files need nibabel, which is not installed: pip install 'sk-dcedenoise[nifti]'."
        ) from None


def is_nifti(path):
    """Whether a file's name is that of a NIfTI file."""
    return str(path).lower().endswith(SUFFIXES)


def stem(path):
    """Name of a NIfTI file without its ending, or of two."""
    name = Path(path).name
    return next((name[: -len(s)] for s in SUFFIXES[::-1] if name.lower().endswith(s)), name)


def read_image(path, what):
    """Return the image of a file, and its values as floats.

    Values that the file holds exactly in float32 come as float32, others as float64.
    """
    path = Path(path)
    if not is_nifti(path):
        raise ValueError(
            f"{what} {path} is no NIfTI file by its name, but expected .nii or .nii.gz: convert it."
        )
    if not path.is_file():
        raise ValueError(f"{what} {path} is not there, but expected a file: check the path.")
    nib = nibabel()
    try:
        image = nib.load(path)
        stored = image.get_data_dtype()
        if stored.kind not in "fiub":
            raise ValueError(f"it holds {stored}")
        exact = np.can_cast(stored, np.float32)
        values = image.get_fdata(dtype=np.float32 if exact else np.float64, caching="unchanged")
    except (OSError, EOFError, ValueError, zlib.error, nib.filebasedimages.ImageFileError) as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(
            f"{what} {path} cannot be read as a NIfTI image ({reason}): fetch or convert it anew."
        ) from error
    return image, values


def read_sidecar(path):
    """Return what the .json file beside an image says, or nothing where there is none."""
    beside = Path(path).with_name(f"{stem(path)}.json")
    if not beside.is_file():
        return {}
    try:
        content = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{beside} cannot be read as JSON ({error}): mend it, or move it away."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{beside} holds {type(content).__name__}, but expected names and values.")
    return content


def write_image(path, values, affine, header, *, name, description, sidecar):
    """Write values on the grid of a header, and the sidecar beside."""
    nib = nibabel()
    header = header.copy()
    header.set_data_dtype(values.dtype)
    header.set_slope_inter(1.0, 0.0)
    header["cal_min"] = header["cal_max"] = 0.0
    header["descrip"] = description.encode()[:79]
    header["intent_name"] = name.encode()[:15]
    image_class = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image_class(values, affine, header).to_filename(path)
    text = json.dumps(sidecar, indent=1, ensure_ascii=False) + "\n"
    Path(path).with_name(f"{stem(path)}.json").write_text(text, encoding="utf-8")
