"""What must hold for any curves: hypothesis looks for counter-examples."""

import numpy as np
import pytest
from fitting_reference import TIME, peaked_aif
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts

SLOW = settings(max_examples=40, deadline=None)
CP = peaked_aif(TIME)
values = st.floats(-1e6, 1e6, width=32) | st.floats(-1, 1, width=32) | st.just(np.nan)
any_curves = arrays(np.float64, st.tuples(st.integers(1, 8), st.just(32)), elements=values)
BOUNDS = {"Ktrans": (0, 5), "ve": (0, 1), "vp": (0, 1), "kep": (0, 50)}
TIGHT = {"Ktrans": (0.01, 0.5), "ve": (0.05, 0.5), "vp": (-0.25, 0.25), "kep": (0.125, 8.0)}


@given(any_curves, st.sampled_from([BOUNDS, TIGHT]), st.sampled_from(["float64", "float32"]))
@SLOW
def test_bounds_are_kept(curves, bounds, dtype):
    fit = ToftsTransformer(TIME, CP, bounds=bounds, outputs=[*bounds, "status"]).fit(curves)
    found = fit.transform(curves.astype(dtype))
    for (low, high), column in zip(bounds.values(), found.T[:4], strict=True):
        column = column[~np.isnan(column)]
        assert (column >= np.array(low, dtype)).all() and (column <= np.array(high, dtype)).all()
    few = np.isfinite(curves).sum(1) <= 3
    assert np.isnan(found[few, :4]).all() and (found[few, 4] == 2048).all()


def noisy_curves(seed, n_curves=12):
    rng = np.random.default_rng(seed)
    ktrans, ve = rng.uniform(0, 0.3, n_curves), rng.uniform(0.02, 1.1, n_curves)
    clean = extended_tofts(TIME, ktrans, ve, rng.uniform(0, 0.05, n_curves), aif=CP)
    return clean + rng.choice([0.001, 0.01, 0.1]) * rng.normal(size=clean.shape)


seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(-20, 20), st.sampled_from(["float64", "float32"]))
@SLOW
def test_units_do_not_matter(seed, exponent, dtype):
    curves = noisy_curves(seed)
    found = ToftsTransformer(TIME, CP).fit(curves).transform(curves.astype(dtype))
    factor = 2.0**exponent
    scaled = ToftsTransformer(TIME, CP * factor).fit(curves)
    np.testing.assert_allclose(
        scaled.transform((curves * factor).astype(dtype)), found, rtol=1e-5, atol=1e-7
    )


@given(seeds, st.integers(1, 12), st.booleans())
@SLOW
def test_neighbours_do_not_matter(seed, chunk_size, has_gaps):
    curves = noisy_curves(seed)
    rng = np.random.default_rng(seed)
    if has_gaps:
        curves[rng.uniform(size=curves.shape) < 0.1] = np.nan
    whole = ToftsTransformer(TIME, CP).fit(curves).transform(curves)
    order = rng.permutation(len(curves))
    chunks = ToftsTransformer(TIME, CP, chunk_size=chunk_size).fit(curves)
    # Matrix products round differently for other shapes; nothing else may differ.
    tolerance = dict(rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(chunks.transform(curves[order]), whole[order], **tolerance)
    alone = np.vstack([chunks.transform(curve[None]) for curve in curves])
    np.testing.assert_allclose(alone, whole, **tolerance)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_a_fit_of_the_fit_is_the_fit(seed):
    fit = ToftsTransformer(TIME, CP).fit(np.zeros((1, 32)))
    curves = fit.inverse_transform(fit.transform(noisy_curves(seed)))
    again = fit.inverse_transform(fit.transform(curves))
    np.testing.assert_allclose(again, curves, atol=1e-6 * np.abs(curves).max())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_far_units(dtype, factor):
    curves = noisy_curves(0, 200)
    found = ToftsTransformer(TIME, CP).fit(curves).transform(curves.astype(dtype))
    scaled = (
        ToftsTransformer(TIME, CP * factor).fit(curves).transform((curves * factor).astype(dtype))
    )
    rtol = 1e-9 if dtype == "float64" else 2e-3
    np.testing.assert_allclose(scaled, found, rtol=rtol, atol=1e-6)
