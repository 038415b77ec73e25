"""The fit is the least-squares optimum in its box: against scipy from several starts."""

import numpy as np
import pytest
from fitting_reference import (
    TIME,
    best_fit,
    lowest_on_a_fine_ladder,
    peaked_aif,
    sum_of_squares,
)
from scipy.optimize import lsq_linear

from sk_dcedenoise.convolution import exponential_convolution
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts

CP = peaked_aif(TIME)
SCAN = dict(time=TIME, aif_time=TIME, cp=CP)
OUTPUTS = ["Ktrans", "kep", "vp"]


def reference_law(n_curves, seed):
    """Noisy curves with Ktrans, kep, vp on the grids of the reference law, and its noise levels."""
    rng = np.random.default_rng(seed)
    ktrans = rng.choice(np.linspace(0.02, 0.22, 41), n_curves)
    kep = rng.choice(np.linspace(0.2, 2.2, 41), n_curves)
    vp = rng.choice(np.linspace(0.002, 0.022, 41), n_curves)
    clean = extended_tofts(TIME, ktrans, ktrans / kep, vp, aif=CP)
    level = rng.choice([0.02, 0.05, 0.1, 0.2, 0.3], (n_curves, 1))
    return clean + level * clean.mean(1, keepdims=True) * rng.normal(size=clean.shape)


def wild_curves(n_curves, seed):
    """Noise alone, noise on a level, and curves whose optimum lies on corners of the box."""
    rng = np.random.default_rng(seed)
    noise = 0.05 * rng.normal(size=(n_curves, 32))
    noise[::4] += 0.1
    ktrans, ve = rng.uniform(0, 1.5, (2, n_curves))
    beyond = extended_tofts(TIME, ktrans, ve, rng.uniform(0, 0.3, n_curves), aif=CP)
    noise[1::4] += beyond[1::4]
    noise[2::4] += 6.0 * beyond[2::4]
    return noise


CURVES = {"law": reference_law(60, 0), "wild": wild_curves(40, 1)}
CURVES["gaps"] = np.where(
    np.random.default_rng(2).uniform(size=(30, 32)) < 0.2,
    np.nan,
    np.vstack([CURVES["law"][:20], CURVES["wild"][:10]]),
)


@pytest.fixture(scope="module", params=CURVES)
def optimum(request):
    """Curves and the lowest sums of squares that scipy finds from four starts."""
    curves = CURVES[request.param]
    return curves, np.array([best_fit(curve, **SCAN)[0] for curve in curves])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_reaches_the_optimum_of_four_starts(optimum, dtype):
    curves, lowest = optimum
    fit = ToftsTransformer(TIME, CP, outputs=OUTPUTS).fit(curves)
    found = fit.transform(curves.astype(dtype)).astype(float)
    reached = [sum_of_squares(c, p, **SCAN) for c, p in zip(curves, found, strict=True)]
    excess = np.array(reached) / lowest - 1.0
    print(f"largest relative excess, {dtype}: {excess.max():.1e}")
    assert excess.max() < 1e-6


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("offset", [0.0, 0.01])
def test_no_rate_of_a_fine_ladder_is_better(offset, dtype):
    # In noise, optima lie on all edges and in all corners of the box, some at rates of 1e-4 /min.
    curves = offset + 0.05 * np.random.default_rng(0).standard_normal((2000, TIME.size))
    lowest = lowest_on_a_fine_ladder(curves, **SCAN)
    fit = ToftsTransformer(TIME, CP, outputs=OUTPUTS).fit(curves)
    found = fit.transform(curves.astype(dtype)).astype(float)
    reached = [sum_of_squares(c, p, **SCAN) for c, p in zip(curves, found, strict=True)]
    assert (np.array(reached) / lowest - 1.0).max() < 1e-6


def test_weights_of_frames_and_of_curves():
    rng = np.random.default_rng(3)
    curves, weights = CURVES["law"][:15], rng.uniform(0, 3, (15, 32))
    fit = ToftsTransformer(TIME, CP, outputs=OUTPUTS).fit(curves)
    own = fit.transform(curves, curve_weights=weights)
    for curve, found, w in zip(curves, own, weights, strict=True):
        lowest = best_fit(curve, weights=w, **SCAN)[0]
        assert sum_of_squares(curve, found, weights=w, **SCAN) < lowest * (1 + 1e-6)
    common = ToftsTransformer(TIME, CP, outputs=OUTPUTS, weights=weights[0]).fit(curves)
    same = fit.transform(curves, curve_weights=np.tile(weights[0], (15, 1)))
    np.testing.assert_allclose(common.transform(curves), same, rtol=2e-5, atol=1e-7)


def scan_of_rates(curves, box, n_rates):
    """Lowest sums of squares over a dense grid of rates, by a bounded linear solver for each."""
    low, high = box["kep"]
    rates = np.expm1(np.linspace(np.log1p(low), np.log1p(high), n_rates))
    responses = exponential_convolution(TIME, rates, TIME, CP)
    lowest = np.full(len(curves), np.inf)
    for kep, response in zip(rates, responses, strict=True):
        ends = (
            (max(box["Ktrans"][0], kep * box["ve"][0]), box["vp"][0]),
            (min(box["Ktrans"][1], kep * box["ve"][1]), box["vp"][1] + 1e-12),
        )
        if ends[0][0] < ends[1][0]:
            basis = np.column_stack([response, CP])
            lowest = np.minimum(lowest, [_bounded_cost(basis, c, ends) for c in curves])
    return lowest


def _bounded_cost(basis, curve, ends):
    return 2.0 * lsq_linear(basis, curve, ends, method="bvls").cost


@pytest.mark.parametrize(
    "bounds",
    [
        {"Ktrans": (0.05, 0.2), "ve": (0.1, 0.3), "vp": (0.005, 0.02), "kep": (0.3, 3.0)},
        {"vp": (-0.1, 0.1), "kep": (0.5, 2.0)},
        {"vp": (0.01, 0.01)},
    ],
)
def test_other_boxes(bounds):
    curves = np.vstack([CURVES["law"][:6], CURVES["wild"][:6]])
    box = {"Ktrans": (0, 5), "ve": (0, 1), "vp": (0, 1), "kep": (0, 50)} | bounds
    fit = ToftsTransformer(TIME, CP, bounds=bounds, outputs=["Ktrans", "ve", "vp", "kep"])
    found = fit.fit(curves).transform(curves)
    for name, values in zip(fit.get_feature_names_out(), found.T, strict=True):
        assert (values >= box[name][0]).all() and (values <= box[name][1]).all()
    reached = [sum_of_squares(c, p[[0, 3, 2]], **SCAN) for c, p in zip(curves, found, strict=True)]
    lowest = scan_of_rates(curves, box, n_rates=600)
    assert (np.array(reached) <= lowest * (1 + 1e-9)).all()


@pytest.mark.parametrize("model", ["tofts", "patlak"])
def test_smaller_models(model):
    curves = np.vstack([CURVES["law"][:8], CURVES["wild"][:12], CURVES["gaps"][-4:]])
    fit = ToftsTransformer(TIME, CP, model=model, outputs=["Ktrans", "residual_std", "status"])
    found = fit.fit(curves).transform(curves)
    for curve, (_, spread, status) in zip(curves, found, strict=True):
        if model == "tofts":
            lowest = best_fit(curve, vp_high=1e-300, **SCAN)[0]
        else:
            keep = np.isfinite(curve)
            integral = exponential_convolution(TIME, 0.0, TIME, CP)[0]
            basis = np.column_stack([integral, CP])[keep]
            lowest = _bounded_cost(basis, curve[keep], ((0, 0), (5, 1)))
        n_held = bin(int(status) % 1024).count("1") if status < 1024 else 2
        n_free = np.isfinite(curve).sum() - 2 + n_held
        assert spread**2 * n_free < lowest * (1 + 1e-6)
