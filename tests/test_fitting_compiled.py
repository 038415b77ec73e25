"""The compiled search: the same optima as without, and against scipy from several starts."""

import sys

import numpy as np
import pytest
from fitting_reference import (
    TIME,
    best_fit,
    lowest_on_a_fine_ladder,
    peaked_aif,
    sum_of_squares,
)

from sk_dcedenoise.fitting import FitStatus, ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts

CP = peaked_aif(TIME)
OUTPUTS = ["Ktrans", "kep", "vp"]
needs_numba = pytest.mark.usefixtures("numba")


@pytest.fixture(scope="session")
def numba():
    return pytest.importorskip("numba", reason="numba is not installed")


def some_curves(n_curves, seed):
    """A third each: noisy tissue, noise alone, and optima far outside of the box."""
    rng = np.random.default_rng(seed)
    third = n_curves // 3
    ktrans, ve, vp = rng.uniform(0.02, 0.3, third), rng.uniform(0.1, 0.9, third), 0.02
    tissue = extended_tofts(TIME, ktrans, ve, vp, aif=CP)
    tissue += 0.1 * tissue.mean(1, keepdims=True) * rng.normal(size=tissue.shape)
    noise = 0.05 * rng.normal(size=tissue.shape)
    return np.vstack([tissue, noise, 6.0 * tissue + noise])


@needs_numba
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_reaches_the_optimum_of_four_starts(dtype):
    curves = some_curves(60, 0)
    fit = ToftsTransformer(TIME, CP, outputs=OUTPUTS, compiled=True).fit(curves)
    found = fit.transform(curves.astype(dtype)).astype(float)
    scan = dict(time=TIME, aif_time=TIME, cp=CP)
    lowest = np.array([best_fit(curve, **scan)[0] for curve in curves])
    reached = [sum_of_squares(c, p, **scan) for c, p in zip(curves, found, strict=True)]
    assert (np.array(reached) / lowest - 1.0).max() < 1e-6


@needs_numba
def test_no_rate_of_a_fine_ladder_is_better():
    curves = 0.05 * np.random.default_rng(0).standard_normal((2000, TIME.size))
    scan = dict(time=TIME, aif_time=TIME, cp=CP)
    lowest = lowest_on_a_fine_ladder(curves, **scan)
    fit = ToftsTransformer(TIME, CP, outputs=OUTPUTS, compiled=True)
    found = fit.fit_transform(curves)
    reached = [sum_of_squares(c, p, **scan) for c, p in zip(curves, found, strict=True)]
    assert (np.array(reached) / lowest - 1.0).max() < 1e-6


@needs_numba
@pytest.mark.parametrize("n_times", [32, 29])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"model": "tofts"},
        {"delay": 4.0},
        {"bounds": {"Ktrans": (0.05, 0.2), "ve": (0.1, 0.3), "vp": (0.005, 0.02)}},
        {"bounds": {"vp": (-0.1, 0.1), "kep": (0.5, 2.0)}},
        {"weights": True},
    ],
    ids=str,
)
def test_same_as_without(settings, n_times):
    # Neither the number of frames nor that of curves fills whole blocks of the loops.
    curves = some_curves(999, 1)[:, :n_times]
    settings = dict(settings, outputs=["Ktrans", "ve", "kep", "residual_std"])
    if settings.pop("weights", False):
        settings["weights"] = np.random.default_rng(0).uniform(0, 2, n_times)
    if settings.get("model") == "tofts":
        curves = curves - 0.02 * CP[:n_times]
    scan = dict(time=TIME[:n_times], aif=CP[:n_times])
    plain = ToftsTransformer(**scan, **settings).fit_transform(curves)
    found = ToftsTransformer(**scan, **settings, compiled=True).fit_transform(curves)
    np.testing.assert_allclose(found[:, 3], plain[:, 3], rtol=1e-9)
    same = np.isclose(found[:, :3], plain[:, :3], rtol=1e-6, atol=1e-8).all(1)
    # Where two optima are equally good, which one is found is decided by rounding.
    assert same.mean() > 0.995


@needs_numba
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_odd_curves(dtype):
    odd = np.array(
        [np.zeros(32), np.full(32, 0.3), np.full(32, -0.3), np.linspace(0, 1e6, 32), np.eye(32)[3]]
    )
    gaps = some_curves(9, 2)
    gaps[np.arange(9), np.arange(9)] = np.nan
    odd = np.vstack([odd, gaps, np.full((1, 32), np.nan), np.full((1, 32), np.inf)]).astype(dtype)
    outputs = ["Ktrans", "ve", "vp", "status"]
    plain = ToftsTransformer(TIME, CP, outputs=outputs).fit_transform(odd)
    found = ToftsTransformer(TIME, CP, outputs=outputs, compiled=True).fit_transform(odd)
    np.testing.assert_array_equal(found[:, 3], plain[:, 3])
    assert found[0, 3] == FitStatus.NO_SIGNAL and found[-1, 3] == FitStatus.NOT_FITTABLE
    np.testing.assert_allclose(found[:, :3], plain[:, :3], rtol=1e-4, atol=1e-6)


@needs_numba
def test_neighbours_and_layout_do_not_matter():
    curves = some_curves(300, 3)
    whole = ToftsTransformer(TIME, CP, compiled=True).fit_transform(curves)
    chunks = ToftsTransformer(TIME, CP, compiled=True, chunk_size=7).fit(curves)
    frozen = np.asfortranarray(curves)
    frozen.flags.writeable = False
    np.testing.assert_allclose(chunks.transform(frozen), whole, rtol=1e-9, atol=1e-12)


def test_without_numba_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r"pip install 'sk-dcedenoise\[compiled\]'"):
        ToftsTransformer(TIME, CP, compiled=True).fit(np.zeros((2, 32)))


def test_only_on_the_cpu():
    with pytest.raises(ValueError, match="compiled loops run on the CPU"):
        ToftsTransformer(TIME, CP, compiled=True, device="cuda").fit(np.zeros((2, 32)))
