import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import least_squares

from sk_dcedenoise.signal import concentration_from_signal, r1_from_vfa, spgr_signal, t1_from_vfa

SCAN = {"TR": 0.005, "flip_angle": 15.0, "r1": 4.5}
ANGLES = np.array([2.0, 5.0, 10.0, 15.0, 20.0])


def read_rows(path):
    csv.field_size_limit(10**9)
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [{name.strip(): cell for name, cell in row.items()} for row in rows]
    return [
        {k: v if k == "label" else np.array(v.split(), float).squeeze() for k, v in row.items()}
        for row in rows
    ]


def vfa_signal(R1, S0, angles, TR):
    """The Ernst equation as written in textbooks."""
    a, E1 = np.deg2rad(angles), np.exp(-TR * np.asarray(R1))[:, None]
    return np.asarray(S0)[:, None] * np.sin(a) * (1 - E1) / (1 - np.cos(a) * E1)


# Signal and concentration


def test_signal_by_hand():
    E1 = np.exp(-0.005 * (1 / 1.4 + 4.5 * 0.8))
    angle = np.pi / 12
    expected = 7.0 * np.sin(angle) * (1 - E1) / (1 - E1 * np.cos(angle))
    assert_allclose(spgr_signal([0.8], T10=1.4, S0=7.0, **SCAN), [expected], rtol=1e-14)


def test_published_concentrations(reference_data):
    rows = read_rows(reference_data / "osipi_signal_to_concentration.csv")
    assert len(rows) == 3
    for row in rows:
        concentration = concentration_from_signal(
            row["s"],
            TR=float(row["TR"]),
            flip_angle=row["FA"],
            r1=float(row["r1"]),
            T10=row["T1base"],
            n_baseline=int(row["numbaselinepts"]),
            n_skip=1,
        )
        assert_allclose(concentration, row["conc"], rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(
    st.lists(st.floats(-0.1, 8.0), min_size=1, max_size=8),
    st.floats(0.3, 2.5),
    st.floats(1.0, 90.0),
    st.floats(1e-3, 1e6),
)
def test_the_way_back_returns_what_went_in(concentration, T10, flip_angle, S0):
    curve = np.array([0.0, 0.0, *concentration])
    scan = {"TR": 0.004, "flip_angle": flip_angle, "r1": 3.4, "T10": T10}
    signal = spgr_signal(curve, S0=S0, **scan)
    assert_allclose(concentration_from_signal(signal, n_baseline=2, **scan), curve, atol=1e-7)


def test_negative_concentrations_survive():
    curve = np.array([[0.0, 0.02, -0.02, -0.05]])
    signal = spgr_signal(curve, T10=1.2, **SCAN)
    assert_allclose(
        concentration_from_signal(signal, T10=1.2, n_baseline=1, **SCAN), curve, atol=1e-12
    )


def test_each_curve_may_have_its_own_t1_angle_and_scale():
    rng = np.random.default_rng(0)
    curves = np.hstack([np.zeros((5, 3)), rng.uniform(0, 3, (5, 9))])
    T10, flip, S0 = rng.uniform(0.8, 2.0, 5), rng.uniform(10, 20, 5), rng.uniform(10, 1e4, 5)
    scan = {"TR": 0.005, "r1": 4.5}
    signal = spgr_signal(curves, flip_angle=flip, T10=T10, S0=S0, **scan)
    back = concentration_from_signal(signal, flip_angle=flip, T10=T10, n_baseline=3, **scan)
    assert_allclose(back, curves, atol=1e-10)
    one = spgr_signal(curves[2], flip_angle=flip[2], T10=T10[2], S0=S0[2], **scan)
    assert_allclose(signal[2], one, rtol=1e-14)


def test_no_answer_is_nan_and_stays_where_it_is():
    signal = spgr_signal(np.tile([0.0, 0.0, 1.0, 2.0], (6, 1)), T10=1.4, **SCAN)
    signal[1, 2] = 1e3  # more than full relaxation gives
    signal[2, 2] = -5.0
    signal[3, :2] = 0.0
    signal[4, 0] = np.nan
    T10 = np.array([1.4, 1.4, 1.4, 1.4, 1.4, np.nan])
    result = concentration_from_signal(signal, T10=T10, n_baseline=2, **SCAN)
    expected = np.zeros((6, 4), dtype=bool)
    expected[1, 2] = expected[2, 2] = True
    expected[3:] = True
    assert_array_equal(np.isnan(result), expected)
    assert_allclose(result[1, 3], 2.0)


def test_skipped_frames_do_not_enter_the_baseline():
    signal = spgr_signal([0.0, 0.0, 0.0, 1.0], T10=1.4, **SCAN)
    signal[0] *= 1.7
    result = concentration_from_signal(signal, T10=1.4, n_baseline=3, n_skip=1, **SCAN)
    assert_allclose(result[1:], [0.0, 0.0, 1.0], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_baseline": 0}, "n_baseline=0 and n_skip=0 for 4 frames"),
        ({"n_baseline": 5}, "n_baseline=5"),
        ({"n_baseline": 2, "n_skip": 2}, "n_skip=2"),
        ({"TR": 0.0}, "TR=0.0, but expected a finite number s above zero"),
        ({"r1": -1.0}, "r1=-1.0"),
        ({"T10": [1.0, 1.0]}, r"T10 has shape \(2,\).*one for each curve"),
        ({"flip_angle": np.ones((3, 1))}, r"flip_angle has shape \(3, 1\)"),
        ({"signal": np.ones((2, 2, 4))}, r"signal has shape \(2, 2, 4\).*curves_from_volume"),
    ],
)
def test_bad_conversions(change, message):
    given = {"signal": np.ones((3, 4)), "T10": 1.4, "n_baseline": 2, **SCAN, **change}
    with pytest.raises(ValueError, match=message):
        concentration_from_signal(given.pop("signal"), **given)


# T1 by variable flip angles


@pytest.mark.parametrize("method", ["linear", "nonlinear"])
def test_exact_signals_give_exact_rates(method):
    rng = np.random.default_rng(1)
    R1, S0, b1 = rng.uniform(0.1, 20, 500), rng.uniform(1, 1e6, 500), rng.uniform(0.7, 1.3, 500)
    signal = vfa_signal(R1, S0, ANGLES * b1[:, None], 0.005)
    before = signal.copy()
    found, scale = r1_from_vfa(signal, ANGLES, 0.005, b1=b1, method=method)
    assert_allclose(found, R1, rtol=1e-8)
    assert_allclose(scale, S0, rtol=1e-8)
    assert_allclose(t1_from_vfa(signal, ANGLES, 0.005, b1=b1, method=method)[0], 1 / R1, rtol=1e-8)
    assert_array_equal(signal, before)


def test_nonlinear_fit_finds_the_minimum_that_scipy_finds():
    rng = np.random.default_rng(2)
    R1, S0 = rng.uniform(0.3, 3, 40), rng.uniform(500, 2000, 40)
    signal = vfa_signal(R1, S0, ANGLES, 0.005) + rng.normal(0, 2.0, (40, 5))
    found, scale = r1_from_vfa(signal, ANGLES, 0.005, method="nonlinear")
    for row in range(40):

        def miss(p, row=row):
            return vfa_signal([p[0]], [p[1] * 1e3], ANGLES, 0.005)[0] - signal[row]

        best = least_squares(miss, [R1[row], S0[row] / 1e3], method="lm", xtol=1e-14, ftol=1e-14)
        assert_allclose([found[row], scale[row] / 1e3], best.x, rtol=1e-5)


@pytest.mark.parametrize("method", ["linear", "nonlinear"])
@pytest.mark.parametrize(
    ("name", "per_second", "n_rows"),
    [("osipi_t1_vfa_brain_invivo.csv", 1.0, 38), ("osipi_t1_vfa_qiba_dro.csv", 1000.0, 23)],
)
def test_published_rates(reference_data, name, per_second, n_rows, method):
    rows = read_rows(reference_data / name)
    assert len(rows) == n_rows
    for row in rows:
        R1, _ = r1_from_vfa(row["s"], row["FA"], float(row["TR"][0]), method=method)
        assert_allclose(R1, row["R1"] * per_second, rtol=0.05, atol=0.05, err_msg=row["label"])


@pytest.mark.parametrize("method", ["linear", "nonlinear"])
@pytest.mark.parametrize("corrected", [False, True])
def test_published_prostate_times(reference_data, method, corrected):
    rows = read_rows(reference_data / "osipi_t1_vfa_prostate_invivo.csv")
    assert len(rows) == 25
    column = f"T1 {method}" + (" B1cor" if corrected else "")
    for row in rows:
        if column == "T1 linear B1cor" and row["label"] == "Pat1_voxel5_prostaat":
            # The values of this column belong to other B1 factors than those beside them (here
            # to 1.08, T1 and S0 alike, instead of 1.005); all other rows are close all the same.
            continue
        b1 = row["B1"] / 100.0 if corrected else None
        R1, _ = r1_from_vfa(row["s"], row["FA"], float(row["TR"][0]) / 1e3, b1=b1, method=method)
        assert_allclose(R1, 1e3 / row[column], rtol=0.05, atol=0.05, err_msg=row["label"])
        if column != "T1 linear B1cor":
            assert_allclose(R1, 1e3 / row[column], rtol=1e-4)


@pytest.mark.parametrize("method", ["linear", "nonlinear"])
def test_voxels_without_an_answer_are_nan_and_alone(method):
    good = vfa_signal([0.8], [1000.0], ANGLES, 0.005)[0]
    # Nothing there; a missing angle; brighter with every angle, and in proportion to its sine and
    # more (no relaxation time does that); upside down.
    signal = np.array([good, np.zeros(5), [*good[:4], np.nan], np.sin(np.deg2rad(ANGLES)), -good])
    signal[3] *= ANGLES
    R1, S0 = r1_from_vfa(signal, ANGLES, 0.005, method=method)
    assert_allclose([R1[0], S0[0]], [0.8, 1000.0], rtol=1e-8)
    assert np.isnan(R1[1:4]).all() and np.isnan(S0[1:4]).all()
    if method == "nonlinear":
        assert np.isnan(R1[4])


@pytest.mark.parametrize("method", ["linear", "nonlinear"])
def test_chunks_do_not_show(monkeypatch, method):
    rng = np.random.default_rng(3)
    signal = vfa_signal(rng.uniform(0.5, 2, 23), np.full(23, 1e3), ANGLES, 0.005)
    signal += rng.normal(0, 1, signal.shape)
    b1 = rng.uniform(0.9, 1.1, 23)
    whole = r1_from_vfa(signal, ANGLES, 0.005, b1=b1, method=method)
    monkeypatch.setattr("sk_dcedenoise.signal._vfa._CHUNK_VOXELS", 5)
    assert_allclose(r1_from_vfa(signal, ANGLES, 0.005, b1=b1, method=method), whole, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signal": np.ones((3, 4))}, r"signal has shape \(3, 4\), but expected \(n_voxels, 5\)"),
        ({"flip_angle": [5.0] * 5}, "at least two different ones"),
        ({"flip_angle": [0.0, 2, 5, 10, 15]}, "degrees between 0 and 180"),
        ({"flip_angle": 5.0}, "flip_angle=5.0"),
        ({"b1": [1.0, 1.0]}, r"b1 has shape \(2,\), but expected one number or \(3,\)"),
        ({"method": "novifast"}, "expected one of 'linear', 'nonlinear'"),
        ({"TR": -1.0}, "TR=-1.0"),
    ],
)
def test_bad_flip_angle_series(change, message):
    given = {"signal": np.ones((3, 5)), "flip_angle": ANGLES, "TR": 0.005, **change}
    with pytest.raises(ValueError, match=message):
        r1_from_vfa(**given)
