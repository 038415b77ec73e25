import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sk_dcedenoise.aif import (
    NAMED_AIFS,
    aif_fritz_hansen,
    aif_georgiou,
    aif_mcgrath,
    aif_parker,
    aif_weinmann,
    plasma_curve,
)

FRAMES = np.arange(32) * 3.75
each_aif = pytest.mark.parametrize("aif", NAMED_AIFS.values(), ids=NAMED_AIFS.keys())


def read_columns(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        name: np.array([float(row[name]) for row in rows]) for name in rows[0] if name != "label"
    }


@pytest.mark.parametrize(
    ("aif", "name", "seconds"),
    [
        (aif_parker, "aif_parker.csv", 60.0),
        (aif_georgiou, "aif_georgiou.csv", 60.0),
        (aif_mcgrath, "aif_preclinical_mcgrath.csv", 1.0),
    ],
)
def test_published_tables_are_met(reference_data, aif, name, seconds):
    table = read_columns(reference_data / name)
    shift = table.get("delay", 0.0)
    ours = aif(table["time"] * seconds, delay=shift)
    assert_allclose(ours, table["Cb"], rtol=0.01, atol=1e-4)


def test_georgiou_meets_the_authors_table_far_closer_than_its_rounded_constants(reference_data):
    table = read_columns(reference_data / "aif_georgiou.csv")
    assert_allclose(aif_georgiou(table["time"] * 60.0), table["Cb"], rtol=0, atol=5e-5)


def test_biexponentials_by_hand():
    # 0.1 (3.99 + 4.78), and one half-life of the fast part: ln 2 / 0.144 min.
    assert_allclose(aif_weinmann(0.0), 0.877)
    half = np.log(2.0) / 0.144
    assert_allclose(aif_weinmann(60.0 * half), 0.1995 + 0.478 * np.exp(-0.0111 * half))
    assert_allclose(aif_fritz_hansen([0.0, 60.0]), [3.02, 2.4 * 0.049787068 + 0.62 * 0.984127320])


@each_aif
def test_zero_before_the_bolus_and_the_later_curve_is_the_same_curve(aif):
    time = np.linspace(-20.0, 300.0, 641)
    assert (aif(time)[time < 0.0] == 0.0).all()
    assert_allclose(aif(time + 12.5, delay=12.5), aif(time), rtol=1e-9, atol=1e-12)
    assert (aif(time, delay=12.5)[time < 12.5] == 0.0).all()


@each_aif
def test_hematocrit_and_scale_are_factors(aif):
    assert_allclose(aif(FRAMES, hematocrit=0.45), aif(FRAMES) / 0.55)
    assert_allclose(aif(FRAMES, scale=1.2), 1.2 * aif(FRAMES))
    rows = aif(FRAMES[None], delay=np.array([[0.0], [4.0]]), scale=np.array([[1.0], [2.0]]))
    assert_allclose(rows[1], 2.0 * aif(FRAMES, delay=4.0))


@each_aif
def test_times_keep_their_shape_and_nan_stays_nan(aif):
    assert aif(5.0).shape == ()
    curve = aif([[1.0, np.nan], [2.0, 3.0]])
    assert_array_equal(np.isnan(curve), [[False, True], [False, False]])


def test_georgiou_stays_finite_after_half_an_hour():
    late = aif_georgiou(np.arange(0.0, 3600.0, 10.0))
    assert np.isfinite(late).all()
    # The slow exponential alone is left: 0.1127 /min.
    assert_allclose(np.log(late[180] / late[240]) / 10.0, 0.112701, rtol=1e-3)


@pytest.mark.parametrize("name", NAMED_AIFS)
@pytest.mark.parametrize(
    "time", [FRAMES, FRAMES - 11.0, np.array([0.0, 1.0, 7.7, 60.0, 61.0, 600.0]), np.array([20.0])]
)
def test_lines_between_nodes_follow_the_formula(name, time):
    nodes, cp = plasma_curve(name, time)
    assert nodes[0] == min(0.0, time[0]) and nodes[-1] == time[-1]
    assert (np.diff(nodes) > 0).all() and np.isin(time, nodes).all()
    dense = np.linspace(nodes[0], nodes[-1], 50_001)
    miss = np.abs(np.interp(dense, nodes, cp) - NAMED_AIFS[name](dense))
    assert miss.max() <= 1.5e-5 * cp.max()
    assert nodes.size < 1500


def test_frames_before_the_bolus_only():
    nodes, cp = plasma_curve("weinmann", [-30.0, -20.0, -10.0])
    assert nodes[0] == -30.0 and nodes[-1] == -10.0
    assert (cp == 0.0).all()


def test_a_function_is_sampled_like_a_name():
    nodes, cp = plasma_curve(aif_parker, FRAMES, hematocrit=0.4)
    named_nodes, named_cp = plasma_curve("parker", FRAMES, hematocrit=0.4)
    assert_array_equal(nodes, named_nodes)
    assert_array_equal(cp, named_cp)
    assert_allclose(cp, aif_parker(nodes) / 0.6)


def test_a_jump_inside_a_formula_is_narrowed_down():
    nodes, cp = plasma_curve(lambda t: np.where(t < 10.123, 0.0, 2.0), FRAMES)
    assert nodes.size < 200
    assert_allclose(
        np.sum(np.diff(nodes) * (cp[1:] + cp[:-1]) / 2), 2 * (116.25 - 10.123), atol=2e-3
    )


def test_measured_curves_are_used_as_given():
    values = aif_parker(FRAMES)
    nodes, cp = plasma_curve(values, FRAMES)
    assert_array_equal(nodes, FRAMES)
    assert_array_equal(cp, values)
    own = np.arange(-5.0, 130.0, 1.0)
    before = own.copy()
    nodes, cp = plasma_curve((own, aif_parker(own)), FRAMES, hematocrit=0.5)
    assert_array_equal(nodes, own)
    assert_allclose(cp, 2.0 * aif_parker(own))
    nodes += 1.0
    assert_array_equal(own, before)


@settings(deadline=None)
@given(st.integers(2, 40), st.floats(0.5, 30.0), st.floats(-40.0, 40.0))
def test_any_frames_are_nodes(n_times, step, start):
    time = start + step * np.arange(n_times)
    nodes, cp = plasma_curve("parker", time)
    assert np.isin(time, nodes).all()
    assert_allclose(cp[np.isin(nodes, time)], aif_parker(time), atol=1e-12)


@pytest.mark.parametrize(
    ("aif", "message"),
    [
        ("tofts", "expected one of 'parker', 'georgiou'"),
        (np.ones(31), r"aif has shape \(31,\), but expected \(32,\)"),
        (np.ones((2, 32)), r"aif has shape \(2, 32\)"),
        (
            (FRAMES[:-1], np.ones(31)),
            "aif ends at 112.5 s, but expected it to reach the last frame",
        ),
        ((FRAMES[::-1], np.ones(32)), "aif_time.*strictly increasing"),
        (np.full(32, np.nan), "aif contains 32 values that are NaN"),
        (lambda t: np.nan * t, "aif returned values that are NaN"),
        (lambda t: 1.0, r"aif returned an array of shape \(\)"),
    ],
)
def test_bad_arterial_input_functions(aif, message):
    with pytest.raises(ValueError, match=message):
        plasma_curve(aif, FRAMES)


@pytest.mark.parametrize("hematocrit", [1.0, -0.1, 45, "0.4"])
def test_bad_hematocrit(hematocrit):
    with pytest.raises(ValueError, match="hematocrit="):
        aif_parker(FRAMES, hematocrit=hematocrit)
    with pytest.raises(ValueError, match="hematocrit="):
        plasma_curve(np.ones(32), FRAMES, hematocrit=hematocrit)
