"""The input and the kinetics of curves, found from the curves alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sk_dcedenoise._guard._blind_input import PER_FRAME, blind_input, model_of
from sk_dcedenoise.aif import aif_georgiou, aif_mcgrath, aif_parker
from sk_dcedenoise.tofts import extended_tofts, patlak, tofts

PROTOCOLS = {"32 frames": 3.75 * np.arange(32), "60 frames": 2.0 * np.arange(60)}
INPUTS = {
    "Parker": "parker",
    "Georgiou": "georgiou",
    "Fritz-Hansen": "fritz_hansen",
    "Parker, 10 s later": lambda t: aif_parker(t, delay=10.0),
    "Georgiou, 10 s later": lambda t: aif_georgiou(t, delay=10.0),
    "McGrath": aif_mcgrath,
}


def parameters(n=64, seed=0):
    rng = np.random.default_rng(seed)
    Ktrans, kep, vp = (rng.uniform(*v, n) for v in ((0.02, 0.22), (0.2, 2.2), (0.002, 0.022)))
    return Ktrans, kep, vp


def fitted(nodes, curves):
    return model_of(nodes, curves.shape[1]).fit_transform(curves).T


@pytest.mark.parametrize("aif", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("time", PROTOCOLS.values(), ids=PROTOCOLS)
def test_finds_kinetics_but_for_the_sizes_of_input_and_plasma(aif, time):
    Ktrans, kep, vp = parameters()
    curves = extended_tofts(time, Ktrans, Ktrans / kep, vp, aif=aif)
    nodes = blind_input(curves)
    # Curves that the input was not found from.
    Ktrans, kep, vp = parameters(300, seed=1)
    found = fitted(nodes, extended_tofts(time, Ktrans, Ktrans / kep, vp, aif=aif))
    assert_allclose(found[1], time[1] / 60 * kep, rtol=1e-3)
    true, sized = np.column_stack([time[1] / 60 * Ktrans, vp]), found[[0, 2]].T
    sizes = np.linalg.lstsq(true, sized, rcond=None)[0]
    assert_allclose(true @ sizes / sized.max(axis=0), sized / sized.max(axis=0), atol=0.01)
    # Leakage holds no plasma, but some of what leaks from one frame to the next may count as such.
    assert_allclose(sizes[1, 0], 0.0, atol=1e-3 * sizes[0, 0])
    assert_allclose(sizes[0, 1], 0.0, atol=0.25 * sizes[0, 0])
    # A curve of plasma alone is the input at the frames.
    plasma = extended_tofts(time, 0.0, 0.1, 1.0, aif=aif)
    assert_allclose(sizes[1, 1] * nodes[::PER_FRAME], plasma, atol=0.02 * plasma.max())


def test_finds_kinetics_of_faster_and_slower_tissue():
    rng = np.random.default_rng(0)
    Ktrans, ve = 10 ** rng.uniform(-2.5, -0.2, 64), 10 ** rng.uniform(-1.5, -0.1, 64)
    time = PROTOCOLS["32 frames"]
    curves = extended_tofts(time, Ktrans, ve, 10 ** rng.uniform(-3.3, -0.9, 64))
    found = fitted(blind_input(curves), curves)
    told = (Ktrans / ve < 5) & (Ktrans / ve > 0.05)  # others are plasma, or do not return
    assert_allclose(found[1, told], (Ktrans / ve * time[1] / 60)[told], rtol=0.02)


def test_finds_kinetics_without_plasma():
    Ktrans, kep, _ = parameters()
    time = PROTOCOLS["32 frames"]
    curves = tofts(time, Ktrans, Ktrans / kep)
    found = fitted(blind_input(curves), curves)
    assert_allclose(found[1], kep * time[1] / 60, rtol=1e-2)


def test_explains_curves_without_return():
    Ktrans, _, vp = parameters()
    curves = patlak(PROTOCOLS["32 frames"], Ktrans, vp)
    model = model_of(blind_input(curves), curves.shape[1])
    again = model.inverse_transform(model.fit_transform(curves))
    assert_allclose(again, curves, atol=1e-4 * curves.max())


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 2**16))
def test_size_and_order_of_curves_do_not_matter(size, seed):
    Ktrans, kep, vp = parameters()
    curves = extended_tofts(PROTOCOLS["32 frames"], Ktrans, Ktrans / kep, vp)
    order = np.random.default_rng(seed).permutation(len(curves))
    nodes, again = blind_input(curves), blind_input(size * curves[order])
    plain, shuffled = fitted(nodes, curves), fitted(again, size * curves[order])
    assert_allclose(shuffled[1], plain[1, order], rtol=1e-3)


def test_curves_are_left_as_they_are():
    Ktrans, kep, vp = parameters()
    curves = extended_tofts(PROTOCOLS["32 frames"], Ktrans, Ktrans / kep, vp)
    before = curves.copy()
    blind_input(curves)
    assert_array_equal(curves, before)
