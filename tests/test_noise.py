"""The noise law, from noise whose law is known."""

import numpy as np
import pytest
import torch

from sk_dcedenoise._noise import NoiseLaw

N_TIMES = 16


@pytest.fixture
def clean(rng):
    shape = np.concatenate([np.zeros(3), np.linspace(1.0, 0.4, N_TIMES - 3)])
    return rng.uniform(0.2, 2.0, size=(4000, 1)) * shape


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def ar1(correlation):
    """Covariance of unit noise whose neighbours are correlated."""
    frames = np.arange(N_TIMES)
    return correlation ** np.abs(frames[:, None] - frames)


def drawn(law, clean, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return law.draw(torch.as_tensor(clean), generator).numpy()


def test_constant_level_is_recovered(clean, rng):
    law = NoiseLaw.learn(0.05 * rng.normal(size=clean.shape), clean)
    assert law.exponent == 0
    assert law.factor is None
    assert np.sqrt(np.mean(law.levels**2)) == pytest.approx(0.05, rel=0.02)
    assert drawn(law, clean).std() == pytest.approx(0.05, rel=0.02)


def test_level_proportional_to_the_curve_is_recovered(clean, rng):
    amplitude = clean.mean(axis=1, keepdims=True)
    law = NoiseLaw.learn(0.2 * amplitude * rng.normal(size=clean.shape), clean)
    assert law.exponent == 1
    assert law.factor is None
    assert np.sqrt(np.mean(law.levels**2)) == pytest.approx(0.2, rel=0.02)
    relative = drawn(law, clean) / amplitude
    for small_or_large in (amplitude[:, 0] < 0.3, amplitude[:, 0] > 0.8):
        assert relative[small_or_large].std() == pytest.approx(0.2, rel=0.05)


def test_levels_that_differ_from_curve_to_curve_come_back_as_a_mixture(clean, rng):
    levels = rng.choice([0.02, 0.2], size=(len(clean), 1))
    law = NoiseLaw.learn(levels * rng.normal(size=clean.shape), clean)
    fresh = drawn(law, clean)
    weak = fresh.std(axis=1) < 0.06
    assert weak.mean() == pytest.approx(0.5, abs=0.03)
    assert fresh[weak].std() == pytest.approx(0.02, rel=0.05)
    assert fresh[~weak].std() == pytest.approx(0.2, rel=0.05)


def test_exponent_between_the_simple_ones_is_recovered(clean, rng):
    amplitude = clean.mean(axis=1, keepdims=True)
    law = NoiseLaw.learn(0.1 * amplitude**0.5 * rng.normal(size=clean.shape), clean)
    assert law.exponent == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("correlation", [0.3, -0.4])
def test_correlation_in_time_is_recovered_and_drawn(clean, rng, correlation):
    noise = 0.1 * rng.normal(size=clean.shape) @ np.linalg.cholesky(ar1(correlation)).T
    law = NoiseLaw.learn(noise, clean)
    np.testing.assert_allclose(law.factor @ law.factor.T, ar1(correlation), atol=0.07)
    fresh = np.concatenate([drawn(law, clean, seed) for seed in range(5)])
    np.testing.assert_allclose(np.cov(fresh.T) / 0.1**2, ar1(correlation), atol=0.07)


def test_noise_that_differs_from_frame_to_frame_is_recovered(clean, rng):
    sd = np.linspace(0.05, 0.15, N_TIMES)
    law = NoiseLaw.learn(sd * rng.normal(size=clean.shape), clean)
    np.testing.assert_allclose(drawn(law, clean).std(axis=0), sd, rtol=0.1)


def test_white_noise_is_not_taken_for_correlated(clean):
    for seed in range(50):
        noise = np.random.default_rng(seed).normal(size=clean.shape)
        assert NoiseLaw.learn(noise, clean).factor is None


def test_too_few_curves_count_as_white():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(5 * N_TIMES, N_TIMES)) @ np.linalg.cholesky(ar1(0.5)).T
    assert NoiseLaw.learn(noise, np.ones_like(noise)).factor is None


def test_curves_without_enhancement_keep_their_share_of_the_noise(clean, rng):
    clean[::2] = 0.0
    law = NoiseLaw.learn(0.05 * rng.normal(size=clean.shape), clean)
    assert law.exponent == 0
    assert np.sqrt(np.mean(law.levels**2)) == pytest.approx(0.05, rel=0.02)


def test_noiseless_pairs_draw_no_noise(clean):
    law = NoiseLaw.learn(np.zeros_like(clean), clean)
    assert (drawn(law, clean) == 0).all()


def test_draws_follow_their_generator_and_no_other(clean, rng):
    law = NoiseLaw.learn(rng.normal(size=clean.shape), clean)
    before = torch.get_rng_state()
    assert (drawn(law, clean, seed=1) == drawn(law, clean, seed=1)).all()
    assert (drawn(law, clean, seed=1) != drawn(law, clean, seed=2)).any()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_have_the_type_and_shape_of_the_curves(clean, rng, dtype):
    noise = rng.normal(size=clean.shape) @ np.linalg.cholesky(ar1(0.5)).T
    law = NoiseLaw.learn(noise, clean)
    curves = torch.as_tensor(clean[:7], dtype=dtype)
    fresh = law.draw(curves, torch.Generator().manual_seed(0))
    assert (fresh.dtype, fresh.shape) == (dtype, curves.shape)
