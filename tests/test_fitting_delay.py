"""The delay as a fitted parameter."""

import numpy as np
import pytest
from fitting_reference import TIME, best_fit, peaked_aif, sum_of_squares

from sk_dcedenoise.fitting import FitStatus, ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts, patlak, tofts

OUTPUTS = ["Ktrans", "kep", "vp", "delay"]


def draw(n_curves, seed, aif="parker", level=0.0):
    rng = np.random.default_rng(seed)
    ktrans, kep = rng.uniform(0.05, 0.22, n_curves), rng.uniform(0.3, 2.2, n_curves)
    truth = np.column_stack(
        [ktrans, kep, rng.uniform(0.01, 0.05, n_curves), rng.uniform(0, 12, n_curves)]
    )
    clean = extended_tofts(TIME, ktrans, ktrans / kep, truth[:, 2], aif=aif, delay=truth[:, 3])
    return truth, clean + level * clean.mean(1, keepdims=True) * rng.normal(size=clean.shape)


def long_aif():
    """Plasma nodes that reach far enough for negative delays."""
    time = np.arange(0, 130.0, 0.5)
    return time, peaked_aif(time)


@pytest.mark.parametrize("aif", ["parker", "weinmann", long_aif()])
def test_recovers_noise_free_delays(aif):
    truth, curves = draw(60, 0, aif=aif)
    fit = ToftsTransformer(TIME, aif, delay=(-2, 14) if aif == "parker" else (0, 12))
    found = fit.set_params(outputs=OUTPUTS).fit(curves).transform(curves)
    error = np.abs(found - truth) / [0.1, 1.0, 0.01, 1.0]
    assert np.median(error) < 1e-5
    assert (error.max(1) < 1e-2).mean() > 0.9


def test_as_good_as_scipy_from_several_starts():
    aif_time, cp = long_aif()
    truth, curves = draw(40, 1, aif=(aif_time, cp), level=0.1)
    fit = ToftsTransformer(TIME, (aif_time, cp), delay=(0, 12), outputs=OUTPUTS).fit(curves)
    found = fit.transform(curves)
    scan = dict(time=TIME, aif_time=aif_time, cp=cp)
    scipy = [best_fit(curve, delays=(0.0, 12.0), **scan) for curve in curves]
    reached = np.array([sum_of_squares(c, p, **scan) for c, p in zip(curves, found, strict=True)])
    excess = reached / [lowest for lowest, _ in scipy] - 1.0
    print(f"excess over 4-start scipy: median {np.median(excess):.1e}, largest {excess.max():.1e}")
    assert (excess < 1e-6).mean() > 0.85 and excess.max() < 0.01
    theirs = np.array([p for _, p in scipy])
    error, their_error = (np.median(np.abs(p[:, 0] - truth[:, 0])) for p in (found, theirs))
    assert error < 1.1 * their_error


@pytest.mark.parametrize(
    ("model", "forward"),
    [
        ("tofts", lambda d: tofts(TIME, 0.15, 0.2, delay=d)),
        ("patlak", lambda d: patlak(TIME, 0.05, 0.04, delay=d)),
    ],
)
def test_smaller_models(model, forward):
    delays = np.linspace(0.2, 9.8, 25)
    curves = forward(delays)
    fit = ToftsTransformer(TIME, model=model, delay=(0, 10), outputs=["Ktrans", "delay", "r2"])
    found = fit.fit(curves).transform(curves)
    np.testing.assert_allclose(found[:, 1], delays, atol=1e-3)
    np.testing.assert_allclose(found[:, 0], 0.15 if model == "tofts" else 0.05, rtol=1e-4)
    np.testing.assert_allclose(found[:, 2], 1.0, atol=1e-8)


def test_bounds_and_missing_frames():
    _, curves = draw(40, 3, level=0.1)
    curves[:20, 5] = np.nan
    fit = ToftsTransformer(TIME, delay=(2.0, 4.0), outputs=["delay", "delay_se", "status"])
    delay, error, status = fit.fit(curves).transform(curves).T
    assert (delay >= 2.0).all() and (delay <= 4.0).all()
    at_end = (status.astype(int) & int(FitStatus.DELAY_LOW | FitStatus.DELAY_HIGH)) > 0
    np.testing.assert_array_equal(at_end, (delay == 2.0) | (delay == 4.0))
    np.testing.assert_array_equal(np.isnan(error), at_end)
    assert 5 < at_end.sum() < 40
