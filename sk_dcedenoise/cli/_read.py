"""Curves, times and AIFs from files, keys and texts, with one sentence for whatever is wrong."""

import re
import zipfile
from pathlib import Path

import numpy as np

from sk_dcedenoise._validation import check_finite_curves, check_positive, check_time

SUFFIXES = (".npz", ".npy", ".csv")


def read_curves(path, key, *, min_times=1):
    """Return the curves of a file, float64 of shape (n_curves, n_times)."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"CURVES {path} ends in {path.suffix or 'nothing'!r}, but expected "
            f"{', '.join(SUFFIXES)}, .nii or .nii.gz: save the scan as one of these."
        )
    curves = read_array(path, key, option="CURVES", key_option="--key")
    if curves.ndim != 2 or curves.size == 0:
        raise ValueError(
            f"CURVES {path} has shape {curves.shape}, but expected (n_curves, n_times), at least "
            "one of each: put one curve in each row."
        )
    if curves.shape[1] < min_times:
        raise ValueError(
            f"CURVES {path} has {curves.shape[1]} frames, but expected at least {min_times}, one "
            "more than the kinetic model has parameters."
        )
    check_finite_curves(curves, f"CURVES {path}")
    return curves


def read_time(text, curves_path, n_times):
    """Return the frame times that ``--time`` means, as many as a curve has."""
    if text is None:
        raise ValueError(
            f"CURVES {curves_path} does not say its frame times, but expected --time: seconds, for "
            "example 0:3.75 for 0, 3.75, 7.5, ..."
        )
    stored = _stored(text, curves_path, "--time")
    if stored is None:
        stored = _typed_time(text, n_times)
    if stored is None:
        raise ValueError(
            f"--time {text} is no file, {_no_key(curves_path)}and no time, but expected one of "
            "these, START:STEP or T0,T1,T2,... in seconds: 0:3.75 means 0, 3.75, 7.5, ..."
        )
    stored = _one_row(stored)
    if stored.ndim == 1 and stored.size != n_times:
        raise ValueError(
            f"--time {_short(text)} has {stored.size} times, but the curves have {n_times} frames: "
            "give one time for each frame."
        )
    return check_time(stored, name=f"--time {_short(text)}")


def read_aif(text, curves_path, names):
    """Return what ``--aif`` means: a name, mM on the frames, or a tuple (seconds, mM)."""
    stored = _stored(text, curves_path, "--aif")
    if stored is None and text in names:
        return text
    if stored is None:
        raise ValueError(
            f"--aif {text} is no file, {_no_key(curves_path)}and no published AIF, but expected "
            f"one of these: the names are {', '.join(names)}."
        )
    if stored.ndim == 2 and stored.shape[1] == 2 and stored.shape[0] > 1:
        return stored[:, 0], stored[:, 1]
    return _one_row(stored)


def read_T10(text, curves_path, n_curves):
    """Return what ``--T10`` means for curves: a number, or one for each curve, in s."""
    value = _number(text)
    if value is not None:
        return check_positive(value, "--T10", unit="s")
    stored = _stored(text, curves_path, "--T10")
    if stored is None:
        raise ValueError(
            f"--T10 {text} is no file, {_no_key(curves_path)}and no number, but expected one of "
            "these, in s."
        )
    stored = _one_row(stored)
    if stored.shape != (n_curves,):
        raise ValueError(
            f"--T10 {_short(text)} has shape {stored.shape}, but expected ({n_curves},): give one "
            "value for each curve."
        )
    return stored


def read_array(path, key, *, option, key_option):
    """Return a numeric array out of a file, as float64."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{option} {path} ends in {path.suffix or 'nothing'!r}, but expected "
            f"{', '.join(SUFFIXES)}: save the array as one of these."
        )
    if not path.is_file():
        raise ValueError(f"{option} {path} is not there, but expected a file: check the path.")
    if key is not None and path.suffix.lower() != ".npz":
        raise ValueError(
            f"{option} {path} has no keys, but {key!r} was asked for: leave {key_option} out, or "
            "give an .npz file."
        )
    try:
        array = _READERS[path.suffix.lower()](path, key, f"{option} {path}", key_option)
        return np.asarray(array, dtype=np.float64)
    except (OSError, EOFError, zipfile.BadZipFile, _NotNumbers) as error:
        raise ValueError(
            f"{option} {path} cannot be read as an array of numbers ({error}): save it anew as "
            f"{path.suffix}."
        ) from error


class _NotNumbers(Exception):
    """A file that holds something else than numbers."""


def _read_npz(path, key, what, key_option):
    if not zipfile.is_zipfile(path):
        raise _NotNumbers("it is no zip archive")
    with np.load(path, allow_pickle=False) as file:
        keys = file.files
        if key is None and len(keys) != 1:
            raise ValueError(
                f"{what} holds {len(keys)} arrays ({', '.join(keys)}), but expected one: say "
                f"which, with {key_option}."
            )
        if key is not None and key not in keys:
            raise ValueError(
                f"{what} has no key {key!r}, but expected one of {', '.join(keys)}: check "
                f"{key_option}."
            )
        name = keys[0] if key is None else key
        return _numeric(lambda: file[name])


def _read_npy(path, key, what, key_option):
    return _numeric(lambda: np.load(path, allow_pickle=False))


def _read_csv(path, key, what, key_option):
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and not _is_numbers(lines[0]):
        lines = lines[1:]  # names of the columns
    if not lines:
        raise ValueError(f"{what} is empty, but expected one curve in each line.")
    return _numeric(lambda: np.loadtxt(lines, delimiter=_delimiter(lines[0]), ndmin=2))


_READERS = {".npz": _read_npz, ".npy": _read_npy, ".csv": _read_csv}


def _numeric(load):
    try:
        array = load()
    except ValueError as error:
        raise _NotNumbers(" ".join(str(error).split()).rstrip(".")) from error
    if array.dtype.kind not in "fiub":
        raise _NotNumbers(f"it holds {array.dtype}")
    return array


def _delimiter(line):
    return next((mark for mark in ",;\t" if mark in line), None)


def _is_numbers(line):
    try:
        [float(word) for word in line.replace(_delimiter(line) or " ", " ").split()]
    except ValueError:
        return False
    return True


def _stored(text, curves_path, option):
    """The array that a text names: a key of the curves' file, a file, or a key of a file."""
    if text in _keys(curves_path):
        return read_array(curves_path, text, option=option, key_option=option)
    match = re.fullmatch(r"(.+\.npz):(\w+)", text)
    path, key = match.groups() if match else (text, None)
    if match or Path(path).suffix.lower() in SUFFIXES or Path(path).is_file():
        return read_array(path, key, option=option, key_option=f"{option} FILE.npz:KEY")
    return None


def _keys(path):
    if Path(path).suffix.lower() != ".npz":
        return []  # read_curves has found an .npz to be sound before
    with np.load(path, allow_pickle=False) as file:
        return file.files


def _no_key(path):
    keys = _keys(path)
    return f"no key of {path} ({', '.join(keys)}) " if keys else ""


def _typed_time(text, n_times):
    """Times given as START:STEP, as a step, or one by one."""
    try:
        numbers = [float(word) for word in re.split("[:,]", text)]
    except ValueError:
        return None
    if ":" in text and (len(numbers) != 2 or "," in text):
        return None
    if "," in text:
        return np.array(numbers)
    start, step = numbers if len(numbers) == 2 else (0.0, numbers[0])
    return start + step * np.arange(n_times)


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _one_row(array):
    return array.ravel() if array.ndim == 2 and 1 in array.shape else array


def _short(text, longest=40):
    return text if len(text) <= longest else f"{text[:longest]}..."
