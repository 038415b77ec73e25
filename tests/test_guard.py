"""The guard: what it lets through, what it stops, and what it says of a curve."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sk_dcedenoise._guard._guard import Guard
from sk_dcedenoise._noise import NoiseLaw
from sk_dcedenoise.baselines import LinearMMSEDenoiser
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import DenoiserVanillaNL

LEVEL = 0.1
N_TIMES = 32


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussian_curves(n, rng, spread=(2.0, 1.0, 0.5)):
    """Curves in a space of three smooth directions, so that the best denoiser is known."""
    basis = np.polynomial.legendre.legvander(np.linspace(-1, 1, N_TIMES), 2)
    basis = np.linalg.qr(basis)[0]
    return rng.normal(size=(n, 3)) * spread @ basis.T, basis


def wiener(basis, covariance=None, spread=(2.0, 1.0, 0.5), sd=LEVEL):
    """The posterior mean of such curves under noise of standard deviation `sd`, white or not."""
    of_noise = np.eye(N_TIMES) if covariance is None else covariance
    of_curves = basis * np.square(spread) @ basis.T
    matrix = as_tensor(np.linalg.solve(of_curves + sd**2 * of_noise, of_curves))
    return lambda curves: curves @ matrix


@pytest.fixture(scope="module")
def gaussian():
    rng = np.random.RandomState(0)
    clean, basis = gaussian_curves(20_000, rng)
    law = NoiseLaw(np.full(100, LEVEL), 0.0, None)
    infer = wiener(basis)
    guard = Guard.learn(
        infer, torch.as_tensor(clean, dtype=torch.float32), law, 16_384, generator()
    )
    return guard, infer, basis


def as_tensor(curves):
    return torch.as_tensor(curves, dtype=torch.float32)


def fresh(n, seed, offset=0.0):
    rng = np.random.RandomState(seed)
    clean, _ = gaussian_curves(n, rng)
    clean = clean + offset
    return as_tensor(clean), as_tensor(clean + LEVEL * rng.normal(size=clean.shape))


def test_finds_the_directions_of_clean_curves(gaussian):
    guard, _, basis = gaussian
    assert guard.n_signal == 3
    signal = guard.analysis[:, :3]
    assert_allclose(np.linalg.svd(basis.T @ signal)[1], 1.0, atol=1e-6)


def test_synthesis_is_the_inverse_of_analysis(gaussian):
    guard, *_ = gaussian
    assert_allclose(guard.analysis @ guard.synthesis, np.eye(N_TIMES), atol=1e-10)


def test_scores_of_training_like_curves_are_shares(gaussian):
    # Fresh curves as those that it was learned from: with the training noise, or in a quarter of
    # them a quarter of it to twice.
    guard, infer, _ = gaussian
    rng = np.random.RandomState(1)
    clean, _ = gaussian_curves(20_000, rng)
    level = LEVEL * np.exp(rng.uniform(np.log(0.25), np.log(2), (len(clean), 1)))
    level[rng.uniform(size=len(clean)) < 0.75] = LEVEL
    noisy = as_tensor(clean + level * rng.normal(size=clean.shape))
    _, _, score = guard(noisy, infer(noisy), 0.1)
    shares = np.linspace(0.05, 0.65, 13)
    found = [np.mean(score.numpy() < share) for share in shares]
    assert_allclose(found, shares, atol=0.02)


def test_lets_the_best_denoiser_of_the_law_through(gaussian):
    guard, infer, _ = gaussian
    clean, noisy = fresh(5000, 2)
    denoised = infer(noisy)
    guarded, trust, _ = guard(noisy, denoised, 0.1)
    assert trust.mean() > 0.9
    kept = (noisy - clean).square().mean() - (guarded - clean).square().mean()
    assert kept > 0.97 * ((noisy - clean).square().mean() - (denoised - clean).square().mean())


@pytest.mark.parametrize("offset", [10.0, 1e4])
def test_stops_a_network_that_flattens_what_it_never_saw(gaussian, offset):
    guard, infer, basis = gaussian
    clean, noisy = fresh(500, 3, offset * basis[:, 2])
    flatten = as_tensor(np.eye(N_TIMES) - np.outer(basis[:, 2], basis[:, 2]))
    guarded, trust, _ = guard(noisy, infer(noisy) @ flatten, 0.1)
    assert trust.max() < 1e-3
    assert (guarded - clean).square().mean() < (noisy - clean).square().mean()


def test_hands_out_curves_as_they_came_where_the_rest_is_no_noise(gaussian):
    guard, infer, _ = gaussian
    _, noisy = fresh(500, 4)
    bump = 4.0 * torch.exp(-0.5 * ((torch.arange(N_TIMES) - 20) / 2.0) ** 2)
    guarded, trust, score = guard(noisy + bump, infer(noisy + bump), 0.1)
    assert trust.max() < 1e-3
    assert score.max() < 1e-3
    assert_allclose(guarded, noisy + bump, atol=1e-3)


def test_hands_out_curves_without_noise_as_they_came(gaussian):
    guard, _, _ = gaussian
    silent = torch.zeros(3, N_TIMES)
    guarded, trust, _ = guard(silent, silent + 1.0, 0.1)
    assert_array_equal(guarded, silent)
    assert_array_equal(trust, 0.0)


def test_puts_back_what_a_network_wrongly_removes(gaussian):
    # A network that halves everything; the guard learns to undo that, to first order.
    _, _, basis = gaussian
    clean, noisy = fresh(4000, 5)
    halve = lambda curves: 0.5 * wiener(basis)(curves)  # noqa: E731
    law = NoiseLaw(np.full(100, LEVEL), 0.0, None)
    guard = Guard.learn(halve, clean, law, 16_384, generator())
    guarded, _, _ = guard(noisy, halve(noisy), 0.1)
    best = (wiener(basis)(noisy) - clean).square().mean()
    assert (halve(noisy) - clean).square().mean() > 20 * best
    assert (guarded - clean).square().mean() < 1.5 * best


def test_knows_correlated_noise(gaussian):
    rng = np.random.RandomState(6)
    clean, basis = gaussian_curves(20_000, rng)
    covariance = 0.7 ** np.abs(np.subtract.outer(np.arange(N_TIMES), np.arange(N_TIMES)))
    factor = np.linalg.cholesky(covariance)
    law = NoiseLaw(np.full(100, LEVEL), 0.0, factor)
    infer = wiener(basis, covariance)
    guard = Guard.learn(infer, as_tensor(clean), law, 16_384, generator())
    noisy = as_tensor(clean[:5000] + LEVEL * rng.normal(size=(5000, N_TIMES)) @ factor.T)
    _, trust, _ = guard(noisy, infer(noisy), 0.1)
    assert trust.mean() > 0.9
    white = Guard.learn(
        infer, as_tensor(clean), NoiseLaw(law.levels, 0.0, None), 16_384, generator()
    )
    assert white(noisy, infer(noisy), 0.1)[1].mean() < 0.7


@pytest.mark.parametrize(
    ("n_times", "level"), [(1, 0.1), (7, 0.1), (32, 0.0)], ids=["one", "seven", "no noise"]
)
def test_there_is_no_guard_where_noise_cannot_be_told(n_times, level):
    clean = torch.rand(100, n_times, generator=generator())
    law = NoiseLaw(np.full(100, level), 0.0, None)
    assert Guard.learn(lambda x: x, clean, law, 500, generator()) is None


@given(st.floats(0.01, 0.9), st.integers(0, 2**31 - 1))
@settings(max_examples=25, deadline=None)
def test_output_lies_between_data_and_network(gaussian, share, seed):
    guard, infer, _ = gaussian
    _, noisy = fresh(50, seed)
    guarded, trust, score = guard(noisy, infer(noisy), share)
    assert ((trust >= 0) & (trust <= 1) & (score >= 0) & (score <= 1)).all()
    # Each curve by itself: order and company do not matter.
    alone = guard(noisy[7:8], infer(noisy[7:8]), share)
    assert_allclose(alone[0], guarded[7:8], atol=1e-5)
    assert_allclose(alone[2], score[7:8], atol=1e-3)


# ---- in an estimator -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs():
    return make_dce_curves(3000, random_state=0)


@pytest.fixture(scope="module")
def fitted(pairs):
    return DenoiserVanillaNL(width=0.25, max_steps=400, device="cpu", random_state=0).fit(*pairs)


def error(curves, clean):
    return np.sqrt(np.mean((curves - clean) ** 2))


def test_is_on_by_default_and_can_be_switched_off_after_fit(fitted, pairs):
    X = pairs[0][:50]
    off = clone(fitted).set_params(guard=None).fit(*pairs)
    assert fitted.guard == "auto"
    assert not np.array_equal(fitted.transform(X), off.transform(X))
    guarded = fitted.transform(X)
    assert_array_equal(fitted.set_params(guard=None).transform(X), off.transform(X))
    assert_array_equal(fitted.fell_back(X), False)
    assert_array_equal(fitted.set_params(guard="auto").transform(X), guarded)


@pytest.mark.parametrize("factor", [0.01, 30.0])
@pytest.mark.parametrize("level", [0.02, 0.3])
def test_no_harm_far_outside_of_the_training_law(fitted, factor, level):
    X, y = make_dce_curves(500, noise_levels=(level,), random_state=1)
    X, y = factor * X, factor * y
    assert error(fitted.transform(X), y) < error(X, y)


@pytest.mark.parametrize("level", [0.05, 0.3])
@pytest.mark.parametrize("frames", [1, 2])
def test_curves_that_come_later_are_no_worse_than_before(fitted, frames, level):
    X, y = make_dce_curves(500, noise_levels=(level,), random_state=1)
    late = np.hstack([np.zeros((500, frames)), y[:, :-frames]])
    noisy = late + X - y
    assert error(fitted.transform(noisy), late) < error(noisy, late)


def test_precise_curves_pass_as_they_are(fitted):
    X, y = make_dce_curves(500, noise_levels=(1e-4,), random_state=1)
    assert error(fitted.transform(X), y) < 1.2 * error(X, y)
    assert error(fitted.set_params(guard=None).transform(X), y) > 10 * error(X, y)
    fitted.set_params(guard="auto")


def test_gain_inside_the_law_is_kept(fitted):
    X, y = make_dce_curves(2000, noise_levels=(0.1, 0.2, 0.3), random_state=1)
    guarded = error(fitted.transform(X), y)
    bare = error(fitted.set_params(guard=None).transform(X), y)
    fitted.set_params(guard="auto")
    assert 1 - guarded / error(X, y) > 0.9 * (1 - bare / error(X, y))


def test_a_larger_share_trusts_less(fitted, pairs):
    X = pairs[0][:500]
    trust, fell_back = [], []
    for share in (0.01, 0.1, 0.5):
        trust.append(fitted.set_params(guard=share).trust(X))
        fell_back.append(fitted.fell_back(X))
    fitted.set_params(guard="auto")
    assert_array_equal(np.less(trust, 0.5), fell_back)
    fell_back = [v.mean() for v in fell_back]
    assert fell_back == sorted(fell_back)
    assert fell_back[0] < fell_back[-1]
    # Higher prior odds against the law, lower odds for it, curve by curve.
    assert (np.diff(trust, axis=0) <= 0).all()


def test_scores_tell_inside_from_outside(fitted, pairs):
    # The guard of so short a training has seen too few curves to tell two in a thousand.
    fitted = copy.deepcopy(fitted).fit_guard(pairs[1], n_curves=16_384)
    X, _ = make_dce_curves(500, noise_levels=(0.1,), random_state=1)
    inside, outside = fitted.score_samples(X), fitted.score_samples(X[:, ::-1])
    assert inside.shape == (500,)
    assert ((inside >= 0) & (inside <= 1)).all()
    assert np.median(inside) > 0.2
    # Few enough of training are as far for such a curve to be of neither law.
    assert np.quantile(outside, 0.95) < fitted.guard_.not_of_law == 0.002
    assert np.quantile(fitted.trust(X[:, ::-1]), 0.95) < 0.5
    assert np.median(fitted.trust(X)) > 0.5
    assert fitted.fell_back(X[:, ::-1]).mean() > 0.95


def test_scores_are_one_where_there_is_no_guard():
    X, y = make_dce_curves(60, time=3.0 * np.arange(6), random_state=0)
    net = DenoiserVanillaNL(width=0.1, max_steps=2, device="cpu", random_state=0).fit(X, y)
    assert net.guard_ is None
    assert_array_equal(net.score_samples(X), 1.0)
    assert_array_equal(net.trust(X), 1.0)
    assert_array_equal(net.fell_back(X), False)


def test_does_not_read_or_change_its_input(fitted, pairs):
    X = pairs[0][:20].copy()
    before = X.copy()
    fitted.transform(X)
    fitted.score_samples(X)
    assert_array_equal(X, before)


@pytest.mark.parametrize("guard", [0, 0.0, 1.0, -0.1, 2, "on", True])
def test_refuses_a_share_that_is_none(fitted, pairs, guard):
    with pytest.raises(ValueError, match="guard="):
        clone(fitted).set_params(guard=guard, max_steps=1).fit(*pairs)


def test_beats_no_network_at_all_on_a_law_of_its_own(pairs):
    # A network without training, guarded, is no worse than the data, and what it learned from the
    # pairs about putting back makes it a linear denoiser.
    X, y = pairs
    net = DenoiserVanillaNL(width=0.1, max_steps=20, device="cpu", random_state=0).fit(X, y)
    noisy, clean = make_dce_curves(1000, random_state=3)
    assert error(net.transform(noisy), clean) < error(noisy, clean)
    assert error(net.transform(noisy), clean) > error(
        LinearMMSEDenoiser().fit(X, y).transform(noisy), clean
    )
