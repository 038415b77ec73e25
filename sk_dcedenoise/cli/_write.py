"""Outputs that are complete or absent."""

import csv
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def output_folder(folder):
    """Give an empty folder to write in; at the end, its files move to `folder` by renaming.

    After an error nothing is left behind, and files of an earlier run stay as they were.

    Parameters
    ----------
    folder : Path
        Where files shall stand; made if it is not there.

    Yields
    ------
    unfinished : Path
        Where to write them.

    Raises
    ------
    ValueError
        If `folder` cannot be made or written in.
    """
    made = _make(folder)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
            yield Path(unfinished)
            for path in sorted(Path(unfinished).iterdir()):
                os.replace(path, folder / path.name)
    finally:
        for empty in made:
            if not any(empty.iterdir()):
                empty.rmdir()


def _make(folder):
    """Make a folder and return those that were not there, the innermost first."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(
            f"--out {folder} cannot be written in ({error.strerror}), but expected a folder, or "
            "the name of one to be made."
        ) from error
    return made


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
