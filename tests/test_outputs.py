"""Outputs of a run are complete or absent, at any moment, whatever kills the process."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from gzip import decompress as gunzip

import nibabel
import pytest
from numpy.testing import assert_array_equal

from sk_dcedenoise.cli import main
from sk_dcedenoise.cli._write import output_folder
from sk_dcedenoise.datasets import make_dce_phantom
from sk_dcedenoise.volumes import save_phantom

FILES = [f"map_{i}.bin" for i in range(6)]

# Runs without end, each of which writes its number into every file.
WRITER = """
import itertools, pathlib, sys, time
from sk_dcedenoise.cli._write import output_folder

for number in itertools.count(1):
    with output_folder(pathlib.Path("out"), "test") as draft:
        for i in range(6):
            (draft / f"map_{i}.bin").write_bytes(str(number).encode() * 20_000)
    if number == 1:
        print("ready", flush=True)
"""

# One run, which dies without any cleaning up at its n-th renaming, before or after it.
DYING = """
import os, pathlib, sys
from sk_dcedenoise.cli._write import output_folder

n, after, rename = int(sys.argv[1]), sys.argv[2] == "after", os.rename
count = 0

def dying(old, new):
    global count
    count += 1
    if count == n and not after:
        os._exit(9)
    rename(old, new)
    if count == n:
        os._exit(9)

os.rename = dying
with output_folder(pathlib.Path("out"), "test") as draft:
    for i in range(6):
        (draft / f"map_{i}.bin").write_bytes(b"2" * 20_000)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(number):
    from pathlib import Path

    with output_folder(Path("out"), "test") as draft:
        for name in FILES:
            (draft / name).write_bytes(str(number).encode() * 20_000)


def run_of(out):
    """The number of the run whose outputs are there in full, or None where there are none."""
    if not out.exists():
        return None
    assert sorted(path.name for path in out.iterdir()) == [*FILES, "run.json"]
    assert json.loads((out / "run.json").read_text())["files"] == FILES
    contents = {(out / name).read_bytes() for name in FILES}
    assert len(contents) == 1, "files of several runs"
    content = contents.pop()
    number = content[: len(content) // 20_000]
    assert content == number * 20_000, "half a file"
    return int(number)


def test_kills_at_random_moments(folder):
    rng = random.Random(0)
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER], stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.0, 0.05))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        run_of(folder / "out")
    write(7)
    assert run_of(folder / "out") == 7
    assert [path.name for path in folder.iterdir()] == ["out"], "leftovers of killed runs"


def test_a_killed_command_runs_again(folder):
    (folder / "scan").mkdir()
    save_phantom(make_dce_phantom((16, 16, 1), random_state=0), folder / "scan")
    arguments = [
        "scan/phantom.nii.gz",
        "--aif",
        "scan/aif.csv",
        "--delay",
        "0",
        "0",
        "--out",
        "maps",
    ]
    command = [sys.executable, "-m", "sk_dcedenoise", "fit", *arguments]
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    took = time.monotonic() - started
    whole = {path.name: path.read_bytes() for path in (folder / "maps").glob("*.nii.gz")}
    shutil.rmtree(folder / "maps")
    for share in (0.6, 0.9):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, start_new_session=True, **quiet)
        time.sleep(share * took)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if (folder / "maps").exists():
            assert {path.name for path in (folder / "maps").glob("*.nii.gz")} == set(whole)
    assert main(["fit", *arguments]) == 0
    for name in whole:
        again = nibabel.load(folder / "maps" / name).get_fdata()
        assert_array_equal(again, nibabel.Nifti1Image.from_bytes(gunzip(whole[name])).get_fdata())
    assert sorted(path.name for path in folder.iterdir()) == ["maps", "scan"]


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("when", ["1 before", "1 after", "2 before", "2 after"])
def test_a_death_around_each_renaming(folder, earlier, when):
    if earlier:
        write(1)
    command = [sys.executable, "-c", textwrap.dedent(DYING), *when.split()]
    died = subprocess.run(command, check=False).returncode == 9
    assert died == (earlier or when.startswith("1"))
    found = run_of(folder / "out")
    expected = {
        ("1 before", True): 1,
        ("1 after", True): None,
        ("2 before", True): None,
        ("1 before", False): None,
    }
    assert found == expected.get((when, earlier), 2)
    # The next run fails, but what a dead one had moved away is back.
    with pytest.raises(RuntimeError), output_folder(folder / "out", "test"):
        raise RuntimeError
    assert run_of(folder / "out") == (1 if earlier and found is None else found)
    write(3)
    assert run_of(folder / "out") == 3
    assert [path.name for path in folder.iterdir()] == ["out"]


def test_an_error_leaves_an_earlier_run_as_it_was(folder):
    write(1)
    with pytest.raises(RuntimeError), output_folder(folder / "out", "test") as draft:
        (draft / FILES[0]).write_bytes(b"half")
        raise RuntimeError
    assert run_of(folder / "out") == 1
    assert [path.name for path in folder.iterdir()] == ["out"]


def test_an_error_leaves_no_folders(folder):
    with pytest.raises(RuntimeError), output_folder(folder / "a" / "b" / "c"):
        raise RuntimeError
    assert list(folder.iterdir()) == []


def test_a_run_at_work_is_left_alone(folder):
    with output_folder(folder / "out", "test") as draft:
        (draft / "a").write_text("first")
        with output_folder(folder / "out", "test") as other:
            (other / "b").write_text("second")
        assert draft.exists()
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a", "run.json"]


def test_files_of_others_are_never_replaced(folder):
    write(1)
    (folder / "out" / "notes.txt").write_text("mine")
    with (
        pytest.raises(ValueError, match=r"holds notes.txt, which no earlier run"),
        output_folder(folder / "out", "test"),
    ):
        pass
    assert (folder / "out" / "notes.txt").read_text() == "mine"


def test_outputs_of_another_command_are_never_replaced(folder):
    write(1)
    with (
        pytest.raises(ValueError, match="which no earlier run of this command wrote"),
        output_folder(folder / "out", "other"),
    ):
        pass
    assert run_of(folder / "out") == 1


@pytest.mark.parametrize("name", [".", ".."])
def test_the_folder_that_one_is_in_is_refused(folder, name):
    with pytest.raises(ValueError, match="name a folder inside it"), output_folder(folder / name):
        pass


def test_an_empty_folder_is_filled(folder):
    (folder / "out").mkdir()
    write(1)
    assert run_of(folder / "out") == 1


def test_a_link_stays_a_link(folder):
    (folder / "real").mkdir()
    (folder / "out").symlink_to(folder / "real")
    write(1)
    assert (folder / "out").is_symlink()
    assert run_of(folder / "real") == 1
