"""Standard errors, residual spread and R2."""

import numpy as np
import pytest
from fitting_reference import TIME, model, peaked_aif
from scipy import stats

from sk_dcedenoise.fitting import FitStatus, ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts, patlak

NAMES = ["Ktrans", "ve", "vp", "kep"]
OUTPUTS = [*NAMES, *(f"{name}_se" for name in NAMES), "residual_std", "r2", "status"]


def draw(n_curves, level, seed):
    rng = np.random.default_rng(seed)
    ktrans, kep = rng.uniform(0.02, 0.22, n_curves), rng.uniform(0.2, 2.2, n_curves)
    truth = np.column_stack([ktrans, ktrans / kep, rng.uniform(0.002, 0.022, n_curves), kep])
    clean = extended_tofts(TIME, *truth[:, :3].T)
    sd = level * clean.mean(1)
    return truth, clean + sd[:, None] * rng.normal(size=clean.shape), sd


@pytest.mark.parametrize("level", [0.02, 0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_intervals_cover_the_truth(level, dtype):
    truth, curves, sd = draw(8000, level, seed=int(level * 100))
    fit = ToftsTransformer(TIME, outputs=OUTPUTS).fit(curves)
    found = fit.transform(curves.astype(dtype)).astype(float)
    inside = found[:, -1] == FitStatus.FITTED
    miss = np.abs(found[inside, :4] - truth[inside]) / found[inside, 4:8]
    coverage = (miss < stats.t.ppf(0.975, 29)).mean(0)
    print(f"level {level}: coverage {dict(zip(NAMES, coverage.round(3), strict=True))}")
    assert (coverage > 0.93).all() and (coverage < 0.97).all()
    assert np.median(found[inside, 8] / sd[inside]) == pytest.approx(1.0, abs=0.02)


def test_errors_are_those_of_a_numerical_jacobian():
    cp = peaked_aif(TIME)
    scan = dict(time=TIME, aif_time=TIME, cp=cp)
    rng = np.random.default_rng(0)
    curve = model(0.1, 0.8, 0.02, 3.0, **scan) + 0.003 * rng.normal(size=32)
    outputs = ["Ktrans", "kep", "vp", "delay", "ve"]
    outputs += [f"{name}_se" for name in outputs]
    fit = ToftsTransformer(TIME, cp, delay=(0, 6), outputs=outputs).fit(curve[None])
    found = fit.transform(curve[None])[0]
    steps = 1e-5 * found[:4]
    jacobian = np.column_stack(
        [
            (model(*(found[:4] + s), **scan) - model(*(found[:4] - s), **scan)) / (2 * s.sum())
            for s in np.diag(steps)
        ]
    )
    residual = curve - model(*found[:4], **scan)
    covariance = np.linalg.inv(jacobian.T @ jacobian) * (residual @ residual) / 28
    np.testing.assert_allclose(found[5:9], np.sqrt(np.diag(covariance)), rtol=1e-4)
    by = np.array([1 / found[1], -found[0] / found[1] ** 2, 0, 0])
    assert found[9] == pytest.approx(np.sqrt(by @ covariance @ by), rel=1e-4)


def test_patlak_errors_are_those_of_linear_regression():
    rng = np.random.default_rng(1)
    curves = patlak(TIME, 0.1, 0.05) + 0.02 * rng.normal(size=(50, 32))
    basis = np.column_stack([patlak(TIME, 1.0, 0.0), patlak(TIME, 0.0, 1.0)])
    names = ["Ktrans", "vp", "Ktrans_se", "vp_se", "residual_std", "r2"]
    found = ToftsTransformer(TIME, model="patlak", outputs=names).fit(curves).transform(curves)
    values, rss = np.linalg.lstsq(basis, curves.T, rcond=None)[:2]
    spread = np.sqrt(rss / 30)
    errors = np.sqrt(np.diag(np.linalg.inv(basis.T @ basis)))[:, None] * spread
    r2 = 1 - rss / np.sum((curves.T - curves.mean(1)) ** 2, axis=0)
    np.testing.assert_allclose(found.T, [*values, *errors, spread, r2], rtol=1e-6)


def test_a_parameter_at_a_bound_is_held():
    rng = np.random.default_rng(2)
    noise = 0.01 * rng.normal(size=(400, 32))
    curves = noise + np.repeat(
        extended_tofts(TIME, [0.1, 0.5, 0.0, 0.1], [0.3, 1.2, 0.3, 0.3], [0, 0.01, 0.05, 0.2]),
        100,
        0,
    )
    fit = ToftsTransformer(TIME, bounds={"vp": (0, 0.1)}, outputs=OUTPUTS).fit(curves)
    found = dict(zip(OUTPUTS, fit.transform(curves).T, strict=True))
    status = found["status"].astype(int)
    at = {name: status & int(FitStatus[name]) > 0 for name in ("VP_LOW", "VP_HIGH", "VE_HIGH")}
    at["NONE"] = (status & int(FitStatus.KTRANS_LOW)) > 0
    assert at["VP_LOW"][:100].sum() > 20 and at["VE_HIGH"][100:200].all()
    assert at["NONE"][200:300].sum() > 5 and at["VP_HIGH"][300:].all()
    vp_held, ve_held = at["VP_LOW"] | at["VP_HIGH"], at["VE_HIGH"] | at["NONE"]
    np.testing.assert_array_equal(np.isnan(found["vp_se"]), vp_held)
    np.testing.assert_array_equal(np.isnan(found["ve_se"])[:300], ve_held[:300])
    np.testing.assert_array_equal(np.isnan(found["Ktrans_se"])[:300], at["NONE"][:300])
    # With ve held at 1, kep and Ktrans are one number.
    one = at["VE_HIGH"]
    np.testing.assert_allclose(found["kep_se"][one], found["Ktrans_se"][one], rtol=1e-9)


def test_weights_scale_the_residual_not_the_errors():
    _, curves, _ = draw(50, 0.1, seed=5)
    one = ToftsTransformer(TIME, outputs=OUTPUTS).fit(curves).transform(curves)
    four = ToftsTransformer(TIME, outputs=OUTPUTS, weights=np.full(32, 4.0)).fit(curves)
    four = four.transform(curves)
    np.testing.assert_allclose(four[:, 8], 2.0 * one[:, 8], rtol=1e-6)
    np.testing.assert_allclose(np.delete(four, 8, 1), np.delete(one, 8, 1), rtol=1e-5, atol=1e-9)
