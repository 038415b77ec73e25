"""The guard's own estimates: what is noise in a curve, of which law it is, and their mixture."""

from functools import partial

import pytest
import torch
from numpy.testing import assert_allclose

from sk_dcedenoise._guard._expected import Expected
from sk_dcedenoise._guard._judge import Judge
from sk_dcedenoise._guard._law_mean import LawMean
from sk_dcedenoise._guard._perceptron import Perceptron

N_KEPT = 4
SPREAD = torch.tensor([3.0, 1.0, 0.3, 0.0])
OFFSET = torch.tensor([3.0, 1.0, 1.0, 0.5])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw_normal(n_curves, seed=None, random=None):
    """Normal coefficients in normal noise of standard deviation 1."""
    random = generator(seed) if random is None else random
    clean = SPREAD * torch.randn((n_curves, N_KEPT), generator=random)
    noise = torch.randn((n_curves, N_KEPT), generator=random)
    return clean + noise, torch.zeros(n_curves), noise


@pytest.fixture(scope="module")
def law_mean():
    random = generator()
    draw = partial(draw_normal, random=random)
    return LawMean.learn(draw, N_KEPT, 32_768, generator(), passes=16)


def test_finds_the_posterior_mean_of_a_normal_law(law_mean):
    data, level, noise = draw_normal(20_000, seed=1)
    exact = data / (1 + SPREAD**2)  # the part of the noise in the variance, by each coefficient
    error, least = ((v - noise).square().mean() for v in (law_mean(data, level), exact))
    assert 1 - 1e-3 < error / least < 1.01


def test_takes_little_out_whatever_comes(law_mean):
    data, level, _ = draw_normal(100, seed=2)
    assert law_mean(100 * data, level).abs().max() < 3.0
    assert_allclose(law_mean(1e4 + data, level), 0.0)


def test_curves_are_drawn_anew_and_no_more_than_needed():
    drawn = []

    def draw(n_curves):
        drawn.append(n_curves)
        return draw_normal(n_curves, seed=len(drawn))

    LawMean.learn(draw, N_KEPT, 5_000, generator(), passes=16)
    assert drawn == 3 * [65_536]  # one to see how large inputs are, and two for 80,000 curves


def test_shapes(law_mean):
    assert law_mean.has_shapes_for(N_KEPT)
    assert not law_mean.has_shapes_for(N_KEPT + 1)
    layers = law_mean.network.layers
    for spoiled in ([], layers[:2], layers[:-1], layers[:2] + layers[4:] + layers[:2], layers[1:]):
        network = Perceptron(law_mean.network.shift, law_mean.network.slope, 1.0, spoiled)
        assert not network.has_shapes_for(3 * N_KEPT + 2, N_KEPT)


# ---- of which law a curve is -----------------------------------------------------------------


def test_finds_the_odds_between_two_normal_laws(law_mean):
    random = generator()

    def draw_other(n_curves, random=random):
        data, level, noise = draw_normal(n_curves, random=random)
        return data + OFFSET, level, noise

    def judge(data, level):
        return learned(data, [mean(data, level) for mean in means], level)

    means = [law_mean, law_mean]
    draw = partial(draw_normal, random=random)
    learned = Judge.learn(draw, draw_other, means, 32_768, generator(), width=64, passes=8)
    data, level, _ = draw_normal(20_000, seed=10)
    # Of one covariance: the odds are linear in the data.
    exact = ((data - OFFSET / 2) * OFFSET / (1 + SPREAD**2)).sum(1)
    assert (judge(data, level) - exact).square().mean().sqrt() < 0.15 * exact.std()
    assert learned.has_shapes_for(N_KEPT)
    assert not learned.has_shapes_for(N_KEPT + 1)


# ---- the mixture -----------------------------------------------------------------------------


def mixed(of_network, of_training, of_other, noise, is_usual=None):
    """Weights that are learned, and the error of the mixture in that of the network."""
    level = torch.randn(len(noise), generator=generator(9))
    is_usual = torch.ones(len(noise), dtype=bool) if is_usual is None else is_usual
    partners = [of_training, of_other]
    sd = torch.ones(len(noise))
    expected = Expected.learn(level, of_network, partners, noise, sd, is_usual, N_KEPT)
    removed = expected.mixed(level, of_network, partners)
    error = [(v - noise)[is_usual].square().mean() for v in (removed, of_network)]
    return expected.weights, float(error[0] / error[1])


def test_the_mixture_of_two_that_err_differently_is_better_than_both():
    data, _, noise = draw_normal(20_000, seed=3)
    exact = data / (1 + SPREAD**2)
    # Much less than there is to remove, so that removing less of it is no way out.
    errors = 0.1 * torch.randn((2, *data.shape), generator=generator(4))
    weights, error = mixed(exact + errors[0], exact + errors[1], data, noise)
    assert weights[:, 0].mean() == pytest.approx(0.5, abs=0.1)
    assert weights[:, 1].mean() < 0.02
    least = (exact - noise).square().mean()
    assert 1 - error == pytest.approx(0.005 / (float(least) + 0.01), rel=0.3)


def test_an_exact_network_is_left_alone():
    data, _, noise = draw_normal(20_000, seed=5)
    exact = data / (1 + SPREAD**2)
    worse = exact + 0.5 * torch.randn(data.shape, generator=generator(6))
    weights, error = mixed(exact, worse, worse, noise)
    assert weights.max() < 0.1
    assert error == pytest.approx(1.0, abs=0.01)


def test_usual_noise_counts_for_more():
    data, _, noise = draw_normal(20_000, seed=7)
    exact = data / (1 + SPREAD**2)
    is_usual = torch.rand(len(data), generator=generator(8)) < 0.75
    # The guard's own is exact for those, and of no use for the others.
    own = torch.where(is_usual[:, None], exact, -exact)
    network = exact + 0.5 * torch.randn(data.shape, generator=generator(4))
    weights, _ = mixed(network, own, data, noise, is_usual)
    alike, _ = mixed(network, own, data, noise)
    assert weights[:, 0].min() > 0.7 > 0.5 > alike[:, 0].max()


def test_weights_are_shares():
    random = generator()
    network, own, other, noise = (torch.randn((4000, N_KEPT), generator=random) for _ in "1234")
    weights, _ = mixed(network, noise + 0.01 * own, noise + 0.01 * other, noise)
    assert weights.min() >= 0
    assert_allclose(weights.sum(axis=1), 1.0, atol=0.02)
