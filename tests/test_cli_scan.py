"""Commands on volumes and tables: maps, fits, training, reports, and what is wrong with inputs."""

import base64
import csv
import json
import re
from html.parser import HTMLParser

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_dcedenoise.cli import main
from sk_dcedenoise.cli._kinetics import KineticFit
from sk_dcedenoise.cli._trust import guard
from sk_dcedenoise.datasets import make_dce_curves, make_dce_phantom
from sk_dcedenoise.denoisers import DenoiserVanillaNL
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.persistence import load, save
from sk_dcedenoise.volumes import save_phantom

TINY = "--pairs 300 --steps 3"
MASK = "--mask p/mask.nii.gz"
AIF = "--aif p/artery.nii.gz --hematocrit 0.42"
SCAN = f"p/phantom.nii.gz {MASK} {AIF}"
SEQUENCE = "--TR 0.005 --flip-angle 15 --r1 4.5 --baseline 4"
KNOWN = "--delay 0 0"


@pytest.fixture(scope="module")
def phantom():
    return make_dce_phantom((16, 16, 2), max_delay=0.0, random_state=0)


@pytest.fixture(scope="module")
def files(phantom, tmp_path_factory):
    """A folder with a small phantom, a denoiser for it, and a table of its curves."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "p").mkdir()
    save_phantom(phantom, folder / "p")
    X, y = make_dce_curves(40, time=phantom.time, random_state=0)
    denoiser = DenoiserVanillaNL(width=0.1, max_epochs=1, scale="curve", random_state=0)
    save(denoiser.fit(X, y), folder / "net.safetensors")
    curves = phantom.concentration[phantom.tissue].astype(float)
    signals = phantom.signal[phantom.tissue].astype(float)
    T10 = phantom.T10[phantom.tissue]
    np.savez(folder / "t.npz", C=curves, S=signals, T10=T10, t=phantom.time)
    np.save(folder / "t.npy", curves)
    np.savetxt(folder / "t.csv", curves, delimiter=",")
    return folder


@pytest.fixture
def here(files, tmp_path, monkeypatch):
    """An empty folder to work in, with the files beside under their names."""
    for path in files.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command):
    assert main(command.split()) == 0


def opened(path):
    return nibabel.load(path).get_fdata()


# ---- fit -----------------------------------------------------------------------------------------


def test_fit_writes_what_the_fit_finds(here, phantom):
    run(f"fit {SCAN} {KNOWN} --errors --out out")
    blood = phantom.concentration[phantom.artery].astype(float).mean(axis=0)
    names = ["Ktrans", "ve", "vp", "kep", "Ktrans_se", "residual_std", "r2", "status"]
    fit = ToftsTransformer(phantom.time, blood / 0.58, outputs=names)
    expected = fit.fit_transform(phantom.concentration[phantom.tissue].astype(float))
    for name, column in zip(names, expected.T, strict=True):
        assert_allclose(opened(f"out/{name}.nii.gz")[phantom.tissue], column, rtol=1e-5, atol=1e-7)
    scan = nibabel.load("p/phantom.nii.gz")
    for path in (here / "out").glob("*.nii.gz"):
        image = nibabel.load(path)
        assert_array_equal(image.affine, scan.affine)
        assert image.shape == scan.shape[:3]
        assert json.loads(path.with_name(path.name[:-7] + ".json").read_text())["Model"]
    settings = json.loads((here / "out" / "run.json").read_text())
    assert settings["command"] == "fit"
    assert settings["settings"]["frames"] == phantom.time.tolist()


@pytest.mark.parametrize(
    ("model", "names"),
    [("tofts", {"Ktrans", "ve", "kep"}), ("patlak", {"Ktrans", "vp"})],
)
def test_fit_of_other_models(here, model, names):
    run(f"fit {SCAN} {KNOWN} --model {model} --out out")
    assert {p.name[:-7] for p in (here / "out").glob("*.nii.gz")} == {*names, "status"}


def test_a_fitted_delay_is_a_map(here, phantom):
    run(f"fit {SCAN} --delay -2 4 --out out")
    lesion = opened("out/delay.nii.gz")[phantom.lesion]
    assert abs(np.median(lesion)) < 1.0
    assert lesion.min() >= -2
    assert lesion.max() <= 4


def test_signals_give_the_parameters_of_their_concentrations(here, phantom):
    run(f"fit p/signal.nii.gz {MASK} {AIF} {KNOWN} --signal {SEQUENCE} --T10 p/T10.nii.gz --out s")
    run(f"fit {SCAN} {KNOWN} --out c")
    truth = phantom.maps.Ktrans[phantom.lesion]
    for folder in "sc":
        found = opened(f"{folder}/Ktrans.nii.gz")[phantom.lesion]
        assert np.median(found) == pytest.approx(np.median(truth), rel=0.12)


@pytest.mark.parametrize("table", ["t.npz --key C --time t", "t.npy --time 0:5", "t.csv --time 5"])
def test_tables_and_volumes_agree(here, phantom, table):
    run(f"fit {table} --aif p/aif.csv {KNOWN} --out table")
    run(f"fit p/phantom.nii.gz {MASK} --aif p/aif.csv {KNOWN} --out volume")
    with open("table/parameters.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("Ktrans", "ve", "vp", "status"):
        column = np.array([float(row[name]) for row in rows])
        assert_allclose(opened(f"volume/{name}.nii.gz")[phantom.tissue], column, rtol=1e-5)


def test_signals_in_a_table(here, phantom):
    signal = f"--signal {SEQUENCE} --T10 T10"
    run(f"fit t.npz --key S --time t --aif p/aif.csv {KNOWN} {signal} --out out")
    with open("out/parameters.csv", newline="") as file:
        found = np.array([float(row["Ktrans"]) for row in csv.DictReader(file)])
    lesion = phantom.lesion[phantom.tissue]
    truth = phantom.maps.Ktrans[phantom.lesion]
    assert np.median(found[lesion]) == pytest.approx(np.median(truth), rel=0.12)


def test_voxels_without_sense_are_data(here, phantom):
    data = phantom.concentration.copy()
    where = np.argwhere(phantom.tissue)
    data[tuple(where[0])] = np.nan
    data[tuple(where[1])] = 0.0
    data[tuple(where[2])] = -0.5
    data[(*where[3], 7)] = np.nan
    scan = nibabel.load("p/phantom.nii.gz")
    nibabel.Nifti1Image(data, scan.affine, scan.header).to_filename("odd.nii.gz")
    run(f"map odd.nii.gz {MASK} {AIF} {KNOWN} --denoiser net.safetensors --out out")
    status, trust = opened("out/status.nii.gz"), opened("out/trust.nii.gz")
    ktrans = opened("out/Ktrans.nii.gz")
    assert [status[tuple(w)] for w in where[:3]] == [2048, 1024, 1024]
    assert np.isnan(ktrans[tuple(where[0])])
    assert ktrans[tuple(where[1])] == 0
    # A missing frame: not denoised, but fitted to the frames that are there.
    assert trust[tuple(where[3])] == 0
    assert ktrans[tuple(where[3])] == opened("out/Ktrans_undenoised.nii.gz")[tuple(where[3])]
    assert np.isfinite(ktrans[tuple(where[4])])


def test_without_a_mask_all_that_varies_is_fitted(here):
    run(f"fit p/phantom.nii.gz {AIF} {KNOWN} --out out")
    assert (opened("out/status.nii.gz") >= 0).all()


# ---- map, denoise, train -------------------------------------------------------------------------

MAPS = {"Ktrans", "kep", "ve", "vp"}


class Page(HTMLParser):
    """Tags, pictures and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.pictures, self.links, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)
        if tag == "img":
            self.pictures.append(attrs["src"])
        self.links += [attrs[key] for key in ("href", "src") if key in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_map_writes_maps_and_a_report(here, phantom, capsys):
    run(f"map {SCAN} {TINY} --out out")
    names = MAPS | {"delay"}
    expected = names | {f"{n}_se" for n in names} | {f"{n}_undenoised" for n in names - {"kep"}}
    expected |= {"status", "trust", "residual_std", "r2"}
    assert {p.name[:-7] for p in (here / "out").glob("*.nii.gz")} == expected
    affine = nibabel.load("p/phantom.nii.gz").affine
    for path in (here / "out").glob("*.nii.gz"):
        assert_array_equal(nibabel.load(path).affine, affine)
    trust = opened("out/trust.nii.gz")
    assert_array_equal(np.isfinite(trust), phantom.tissue)
    assert 0 <= np.nanmin(trust) <= np.nanmax(trust) <= 1
    noise = np.nanmedian(opened("out/residual_std.nii.gz"))
    assert noise == pytest.approx(0.03, rel=0.1)
    page = Page((here / "out" / "report.html").read_text())
    assert page.open == []
    assert len(page.pictures) == 8
    for picture in page.pictures:
        assert base64.b64decode(picture.removeprefix("data:image/png;base64,"))[:4] == b"\x89PNG"
    assert page.links == page.pictures, "a page that needs other files"
    assert load("out/denoiser.safetensors").n_features_in_ == 40
    printed = capsys.readouterr().out
    share = float(re.search(r"([\d.]+)% of the curves are trusted", printed)[1])
    assert share == pytest.approx(100 * np.mean(trust[phantom.tissue] >= 0.5), abs=0.06)
    text = (here / "out" / "report.html").read_text()
    for said in (f"{share / 100:.1%}", "torch", "p/mask.nii.gz", "noise (median)"):
        assert said in text


def test_map_of_a_table(here):
    run(f"map t.npy --time 0:5 --aif p/aif.csv {KNOWN} --denoiser net.safetensors --out out")
    with open("out/parameters.csv", newline="") as file:
        header = next(csv.reader(file))
    assert {*MAPS, "Ktrans_se", "status", "trust", "Ktrans_undenoised"} <= set(header)
    assert len(Page((here / "out" / "report.html").read_text()).pictures) == 5
    assert not (here / "out" / "denoiser.safetensors").exists()


def test_denoise_writes_a_volume(here, phantom):
    run(f"denoise {SCAN} {KNOWN} --denoiser net.safetensors --out out")
    image = nibabel.load("out/denoised.nii.gz")
    assert image.shape == phantom.concentration.shape
    assert_allclose(image.header.get_zooms()[3], 5.0)
    curves = phantom.concentration[phantom.tissue].astype(float)
    denoiser = load("net.safetensors")
    for name, expected in (("denoised", denoiser.transform), ("trust", denoiser.trust)):
        found = opened(f"out/{name}.nii.gz")[phantom.tissue]
        assert_allclose(found, expected(curves), rtol=1e-5, atol=1e-6)


def test_a_trained_denoiser_serves_the_next_scan(here):
    run(f"train {SCAN} {TINY} --out protocol")
    run(f"map {SCAN} {KNOWN} --denoiser protocol/denoiser.safetensors --out out")
    nibabel.save(nibabel.load("p/phantom.nii.gz"), "slow.nii.gz")
    command = f"map slow.nii.gz {SCAN.partition(' ')[2]} --time 0:7 {KNOWN} --out other"
    assert main([*command.split(), "--denoiser", "protocol/denoiser.safetensors"]) == 2


def test_results_repeat(here):
    for folder in "ab":
        run(f"map {SCAN} {KNOWN} {TINY} --seed 3 --out {folder}")
    for path in (here / "a").glob("*.nii.gz"):
        assert_array_equal(opened(path), opened(here / "b" / path.name))


def test_a_run_replaces_an_earlier_one(here):
    run(f"fit {SCAN} {KNOWN} --errors --out out")
    run(f"fit {SCAN} {KNOWN} --out out")
    assert not (here / "out" / "r2.nii.gz").exists()
    assert [p.name for p in here.iterdir() if p.name.startswith(".")] == []


# ---- trust ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged():
    """Noisy and clean curves of one law, and the fit of the noisy ones."""
    time = 5.0 * np.arange(40)
    X, y = make_dce_curves(800, time=time, noise_levels=0.1, random_state=0)
    aif_time = np.linspace(0, 200, 2001)
    from sk_dcedenoise.aif import aif_parker

    kinetic = KineticFit("extended_tofts", time, (aif_time, aif_parker(aif_time)), (0.0, 0.0))
    return X, y, kinetic, kinetic.columns(X)


def test_the_truth_is_trusted_as_often_as_it_should_be(judged):
    X, y, kinetic, columns = judged
    trust = guard(None, X, y, kinetic, columns)[1]
    # By construction below 1 for one true curve in twenty, and below 0.5 for one in forty.
    assert np.mean(trust < 1) == pytest.approx(0.05, abs=0.025)
    assert np.mean(trust < 0.5) == pytest.approx(0.025, abs=0.02)


def test_a_wrong_curve_stays_as_measured(judged):
    X, y, kinetic, columns = judged
    kept, trust = guard(None, X, 0.5 * y, kinetic, columns)
    assert np.mean(trust) < 0.01
    assert_allclose(kept[trust == 0], X[trust == 0])


def test_the_fit_itself_is_trusted(judged):
    X, _, kinetic, columns = judged
    kept, trust = guard(None, X, kinetic.curves(columns), kinetic, columns)
    assert_array_equal(trust, 1.0)
    assert_allclose(kept, kinetic.curves(columns))


def test_a_denoiser_that_judges_itself_is_taken_at_its_word(judged):
    class Judge:
        def trust(self, X):
            return np.where(np.arange(len(X)) % 2, 0.25, 0.01)

    X, y, kinetic, columns = judged
    kept, trust = guard(Judge(), X, y, kinetic, columns)
    assert_array_equal(kept, y)
    assert_array_equal(trust, Judge().trust(X))


# ---- phantom, info -------------------------------------------------------------------------------


def test_phantom_writes_itself(here, phantom):
    run("phantom --shape 16 16 2 --seed 4 --out ph")
    expected = make_dce_phantom((16, 16, 2), random_state=4).concentration
    assert_array_equal(opened("ph/phantom.nii.gz"), expected)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("", ["torch:", "sk-dcedenoise:"]),
        ("p/phantom.nii.gz", ["16 x 16 x 2 x 40", "40, 0 to 195 s", "-95.000", "mM"]),
        ("p/truth_ve.nii.gz", ["True volume fraction of the extravascular", "Q.PH1.001.[e]"]),
        ("net.safetensors", ["DenoiserVanillaNL", "width:", "0.1", "frames:         40"]),
        ("t.npz", ["C:", "(40,) float64"]),
        ("t.npy", ["shape:"]),
    ],
)
def test_info_says_what_a_file_is(here, capsys, file, said):
    run(f"info {file}")
    printed = capsys.readouterr().out
    for text in said:
        assert text in printed


# ---- errors --------------------------------------------------------------------------------------


@pytest.fixture
def bad(here, phantom):
    """Files with something wrong, named after it."""
    scan = nibabel.load("p/phantom.nii.gz")
    mask = phantom.tissue.astype(np.uint8)

    def write(name, data, affine=scan.affine, unit="sec", step=5.0):
        image = nibabel.Nifti1Image(data, affine)
        if np.ndim(data) == 4:
            image.header.set_zooms((*image.header.get_zooms()[:3], step))
        image.header.set_xyzt_units("mm", unit)
        image.to_filename(f"{name}.nii.gz")

    C = phantom.concentration
    write("flat", C[..., 0])
    write("untimed", C, unit="unknown")
    write("minutes", C, step=5 / 60)
    write("short", C[..., :4])
    write("nan", np.full_like(C, np.nan))
    write("still", np.ones_like(C))
    write("molar", C / 1e6)
    write("units", C)
    (here / "units.json").write_text(json.dumps({"Units": "HU"}))
    write("mask_small", mask[1:])
    write("mask_moved", mask, affine=scan.affine + np.eye(4))
    write("mask_empty", 0 * mask)
    write("mask_many", phantom.labels)
    write("mask_4d", np.stack([mask] * 3, axis=-1))
    write("t10_small", np.ones((4, 4, 2)))
    (here / "broken.nii.gz").write_bytes(b"no nifti")
    (here / "broken.safetensors").write_bytes(bytes(64))
    X, y = make_dce_curves(40, random_state=0)
    save(DenoiserVanillaNL(width=0.1, max_epochs=1).fit(X, y), here / "net32.safetensors")
    (here / "mine").mkdir()
    (here / "mine" / "thesis.txt").write_text("")
    return here


FIT = f"fit {SCAN} --out out"
SIG = f"fit p/signal.nii.gz {MASK} {AIF} --out out --signal"
MAP = f"map {SCAN} --out out"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("fit p/phantom.nii.gz --out out", "arguments are required: --aif"),
        ("map", "arguments are required: CURVES, --aif, --out"),
        (FIT.replace("p/phantom", "lost"), "lost.nii.gz is not there"),
        (FIT.replace("p/phantom", "broken"), "cannot be read as a NIfTI image"),
        (
            FIT.replace("p/phantom", "flat"),
            "has shape (16, 16, 2), but expected (x, y, z, n_times)",
        ),
        (FIT.replace("p/phantom", "untimed"), "in unit 'unknown', but expected a spacing in sec"),
        (FIT.replace("p/phantom", "minutes"), "the times are in minutes or milliseconds"),
        (FIT.replace("p/phantom", "short"), "has 4 frames, but expected at least 5"),
        (FIT.replace("p/phantom", "nan"), "NaN or infinity in every voxel of the mask"),
        ("fit still.nii.gz --aif parker --out out", "holds nothing that varies over time"),
        (
            MAP.replace("p/phantom", "molar").replace(AIF, "--aif parker"),
            "give curves and AIF in mM",
        ),
        (FIT.replace("p/phantom", "units"), "are in 'HU' by the sidecar, but expected mM"),
        (f"{FIT} --time 0,5,10", "has 3 times, but the curves have 40 frames"),
        (f"{FIT} --time 0:0.01", "frames are 0.01 s apart"),
        (f"{FIT} --key C", "has no keys, but 'C' was asked for"),
        (FIT.replace("p/mask", "mask_small"), "has shape (15, 16, 2), but expected (16, 16, 2)"),
        (FIT.replace("p/mask", "mask_moved"), "mm away from the scan by its affine"),
        (FIT.replace("p/mask", "mask_empty"), "is empty, but expected at least one voxel"),
        (FIT.replace("p/mask", "mask_many"), "different values, but expected 0 and one more"),
        (FIT.replace("p/mask", "mask_4d"), "mask_4d.nii.gz has shape (16, 16, 2, 3)"),
        (FIT.replace("p/mask", "lost"), "mask lost.nii.gz is not there"),
        (FIT.replace("p/artery", "mask_empty"), "mask mask_empty.nii.gz is empty"),
        (FIT.replace("p/artery.nii.gz", "nobody"), "the names are parker, georgiou"),
        (FIT.replace("0.42", "42"), "hematocrit=42.0, but expected a fraction"),
        (f"{FIT} --artery-voxels 99999", "n_voxels=99999, but expected a whole number from 1 to"),
        (f"{FIT.replace(AIF, '--aif parker')} --artery-voxels 3", "--aif is no mask of an artery"),
        (f"{FIT} --model 2cxm", "invalid choice: '2cxm'"),
        (f"{FIT} --delay 5 1", "expected LOW HIGH in this order"),
        (f"{FIT} --TR 0.005", "--TR was given without --signal"),
        (SIG, "--signal was given without --TR, --flip-angle, --r1, --T10, --baseline"),
        (
            f"{SIG} --TR 0.005 --T10 1.4",
            "--signal was given without --flip-angle, --r1, --baseline",
        ),
        (f"{SIG} {SEQUENCE} --T10 -1", "--T10=-1.0, but expected a finite number s above zero"),
        (f"{SIG} {SEQUENCE} --T10 soon", "--T10 soon is no file"),
        (
            f"{SIG} {SEQUENCE} --T10 t10_small.nii.gz",
            "has shape (4, 4, 2), but expected (16, 16, 2)",
        ),
        (f"{SIG} {SEQUENCE.replace('0.005', '5')} --T10 1.4", "check --TR in s"),
        (f"{SIG} {SEQUENCE.replace('4.5', '0')} --T10 1.4", "expected a number above zero"),
        (f"{SIG} {SEQUENCE[:-1]}99 --T10 1.4", "leave at least one frame before the bolus"),
        (f"{FIT} --signal {SEQUENCE} --T10 1.4", "but --signal was given: leave it out"),
        (f"{MAP} --denoiser lost.safetensors", "lost.safetensors is not there"),
        (f"{MAP} --denoiser broken.safetensors", "is damaged or no safetensors file"),
        (f"{MAP} --denoiser net32.safetensors", "for curves of 32 frames, but expected one for 40"),
        (MAP.replace("--out out", "--out mine"), "holds thesis.txt, which no earlier run"),
        (MAP.replace("--out out", "--out ."), "is the folder that you are in"),
        (MAP.replace("--out out", "--out t.npy"), "t.npy cannot be written in"),
        ("fit t.npy --aif parker --out out", "does not say its frame times, but expected --time"),
        ("fit t.npy --time 0:5 --aif p/artery.nii.gz --out out", "is a table without a grid"),
        ("fit t.npy --time 0:5 --aif parker --mask p/mask.nii.gz --out out", "leave it out"),
        ("phantom --shape 4 4 4", "expected a whole number of at least 16"),
        ("phantom --noise -1", "expected a number of at least zero"),
        ("info lost.nii", "is not there"),
        ("info lost.safetensors", "is not there"),
        ("info broken.safetensors", "is damaged or no safetensors file"),
        ("info broken.nii.gz", "cannot be read as a NIfTI image"),
    ],
)
def test_an_error_is_one_sentence(bad, capsys, command, said):
    before = sorted(bad.rglob("*"))
    assert main(command.split()) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.startswith("sk-dcedenoise: ")
    assert printed.err.endswith(".\n")
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err
    assert sorted(bad.rglob("*")) == before
