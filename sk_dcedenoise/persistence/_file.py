"""The container: named arrays and one JSON record, in the safetensors format, with a checksum."""

import hashlib
import json
import os
import uuid
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

FORMAT = 1
_KEY = "sk_dcedenoise"
# A header holds names, parameters and a history of some hundred bytes per epoch.
_MAX_HEADER = 2**24
_DTYPES = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
           "float16", "float32", "float64")  # fmt: skip


class ArraysWritten(dict):
    """Arrays by name, on their way into a file."""

    def put(self, name, array):
        """Keep an array and return what stands for it in the record."""
        array = np.asarray(array)
        if array.dtype.name not in _DTYPES:
            raise ValueError(
                f"{name} is an array of type {array.dtype}, but expected numbers: a file holds "
                "nothing else."
            )
        # Of native byte order and C-contiguous, which the format does not check.
        self[name] = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        return {"array": name}


class ArraysRead:
    """Arrays by name, each to be taken out once."""

    def __init__(self, arrays):
        self._arrays = arrays

    def take(self, name):
        """Return an array that the record names."""
        if not isinstance(name, str) or name not in self._arrays:
            raise ValueError(f"array {name!r} is missing")
        return self._arrays.pop(name)

    def check_all_used(self):
        """Raise if there are arrays that the record does not name."""
        if self._arrays:
            raise ValueError(f"array {next(iter(self._arrays))!r} belongs to nothing")


def write(path, record, arrays):
    """Write a record and its arrays to `path`, whole or not at all."""
    content = {"format": FORMAT, "versions": _versions(), "estimator": record}
    content["sha256"] = _digest(content, arrays)
    path = os.path.abspath(path)
    header = json.dumps(content, allow_nan=False)
    if len(header) > _MAX_HEADER // 2:
        raise ValueError(
            f"the parameters and history take {len(header)} bytes, but expected at most "
            f"{_MAX_HEADER // 2}: give long lists as arrays."
        )
    draft = f"{path}.{uuid.uuid4().hex}.part"
    try:
        # Written here, as safetensors' own file could be read by nobody but its owner.
        with open(draft, "wb") as file:
            file.write(save(arrays, metadata={_KEY: header}))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        if os.path.exists(draft):
            os.unlink(draft)
        raise


def read(path, max_bytes):
    """Return the record and the arrays of a file that is whole and of this format."""
    _check_size(path, max_bytes)
    try:
        with safe_open(path, framework="np") as opened:
            metadata = opened.metadata() or {}
            arrays = {name: np.array(opened.get_tensor(name)) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise _refusal(path, f"is damaged or no safetensors file ({error})") from error
    if _KEY not in metadata:
        raise _refusal(path, "holds arrays of another program")
    try:
        content = json.loads(metadata[_KEY])
        found = content["format"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _refusal(path, "has a header that cannot be read") from error
    if found != FORMAT:
        raise ValueError(
            f"{path!r} is in format {found!r}, but expected format {FORMAT}: open it with the "
            "version of this package that wrote it."
        )
    given = content.pop("sha256", None)
    if given != _digest(content, arrays):
        raise _refusal(path, "is damaged: its checksum does not match")
    return content.get("estimator"), arrays


def _refusal(path, fault):
    return ValueError(
        f"{path!r} {fault}, but expected a file that save has written: make it again, or fetch an "
        "undamaged copy."
    )


def _check_size(path, max_bytes):
    size = os.stat(path).st_size
    if not os.path.isfile(path):
        # A pipe or a device could go on for ever.
        raise _refusal(path, "is not a regular file")
    if size > max_bytes:
        raise ValueError(
            f"{path!r} has {size} bytes, but expected at most {max_bytes}: raise max_bytes if you "
            "trust it."
        )
    with open(path, "rb") as opened:
        header = int.from_bytes(opened.read(8), "little")
    if header > _MAX_HEADER or header > size:
        raise _refusal(path, f"announces a header of {header} bytes")


def _digest(content, arrays):
    """Checksum of a record without its checksum, and of all arrays."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _versions():
    found = {}
    for package in ("sk-dcedenoise", "torch", "skorch", "scikit-learn", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
