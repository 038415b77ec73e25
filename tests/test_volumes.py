"""NIfTI files: what goes out comes back, and what is wrong is said."""

import json

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_dcedenoise.datasets import make_dce_phantom
from sk_dcedenoise.volumes import (
    aif_from_curves,
    load_dynamic,
    load_map,
    load_mask,
    mean_curve,
    save_curves,
    save_maps,
    save_phantom,
)

# Oblique and flipped, with different spacing along each axis.
AFFINE = np.array(
    [[-0.9, 0.5, 0.1, 30.0], [0.4, 1.1, 0.3, -22.0], [0.2, -0.1, 3.9, 7.0], [0, 0, 0, 1]]
)


def image(data, *, affine=AFFINE, step=5.0, unit="sec", nifti=nibabel.Nifti1Image):
    made = nifti(data, affine)
    made.set_sform(affine, "scanner")
    if data.ndim == 4:
        made.header.set_zooms((*made.header.get_zooms()[:3], step))
    made.header.set_xyzt_units("mm", unit)
    return made


@pytest.fixture
def data():
    return np.random.default_rng(0).normal(size=(4, 5, 3, 8))


@pytest.fixture
def volume(data, tmp_path):
    image(data).to_filename(tmp_path / "scan.nii.gz")
    return load_dynamic(tmp_path / "scan.nii.gz")


# ---- there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "step", "seconds"), [("sec", 5.0, 5.0), ("msec", 3750.0, 3.75), ("usec", 5e6, 5.0)]
)
def test_times_are_seconds_in_any_unit(data, tmp_path, unit, step, seconds):
    image(data, unit=unit, step=step).to_filename(tmp_path / "a.nii")
    assert_allclose(load_dynamic(tmp_path / "a.nii").time, seconds * np.arange(8))


def test_the_sidecar_knows_uneven_times(data, tmp_path):
    times = [0, 1, 2, 4, 8, 16, 32, 64.5]
    image(data, unit="unknown").to_filename(tmp_path / "a.nii.gz")
    (tmp_path / "a.json").write_text(json.dumps({"FrameTimesStart": times, "Units": "mM"}))
    volume = load_dynamic(tmp_path / "a.nii.gz")
    assert_array_equal(volume.time, times)
    assert volume.unit == "mM"
    assert_array_equal(load_dynamic(tmp_path / "a.nii.gz", time=np.arange(8.0)).time, np.arange(8))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_values_are_those_of_the_file(tmp_path, dtype):
    stored = (100 * np.random.default_rng(0).normal(size=(3, 2, 2, 4))).astype(dtype)
    image(stored).to_filename(tmp_path / "a.nii.gz")
    assert_array_equal(load_dynamic(tmp_path / "a.nii.gz").data, stored)


def test_scaled_integers_are_unscaled(tmp_path):
    stored = np.arange(32, dtype=np.int16).reshape(2, 2, 2, 4)
    scaled = image(stored)
    scaled.header.set_slope_inter(0.5, -3.0)
    scaled.to_filename(tmp_path / "a.nii.gz")
    raw = nibabel.load(tmp_path / "a.nii.gz").dataobj.get_unscaled()
    assert_allclose(load_dynamic(tmp_path / "a.nii.gz").data, 0.5 * raw - 3.0)


@pytest.mark.parametrize("nifti", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_maps_keep_affine_header_and_values(data, tmp_path, nifti):
    scan = image(data, nifti=nifti)
    scan.header["qform_code"] = 0
    scan.to_filename(tmp_path / "scan.nii.gz")
    volume = load_dynamic(tmp_path / "scan.nii.gz")
    mask = data[..., 0] > 0
    ktrans = np.random.default_rng(1).uniform(size=mask.sum()).astype(np.float32)
    ktrans[3] = np.nan
    status = np.arange(mask.sum())
    columns = {"Ktrans": ktrans, "status": status}
    paths = save_maps(tmp_path, columns, mask, volume, notes={"Model": "tofts"})
    assert [path.name for path in paths] == ["Ktrans.nii.gz", "status.nii.gz"]
    saved = nibabel.load(paths[0])
    assert type(saved) is nifti
    assert_array_equal(saved.affine, nibabel.load(tmp_path / "scan.nii.gz").affine)
    assert int(saved.header["sform_code"]) == 1
    assert saved.header.get_xyzt_units()[0] == "mm"
    assert_allclose(saved.header.get_zooms(), scan.header.get_zooms()[:3])
    assert saved.header["descrip"].item().decode() == "Ktrans (1/min)"
    assert_array_equal(saved.get_fdata()[mask], ktrans)
    assert np.isnan(saved.get_fdata()[~mask]).all()
    flags = nibabel.load(paths[1])
    assert flags.get_data_dtype() == np.int16
    assert_array_equal(np.asarray(flags.dataobj)[mask], status)
    assert (np.asarray(flags.dataobj)[~mask] == -1).all()


@pytest.mark.parametrize(
    ("name", "unit", "code", "word"),
    [
        ("Ktrans", "1/min", "Q.PH1.008", "Volume transfer constant"),
        ("ve", "fraction", "Q.PH1.001.[e]", "extravascular"),
        ("vp", "fraction", "Q.PH1.001.[p]", "plasma"),
        ("delay", "s", "Q.PH1.007", "delay"),
        ("Ktrans_se", "1/min", None, "Standard error of: Volume transfer"),
        ("Ktrans_undenoised", "1/min", "Q.PH1.008", "as measured"),
        ("residual_std", "mM", None, "leaves over"),
        ("mine", None, None, "mine"),
    ],
)
def test_sidecars_say_what_a_map_is(volume, tmp_path, name, unit, code, word):
    mask = np.ones(volume.shape, bool)
    save_maps(tmp_path, {name: np.zeros(mask.sum())}, mask, volume, notes={"Model": "patlak"})
    sidecar = json.loads((tmp_path / f"{name}.json").read_text())
    assert (sidecar["Name"], sidecar["Model"]) == (name, "patlak")
    assert (sidecar.get("Units"), sidecar.get("OSIPI")) == (unit, code)
    assert word in sidecar["Description"]


def test_curves_come_back_with_their_times(volume, tmp_path):
    mask = volume.data[..., 0] > 0
    save_curves(tmp_path / "again.nii.gz", volume.curves(mask), mask, volume)
    again = load_dynamic(tmp_path / "again.nii.gz")
    assert_allclose(again.curves(mask), volume.curves(mask), rtol=1e-6)
    assert_array_equal(again.time, volume.time)
    assert_array_equal(again.affine, volume.affine)
    assert again.unit == "mM"
    assert np.isnan(again.data[~mask]).all()


def test_nothing_is_repaired(tmp_path):
    data = np.zeros((2, 2, 1, 3))
    data[0, 0, 0] = [np.nan, -1.0, np.inf]
    data[0, 1, 0] = [-1.0, 0.0, -2.0]
    data[1, 0, 0] = np.nan
    image(data).to_filename(tmp_path / "a.nii.gz")
    volume = load_dynamic(tmp_path / "a.nii.gz")
    assert_array_equal(volume.data, data)
    assert_array_equal(volume.varying()[..., 0], [[False, True], [False, False]])


def test_masks_of_any_value(volume, tmp_path):
    inside = volume.data[..., 0] > 0.5
    for value, dtype in ((1, np.uint8), (255, np.int16), (0.5, np.float32)):
        image((value * inside).astype(dtype)).to_filename(tmp_path / "m.nii.gz")
        assert_array_equal(load_mask(tmp_path / "m.nii.gz", volume), inside)
    labels = inside + 2 * (volume.data[..., 1] > 1)
    image(labels.astype(np.int16)[..., None]).to_filename(tmp_path / "m.nii.gz")
    assert_array_equal(load_mask(tmp_path / "m.nii.gz", volume, label=3), labels == 3)


def test_the_phantom_in_files(tmp_path):
    phantom = make_dce_phantom((16, 16, 2), random_state=0)
    save_phantom(phantom, tmp_path)
    volume = load_dynamic(tmp_path / "phantom.nii.gz")
    assert_array_equal(volume.data, phantom.concentration)
    assert_array_equal(volume.time, phantom.time)
    assert volume.unit == "mM"
    for name in ("lesion", "artery"):
        assert_array_equal(load_mask(tmp_path / f"{name}.nii.gz", volume), phantom[name])
    truth = load_map(tmp_path / "truth_ve.nii.gz", volume)
    assert_array_equal(truth, phantom.maps.ve.astype(np.float32))
    assert_allclose(np.loadtxt(tmp_path / "aif.csv", delimiter=",", skiprows=1).T, phantom.aif)
    signal = load_dynamic(tmp_path / "signal.nii.gz")
    assert signal.unit == "arbitrary"
    assert_array_equal(signal.data, phantom.signal)


# ---- regions -------------------------------------------------------------------------------------


def test_the_curve_of_a_region():
    curves = np.random.default_rng(0).normal(size=(6, 4))
    assert_allclose(mean_curve(curves), curves.mean(axis=0))
    curves[2, 1] = np.nan
    whole = np.delete(curves, 2, axis=0)
    assert_allclose(mean_curve(curves, skip_nan=True), whole.mean(axis=0))
    with pytest.raises(ValueError, match="1 of the region's 6 voxels hold NaN"):
        mean_curve(curves)


def test_an_artery_gives_plasma():
    curves = np.array([[0.0, 1.0, 0.5], [0.0, 6.0, 2.0], [0.0, 4.0, 1.0]])
    assert_allclose(aif_from_curves(curves), curves.mean(axis=0))
    assert_allclose(aif_from_curves(curves, n_voxels=2, hematocrit=0.5), [0.0, 10.0, 3.0])
    for settings, said in (
        ({"n_voxels": 4}, "n_voxels=4, but expected a whole number from 1 to 3"),
        ({"hematocrit": 45}, "hematocrit=45"),
    ):
        with pytest.raises(ValueError, match=said):
            aif_from_curves(curves, **settings)
    with pytest.raises(ValueError, match="but expected a finite one"):
        aif_from_curves(np.full((2, 3), np.nan), skip_nan=True)
    with pytest.raises(ValueError, match=r"have shape \(3,\)"):
        mean_curve([1.0, 2.0, 3.0])


# ---- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda d: image(d[..., 0]), r"has shape \(4, 5, 3\), but expected \(x, y, z, n_times\)"),
        (lambda d: image(d, unit="unknown"), "in unit 'unknown', but expected a spacing in sec"),
        (lambda d: image(d, step=0.0), "a frame spacing of 0 in unit 'sec'"),
        (lambda d: image(d, step=5000.0), "frames are 5000 s apart"),
        (lambda d: image(d, step=5 / 60), "the times are in minutes or milliseconds"),
        (lambda d: image((d + 1j * d).astype(np.complex64)), "it holds complex64"),
    ],
)
def test_a_scan_that_cannot_be_used(data, tmp_path, make, said):
    made = make(data)
    made.to_filename(tmp_path / "a.nii.gz")
    with pytest.raises(ValueError, match=said):
        load_dynamic(tmp_path / "a.nii.gz")


def test_files_that_are_none(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"no gzip")
    (tmp_path / "b.nii").write_bytes(b"no nifti")
    for name, said in (
        ("a.nii.gz", "cannot be read as a NIfTI image"),
        ("b.nii", "cannot be read as a NIfTI image"),
        ("c.nii", "is not there"),
        ("d.dcm", "no NIfTI file by its name"),
    ):
        with pytest.raises(ValueError, match=said):
            load_dynamic(tmp_path / name)


def test_a_truncated_file(data, tmp_path):
    image(data).to_filename(tmp_path / "a.nii.gz")
    whole = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cannot be read as a NIfTI image"):
        load_dynamic(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [("{", "cannot be read as JSON"), ("[1]", "holds list"),
     ('{"FrameTimesStart": [0, 5]}', "has 2 frames, but the curves have 8"),
     ('{"VolumeTiming": [0, 5, 4, 6, 7, 8, 9, 10]}', "strictly increasing")],
)  # fmt: skip
def test_a_bad_sidecar(data, tmp_path, sidecar, said):
    image(data).to_filename(tmp_path / "a.nii.gz")
    (tmp_path / "a.json").write_text(sidecar)
    with pytest.raises(ValueError, match=said):
        load_dynamic(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda m: image(m[1:]), r"has shape \(3, 5, 3\), but expected \(4, 5, 3\)"),
        (lambda m: image(m, affine=np.diag([1, 1, 4, 1.0])), "mm away from the scan by its affine"),
        (lambda m: image(0 * m), "is empty, but expected at least one voxel"),
        (lambda m: image(np.arange(60.0).reshape(4, 5, 3)), "holds 60 different values"),
        (lambda m: image(m * np.nan), "contains NaN or infinity"),
    ],
)
def test_a_mask_that_does_not_fit(volume, tmp_path, make, said):
    make(np.ones(volume.shape)).to_filename(tmp_path / "m.nii.gz")
    with pytest.raises(ValueError, match=said):
        load_mask(tmp_path / "m.nii.gz", volume)


def test_without_nibabel_the_error_says_what_to_install(volume, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(ImportError, match=r"pip install 'sk-dcedenoise\[nifti\]'"):
        load_dynamic(tmp_path / "scan.nii.gz")
