"""The command line, run in this process with tiny budgets."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_dcedenoise.aif import aif_parker
from sk_dcedenoise.cli import main
from sk_dcedenoise.cli._read import read_aif, read_curves, read_time
from sk_dcedenoise.datasets import make_dce_curves

TINY = ["--pairs", "300", "--steps", "3"]
TIME = 5.0 * np.arange(20)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def scan(folder):
    """A file of curves with their times and AIF, in the folder that is the current one."""
    curves = make_dce_curves(30, time=TIME, law="wide", noise_levels=0.1, random_state=0)[0]
    np.savez("scan.npz", C=curves, t=TIME, cp=aif_parker(TIME))
    return curves


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


# ---- demo ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder that a demo wrote, with a seed of 3."""
    out = tmp_path_factory.mktemp("demo") / "output"
    assert main(["demo", *TINY, "--seed", "3", "--out", str(out)]) == 0
    return out


def demo_errors(out):
    return {row[0]: [float(x) for x in row[1:]] for row in read_csv(out / "table.csv")[1]}


def test_demo_writes_a_table_and_a_figure(demo):
    assert sorted(path.name for path in demo.iterdir()) == [
        "figure.png",
        "run.json",
        "table.csv",
    ]
    assert (demo / "figure.png").read_bytes().startswith(b"\x89PNG")
    header = read_csv(demo / "table.csv")[0]
    assert header == ["method", "curve_rmse_mM", "Ktrans_rmse_per_min", "ve_rmse", "vp_rmse"]


def test_demo_measures_errors(demo):
    errors = demo_errors(demo)
    assert list(errors) == [
        "noisy",
        "PCA, rank 3",
        "Tofts fit, resimulated",
        "DenoiserVanillaNL",
        "least possible",
    ]
    # Known of the reference law: noise is 4.04 times, PCA 1.25 times the least possible error.
    least = errors["least possible"][0]
    assert errors["noisy"][0] / least == pytest.approx(4.04, rel=0.05)
    assert errors["PCA, rank 3"][0] / least == pytest.approx(1.25, rel=0.05)
    assert_allclose(errors["noisy"][1:], errors["Tofts fit, resimulated"][1:], rtol=0.01)


def test_demo_prints_its_table_and_repeats_itself(demo, folder, capsys):
    assert main(["demo", *TINY, "--seed", "3"]) == 0
    again = demo_errors(folder / "demo_output")
    for name, values in demo_errors(demo).items():
        assert_allclose(again[name], values, rtol=1e-5)  # sums of threads come in any order
    lines = capsys.readouterr().out.splitlines()
    for name, values in again.items():
        line = next(line for line in lines if line.startswith(name))
        assert line.split()[-4:] == [f"{value:.4f}" for value in values]


# ---- denoise -------------------------------------------------------------------------------------


def test_denoise_writes_curves_parameters_and_a_figure(scan, folder, capsys):
    arguments = ["scan.npz", "--key", "C", "--time", "t", "--aif", "cp", "--out", "out/deep"]
    assert main(["denoise", *arguments, *TINY]) == 0
    out = folder / "out" / "deep"
    assert sorted(p.name for p in out.iterdir()) == [
        "curves.csv",
        "curves.npz",
        "figure.png",
        "parameters.csv",
        "parameters_undenoised.csv",
        "run.json",
    ]
    with np.load(out / "curves.npz") as file:
        assert_array_equal(file["noisy"], scan)
        assert_array_equal(file["time"], TIME)
        denoised = file["denoised"]
        assert file["fitted"].shape == denoised.shape == scan.shape
    header, rows = read_csv(out / "curves.csv")
    assert header[:2] == ["t=0s", "t=5s"]
    assert_array_equal(np.array(rows, dtype=float), denoised)
    for name in ("parameters", "parameters_undenoised"):
        header, rows = read_csv(out / f"{name}.csv")
        assert header[:4] == ["Ktrans", "ve", "vp", "delay"]
        assert np.isfinite(np.array(rows, dtype=float)).all()
        assert len(rows) == len(scan)
    assert "Bolus delays from" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["scan.npz C", "c.npy", "c.csv"])
def test_ways_to_give_curves(scan, key):
    np.save("c.npy", scan)
    np.savetxt("c.csv", scan, delimiter=",", fmt="%.18g", header="with names", comments="")
    path, *key = key.split()
    curves = read_curves(Path(path), key[0] if key else None)
    assert curves.dtype == np.float64
    assert_array_equal(curves, scan)


@pytest.mark.parametrize(
    "text", ["t", "scan.npz:t", "0:5", "5", ",".join(map(str, TIME)), "t.csv", "t.npy", "row.csv"]
)
def test_ways_to_give_times(scan, text):
    np.savetxt("t.csv", TIME)
    np.savetxt("row.csv", [TIME], delimiter=";")
    np.save("t.npy", TIME)
    assert_array_equal(read_time(text, Path("scan.npz"), len(TIME)), TIME)


@pytest.mark.parametrize("text", ["cp", "scan.npz:cp", "aif.npy", "column.csv"])
def test_ways_to_give_an_aif_on_the_frames(scan, text):
    cp = aif_parker(TIME)
    np.save("aif.npy", cp)
    np.savetxt("column.csv", cp, fmt="%.18g", header="mM", comments="")
    assert_array_equal(read_aif(text, Path("scan.npz"), ("parker",)), cp)


def test_ways_to_give_an_aif_of_its_own(scan):
    pair = np.column_stack([np.arange(100.0), np.arange(100.0) ** 2])
    np.savetxt("aif.csv", pair, delimiter="\t", header="s\tmM", comments="")
    aif_time, cp = read_aif("aif.csv", Path("scan.npz"), ("parker",))
    assert_array_equal(np.column_stack([aif_time, cp]), pair)
    assert read_aif("parker", Path("scan.npz"), ("parker",)) == "parker"


def test_denoise_takes_a_named_aif_and_one_curve(folder):
    X = make_dce_curves(1, random_state=0)[0]
    np.save("one.npy", X)
    given = ["one.npy", "--time", "0:3.75", "--aif", "georgiou", "--hematocrit", "0.42"]
    assert main(["denoise", *given, *TINY, "--out", "out"]) == 0
    assert np.load("out/curves.npz")["denoised"].shape == X.shape


def test_denoise_without_a_delay(scan, folder):
    given = ["scan.npz", "--key", "C", "--time", "t", "--aif", "parker", "--delay", "0", "0"]
    assert main(["denoise", *given, *TINY, "--out", "out"]) == 0
    header, rows = read_csv(folder / "out" / "parameters.csv")
    assert header == ["Ktrans", "ve", "vp", "trust"]
    assert len(rows) == len(scan)


def test_denoise_runs_on_measured_curves(folder, reference_data):
    given = [str(reference_data / "invivo_slice_left.npz"), "--key", "C_mM"]
    given += ["--time", "t_s", "--aif", "Cp_mM", "--out", "out"]
    assert main(["denoise", *given, *TINY]) == 0
    assert len(read_csv("out/parameters.csv")[1]) == 2250


# ---- errors --------------------------------------------------------------------------------------


@pytest.fixture
def bad_files(scan):
    """Files with something wrong, named after it."""
    nan = scan.copy()
    nan[3:5, 2] = np.nan
    np.save("nan.npy", nan)
    np.save("flat.npy", scan[0])
    np.save("empty.npy", np.empty((0, 20)))
    np.save("good.npy", scan)
    np.save("short.npy", scan[:, :4])
    np.save("zero.npy", np.zeros_like(scan))
    np.save("molar.npy", 1e-6 * scan)
    np.save("signal.npy", 1000 * scan)
    np.save("words.npy", np.array([["a", "b"]]))
    np.save("objects.npy", np.array([[None]], dtype=object), allow_pickle=True)
    np.savez("none.npz")
    np.save("aif19.npy", np.ones(19))
    np.save("aif_nan.npy", np.r_[np.ones(19), np.nan])
    np.save("aif_short.npy", np.column_stack([TIME[:10], np.ones(10)]))
    np.save("time_back.npy", TIME[::-1])
    for name, text in {
        "empty.csv": "",
        "header.csv": "a,b\n",
        "words.csv": "1,2\n3,four\n",
        "ragged.csv": "1,2,3\n4,5\n",
        "broken.npz": "no zip",
        "broken.npy": "no array",
        "curves.mat": "matlab",
        "a_file": "",
    }.items():
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)


GOOD = "denoise good.npy --time 0:5 --aif parker --out out"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("", "arguments are required: COMMAND"),
        ("melt", "invalid choice: 'melt'"),
        ("demo --steps 0", "'0' was given, but expected a whole number above zero"),
        ("demo --steps x", "expected a whole number above zero"),
        ("demo --seconds -1", "'-1' was given, but expected a number above zero"),
        ("demo --seconds nan", "expected a finite number"),
        ("demo --seed 1.5", "expected a whole number from 0"),
        ("demo --colour red", "unrecognized arguments: --colour red"),
        ("demo --out a_file", "a_file cannot be written in"),
        ("demo --out a_file/deeper", "a_file/deeper cannot be written in"),
        ("denoise", "arguments are required: CURVES, --aif, --out"),
        (f"{GOOD} --delay 5 1", "--delay 5 1 was given, but expected LOW HIGH in this order"),
        (f"{GOOD} --delay 5", "--delay: expected 2 arguments"),
        (f"{GOOD} --hematocrit 45", "hematocrit=45.0, but expected a fraction"),
        (f"{GOOD} --delay -500 0", "both shorter than the scan, 95 s"),
        (GOOD.replace("good.npy", "lost.npy"), "lost.npy is not there"),
        (GOOD.replace("good.npy", "lost.npz"), "lost.npz is not there"),
        (GOOD.replace("good.npy", "curves.mat"), "ends in '.mat', but expected .npz, .npy, .csv"),
        (GOOD.replace("good.npy", "a_file"), "ends in 'nothing'"),
        (GOOD.replace("good.npy", "nan.npy"), "NaN or infinity in 2 of 30 curves"),
        (GOOD.replace("good.npy", "flat.npy"), "has shape (20,), but expected (n_curves, n_times)"),
        (GOOD.replace("good.npy", "empty.npy"), "has shape (0, 20), but expected"),
        (GOOD.replace("good.npy", "short.npy"), "has 4 frames, but expected at least 5"),
        (GOOD.replace("good.npy", "zero.npy"), "is 0 times as strong"),
        (GOOD.replace("good.npy", "molar.npy"), "give curves and AIF in mM"),
        (GOOD.replace("good.npy", "signal.npy"), "give curves and AIF in mM"),
        (GOOD.replace("--time 0:5", "--time=-200:5"), "the AIF is nowhere above zero"),
        (GOOD.replace("good.npy", "words.npy"), "cannot be read as an array of numbers"),
        (GOOD.replace("good.npy", "objects.npy"), "cannot be read as an array of numbers"),
        (GOOD.replace("good.npy", "broken.npy"), "cannot be read as an array of numbers"),
        (GOOD.replace("good.npy", "broken.npz"), "cannot be read as an array of numbers"),
        (GOOD.replace("good.npy", "none.npz"), "holds 0 arrays"),
        (GOOD.replace("good.npy", "empty.csv"), "is empty"),
        (GOOD.replace("good.npy", "header.csv"), "is empty"),
        (GOOD.replace("good.npy", "words.csv"), "cannot be read as an array of numbers"),
        (GOOD.replace("good.npy", "ragged.csv"), "cannot be read as an array of numbers"),
        (GOOD.replace("good.npy", "scan.npz"), "holds 3 arrays (C, t, cp), but expected one"),
        (f"{GOOD} --key C", "good.npy has no keys, but 'C' was asked for"),
        (GOOD.replace("good.npy", "scan.npz --key D"), "has no key 'D', but expected one of C"),
        (GOOD.replace("0:5", "aif19.npy"), "aif19.npy has 19 times, but the curves have 20 frames"),
        (GOOD.replace("0:5", "0,5,10"), "has 3 times, but the curves have 20 frames"),
        (GOOD.replace("0:5", "time_back.npy"), "but expected strictly increasing seconds"),
        (GOOD.replace("0:5", "0:-5"), "but expected strictly increasing seconds"),
        (GOOD.replace("0:5", "good.npy"), "has shape (30, 20), but expected (n_times,)"),
        (GOOD.replace("0:5", "tt"), "--time tt is no file"),
        (GOOD.replace("0:5", "1:2:3"), "--time 1:2:3 is no file"),
        (GOOD.replace("0:5", "lost.csv"), "--time lost.csv is not there"),
        (GOOD.replace("0:5", "scan.npz"), "say which, with --time FILE.npz:KEY"),
        (GOOD.replace("0:5", "scan.npz:x"), "has no key 'x'"),
        (GOOD.replace("parker", "tofts"), "the names are parker, georgiou"),
        (GOOD.replace("parker", "aif19.npy"), "aif has shape (19,), but expected (20,)"),
        (GOOD.replace("parker", "aif_nan.npy"), "aif contains 1 values that are NaN"),
        (GOOD.replace("parker", "aif_short.npy"), "aif ends at 45 s"),
        (GOOD.replace("--out out", "--out a_file"), "a_file cannot be written in"),
    ],
)
def test_an_error_is_one_sentence(bad_files, folder, capsys, command, said):
    before = sorted(folder.rglob("*"))
    assert main(command.split()) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.startswith("sk-dcedenoise: ")
    assert printed.err.endswith(".\n")
    assert printed.err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


def test_an_error_can_say_where_it_comes_from(folder):
    with pytest.raises(ValueError, match="is not there"):
        main([*GOOD.replace("good", "lost").split(), "--traceback"])


def test_without_matplotlib_nothing_is_trained(scan, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["demo", *TINY]) == 2
    assert "sk-dcedenoise[plots]" in capsys.readouterr().err


def test_an_interrupt_leaves_nothing(folder, capsys, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sk_dcedenoise.cli._demo.train", interrupt)
    assert main(["demo", *TINY]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_it_is_a_module_that_runs(argument):
    command = [sys.executable, "-m", "sk_dcedenoise", argument]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout
    assert not done.stderr
