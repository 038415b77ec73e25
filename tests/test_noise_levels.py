"""Levels behind estimates, from levels that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sk_dcedenoise._noise_levels import levels_behind

N_FRAMES = 32


def seen_of(levels, rng):
    """What is seen of each level in a curve of its own."""
    return levels * np.sqrt(rng.chisquare(N_FRAMES, len(levels)) / N_FRAMES)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("n_curves", [1_000, 20_000])
def test_single_levels_stand_out(rng, n_curves):
    levels = np.array([0.02, 0.05, 0.1, 0.2, 0.3])
    found = levels_behind(seen_of(np.resize(levels, n_curves), rng), N_FRAMES)
    nearest = np.abs(np.log(found[:, None] / levels)).argmin(axis=1)
    assert_allclose(np.bincount(nearest) / len(found), 0.2, atol=0.03)
    # What is seen scatters by 12 %.
    off = np.log(found / levels[nearest])
    assert np.sqrt(np.mean(off**2)) < 0.05
    assert abs(np.mean(off)) < 0.01


def test_levels_without_gaps_stay_so(rng):
    levels = np.exp(rng.uniform(np.log(0.02), np.log(0.4), 20_000))
    found = levels_behind(seen_of(levels, rng), N_FRAMES)
    shares = np.linspace(0.05, 0.95, 19)
    assert_allclose(np.quantile(found, shares), np.quantile(levels, shares), rtol=0.04)
    counts, _ = np.histogram(np.log(found), 10, range=(np.log(0.02), np.log(0.4)))
    assert counts.min() > 0.7 * len(found) / 10


def test_noise_drawn_at_them_looks_like_what_was_seen(rng):
    levels = np.abs(rng.normal(0.1, 0.05, 20_000)) + 0.01
    seen = seen_of(levels, rng)
    again = seen_of(rng.choice(levels_behind(seen, N_FRAMES), 20_000), rng)
    shares = np.linspace(0.02, 0.98, 25)
    assert_allclose(np.quantile(again, shares), np.quantile(seen, shares), rtol=0.03)


@given(st.floats(1e-6, 1e6), st.integers(1, 50))
def test_follow_the_unit(unit, n_curves):
    seen = np.linspace(0.1, 0.3, n_curves)
    found = levels_behind(seen, N_FRAMES)
    assert_allclose(levels_behind(unit * seen, N_FRAMES), unit * found, rtol=0.02)


def test_levels_may_be_far_apart(rng):
    levels = np.resize([1e-300, 1e-17, 0.1], 300)
    found = levels_behind(seen_of(levels, rng), N_FRAMES)
    assert_allclose([np.mean(found > 1e-3), np.mean(found < 1e-200)], 1 / 3, atol=0.01)


def test_zeros_keep_their_share(rng):
    seen = seen_of(np.full(400, 0.1), rng)
    seen[::4] = 0.0
    found = levels_behind(seen, N_FRAMES)
    assert np.mean(found == 0) == 0.25
    assert_allclose(found[found > 0], 0.1, rtol=0.1)
    assert_array_equal(levels_behind(np.zeros(3), N_FRAMES), 0.0)
