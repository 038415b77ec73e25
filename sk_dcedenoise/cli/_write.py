"""Outputs that are complete or absent, at any moment, whatever kills the process."""

import csv
import json
import os
import shutil
import sys
import uuid
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

MANIFEST = "run.json"
_PACKAGES = ("sk-dcedenoise", "torch", "skorch", "scikit-learn", "numpy", "scipy", "nibabel")


@contextmanager
def output_folder(folder, command="", settings=None):
    """Give an empty folder to write in; at the end it becomes `folder`, by renaming.

    Files are written beside, in a folder of another name, and with them ``run.json``, which lists
    them and says how they came about. An earlier run's folder is moved away just before. So
    `folder` is at any moment a complete run or not there. After an error an earlier run stays as
    it was; what a killed process left behind is cleared away by the next one.

    Parameters
    ----------
    folder : Path
        Where outputs shall stand. It may be there if it is empty or an earlier run of the same
        command wrote all that it holds.
    command : str, default=""
        The command, which `run.json` names.
    settings : dict, default=None
        What else `run.json` says; what the block adds to it is said as well.

    Yields
    ------
    draft : Path
        Where to write files.

    Raises
    ------
    ValueError
        If `folder` cannot be made, or holds what no earlier run of the command wrote.
    """
    folder = Path(os.path.realpath(folder))
    _check_place(folder)
    made = _make_parents(folder)
    try:
        _clear_up(folder)
        _check_content(folder, command)
        draft = folder.with_name(f".{folder.name}.unfinished-{uuid.uuid4().hex}")
        draft.mkdir()
        with _locked(draft):
            try:
                yield draft
                _write_manifest(draft, command, settings or {})
                _put_in_place(draft, folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    finally:
        for empty in made:
            with suppress(OSError):
                empty.rmdir()


def _put_in_place(draft, folder):
    if folder.exists():
        replaced = folder.with_name(f".{folder.name}.replaced-{uuid.uuid4().hex}")
        os.rename(folder, replaced)
        # Killed here, the earlier run's outputs are absent; the next run brings them back.
        os.rename(draft, folder)
        shutil.rmtree(replaced, ignore_errors=True)
    else:
        os.rename(draft, folder)


def _clear_up(folder):
    """Bring back or throw away what killed processes left behind."""
    for path in list(folder.parent.iterdir()):
        if path.name.startswith(f".{folder.name}.replaced-"):
            if folder.exists():
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.rename(path, folder)
        if path.name.startswith(f".{folder.name}.unfinished-") and _is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(path):
    """Hold a lock on a folder, which ends with the process however it ends."""
    descriptor = _lock(path)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(path):
    """Return an open lock, or None where the system has none; raise if another process has it."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _is_abandoned(path):
    try:
        descriptor = _lock(path)
    except OSError:
        return False  # its process lives
    if descriptor is None:
        return False  # nobody can tell
    os.close(descriptor)
    return True


def _check_place(folder):
    """Raise if a folder of this name cannot be renamed into place."""
    if os.path.ismount(folder) or folder in (Path.cwd(), *Path.cwd().parents):
        raise ValueError(
            f"--out {folder} is the folder that you are in or a mount point, but expected one that "
            "can be replaced: name a folder inside it."
        )


def _check_content(folder, command):
    """Raise if a folder holds anything that an earlier run of the command did not write."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(
            f"--out {folder} cannot be written in (it is a file), but expected a folder, or the "
            "name of one to be made."
        )
    there = {path.name for path in folder.iterdir()}
    if there - _earlier_files(folder, command):
        other = sorted(there - _earlier_files(folder, command))[0]
        raise ValueError(
            f"--out {folder} holds {other}, which no earlier run of this command wrote, but "
            "expected a new or an empty folder, or one of an earlier run: choose another folder."
        )


def _earlier_files(folder, command):
    """Names of the files that an earlier run of the command wrote."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["command"] == command:
            return {MANIFEST, *manifest["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return set()


def _make_parents(folder):
    """Make the parents of a folder and return those that were not there, the innermost first."""
    made = [path for path in folder.parents if not path.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        probe = folder.with_name(f".{folder.name}.probe-{uuid.uuid4().hex}")
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise ValueError(
            f"--out {folder} cannot be written in ({error.strerror}), but expected a folder, or "
            "the name of one to be made."
        ) from error
    return made


def _write_manifest(draft, command, settings):
    manifest = {
        "command": command,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "settings": settings,
        "files": sorted(path.name for path in draft.iterdir()),
    }
    text = json.dumps(manifest, indent=1, default=str, ensure_ascii=False)
    (draft / MANIFEST).write_text(f"{text}\n", encoding="utf-8")


def settings_of(args):
    """Arguments of a command as they were given, for `run.json` and the report."""
    left_out = ("run", "traceback", "out")
    return {name: value for name, value in vars(args).items() if name not in left_out}


def versions():
    """Return versions of Python and of the packages that results depend on, as far as there."""
    found = {"Python": sys.version.split()[0]}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    if "sk-dcedenoise" not in found:
        from sk_dcedenoise import __version__

        found["sk-dcedenoise"] = __version__
    return found


def write_csv(path, header, rows):
    """Write a header and rows of numbers or texts, each number so that reading gives it back."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(np.asarray(rows).tolist() if isinstance(rows, np.ndarray) else rows)


def text_table(header, rows):
    """Return a table with aligned columns, the first one to the left."""
    rows = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )
