"""A guard that knows the kinetic model: the tissue it expects, and what the denoiser gains."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sk_dcedenoise._guard import Guard
from sk_dcedenoise._guard._kinetic_tissue import beyond
from sk_dcedenoise.datasets import add_noise, make_dce_curves
from sk_dcedenoise.denoisers import DenoiserEncoderDecoder, DenoiserVanillaNL, KineticGuard, _base
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.persistence import load, save
from sk_dcedenoise.tofts import extended_tofts

TIME = 3.75 * np.arange(32)
BOUNDS = {"Ktrans": (0.0, 0.6), "kep": (0.05, 6.0), "vp": (0.0, 0.12), "ve": (0.0, 100.0)}
MODEL = ToftsTransformer(TIME, bounds=BOUNDS)
NAMES = ["Ktrans", "kep", "vp"]
SMALL = {"width": 0.25, "device": "cpu", "random_state": 0}


def drawn(model=MODEL, n_curves=4000):
    """Training curves, their parameters, and curves of other tissue."""
    _, y, params = make_dce_curves(n_curves, random_state=0, return_params=True)
    return y, params, KineticGuard(model).draw(y, np.random.default_rng(0))


def test_other_tissue_is_of_the_model_and_within_its_bounds():
    _, _, others = drawn()
    fit = clone(MODEL).set_params(outputs=[*NAMES, "r2"]).fit(others)
    *found, r2 = fit.transform(others).T
    assert_allclose(r2, 1.0, atol=1e-6)
    for name, values in zip(NAMES, found, strict=True):
        low, high = BOUNDS[name]
        assert values.min() >= low - 1e-6
        assert 0.9 * high < values.max() <= high + 1e-6


def test_each_parameter_is_of_training_or_beyond_it():
    _, params, others = drawn()
    kep = clone(MODEL).set_params(outputs=["kep"]).fit(others).transform(others)[:, 0]
    kept = np.isclose(kep, params.kep, rtol=1e-3)
    # Foreign in one of four things, and with a chance of one in ten in each of the others.
    assert_allclose((~kept).mean(), 1 / 4 + 3 / 40, atol=0.03)
    low, high = np.quantile(params.kep, [0.01, 0.99])
    foreign = kep[~kept]
    assert ((foreign < low * 1.01) | (foreign > high * 0.99)).all()
    assert_allclose((foreign < low).mean(), 1 / 10, atol=0.03)
    # Below even, above the rarer the farther, even in the inverse: so are the means.
    assert_allclose(foreign[foreign < low].mean(), (BOUNDS["kep"][0] + low) / 2, rtol=0.1)
    inverse = (high / foreign)[foreign > high]
    assert_allclose(inverse.mean(), (1 + high / BOUNDS["kep"][1]) / 2, atol=0.02)


def test_bounds_within_the_training_law_are_all_that_may_be():
    rng, values = np.random.default_rng(0), np.linspace(1.0, 2.0, 1000)
    within = beyond(1.2, 1.4)(values, rng)
    assert within.min() >= 1.2
    assert within.max() <= 1.4
    assert beyond(0.0, 1.5)(values, rng).max() <= np.quantile(values, 0.01)
    assert beyond(1.5, 3.0)(values, rng).min() >= np.quantile(values, 0.99)


def test_there_is_no_more_space_than_the_bounds_say():
    bounds = BOUNDS | {"ve": (0.0, 0.5)}
    _, _, others = drawn(ToftsTransformer(TIME, bounds=bounds))
    wide = clone(MODEL).set_params(outputs=["ve"]).fit(others)
    assert wide.transform(others).max() < 0.5 + 1e-4


@pytest.mark.parametrize("params", [{"model": "tofts"}, {"model": "patlak"}, {"delay": (0, 10)}])
def test_draws_of_other_models(params):
    y, _, others = drawn(ToftsTransformer(TIME, **params), n_curves=500)
    assert others.shape == y.shape
    assert np.isfinite(others).all()
    fit = ToftsTransformer(TIME, outputs=["r2"], **params).fit(others)
    assert np.median(fit.transform(others)) > 1 - 1e-6


def test_curves_are_drawn_in_the_units_of_the_network():
    y = torch.as_tensor(make_dce_curves(200, random_state=0)[1])
    tissue = KineticGuard(MODEL).other_tissue(scale=2.0)
    draws = [
        law.of(curves)(torch.arange(200), torch.Generator().manual_seed(0))
        for law, curves in ((tissue, y / 2), (KineticGuard(MODEL).other_tissue(), y))
    ]
    assert_allclose(2 * draws[0], draws[1], rtol=1e-5, atol=1e-9)


# ---- in an estimator -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs():
    return make_dce_curves(3000, random_state=0)


@pytest.fixture(scope="module")
def filters(pairs):
    """With a guard that neither is told the kinetics nor finds them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_base, "found_kinetics", lambda clean, noise_sd: None)
        return DenoiserVanillaNL(max_steps=200, **SMALL).fit(*pairs)


@pytest.fixture(scope="module")
def kinetic(pairs):
    return DenoiserVanillaNL(max_steps=200, guard=KineticGuard(MODEL), **SMALL).fit(*pairs)


def error(curves, clean):
    return np.sqrt(np.mean((curves - clean) ** 2))


def outside(level):
    """Curves with more leakage or plasma than those of training."""
    rng = np.random.RandomState(1)
    Ktrans, vp = rng.uniform(0.02, 0.5, 1000), rng.uniform(0.03, 0.1, 1000)
    clean = extended_tofts(TIME, Ktrans, Ktrans / rng.uniform(0.2, 5.0, 1000), vp)
    return add_noise(clean, level, random_state=rng), clean


def test_keeps_more_inside_the_law_than_a_guess_of_filters(filters, kinetic):
    X, y = make_dce_curves(2000, noise_levels=(0.1, 0.2, 0.3), random_state=1)
    assert error(kinetic.transform(X), y) < error(filters.transform(X), y)


@pytest.mark.parametrize("level", [0.05, 0.1, 0.3])
def test_does_better_outside_of_the_law_than_the_data_and_filters(filters, kinetic, level):
    X, y = outside(level)
    assert error(kinetic.transform(X), y) < 0.6 * error(X, y)
    assert error(kinetic.transform(X), y) < error(filters.transform(X), y)


def test_share_can_be_set_after_fit(kinetic, pairs):
    X = pairs[0][:300]
    trust = [kinetic.set_params(guard__share=share).trust(X) for share in (0.05, 0.35, 0.6)]
    kinetic.set_params(guard__share=0.1)
    assert (np.diff(trust, axis=0) <= 0).all()
    assert (trust[0] > trust[2]).any()


def test_a_guard_can_be_learned_anew(filters, kinetic, pairs):
    X, y = pairs
    again = pickle.loads(pickle.dumps(filters)).set_params(guard=KineticGuard(MODEL))
    old = again.transform(X[:200])
    assert again.fit_guard(y, n_curves=4000) is again
    noisy, clean = outside(0.1)
    assert error(again.transform(noisy), clean) < error(filters.transform(noisy), clean)
    assert not np.array_equal(again.transform(X[:200]), old)
    bare = [net.set_params(guard=None).transform(X[:200]) for net in (filters, again)]
    filters.set_params(guard="auto")
    assert_array_equal(*bare)  # the network is as it was


def test_survives_a_file_and_clone(kinetic, pairs, tmp_path):
    X = pairs[0][:100]
    save(kinetic, tmp_path / "kinetic.safetensors")
    found = load(tmp_path / "kinetic.safetensors")
    assert_array_equal(found.transform(X), kinetic.transform(X))
    assert found.guard.share == clone(kinetic).guard.share == 0.1
    assert found.guard.model.bounds == BOUNDS


def test_a_network_from_a_file_learns_its_guard_from_as_many_curves(pairs, tmp_path):
    settings = SMALL | {"max_steps": 40, "batch_size": 128, "guard": KineticGuard(MODEL)}
    net = DenoiserVanillaNL(**settings).fit(*pairs)
    save(net, tmp_path / "net.safetensors")
    found = load(tmp_path / "net.safetensors")
    # A class of noise levels for each thousand curves.
    learned = len(net.guard_.expected.levels)
    assert learned == 3  # 40 batches of 128 curves, three fifths of them
    assert len(found.fit_guard(pairs[1]).guard_.expected.levels) == learned
    assert len(found.fit_guard(pairs[1], n_curves=5000).guard_.expected.levels) == 5


def test_beside_a_large_network_a_guard_learns_longer(pairs, monkeypatch):
    learned = []
    monkeypatch.setattr(Guard, "learn", lambda *args, **settings: learned.append(args[3]))
    for width in (0.25, 1.0):
        settings = {"max_steps": 10, "batch_size": 64, "guard": KineticGuard(MODEL)}
        net = DenoiserEncoderDecoder(width=width, device="cpu", random_state=0, **settings)
        n_weights = sum(weight.numel() for weight in net.fit(*pairs).module_.parameters())
        assert (n_weights > 1_000_000) == (width == 1.0)
    assert learned == [int(0.6 * 640), int(0.6 * 640 * n_weights / 1_000_000)]


@pytest.mark.parametrize(
    ("guard", "message"),
    [
        (KineticGuard(MODEL, share=0), "share=0"),
        (KineticGuard(MODEL, share=1.5), "share=1.5"),
        (KineticGuard(None), "model is a NoneType, but expected a ToftsTransformer"),
        (KineticGuard(ToftsTransformer(TIME[:8])), "time has 8 frames, but the curves have 32"),
        (KineticGuard(ToftsTransformer(TIME, bounds={"Ve": (0, 1)})), "bounds has 'Ve'"),
    ],
)
def test_says_before_training_what_is_wrong(guard, message, pairs):
    with pytest.raises(ValueError, match=message):
        DenoiserVanillaNL(guard=guard, **SMALL).fit(*pairs)


def test_a_new_guard_needs_a_network_and_clean_curves(kinetic, pairs):
    y = pairs[1][:100].copy()
    with pytest.raises(NotFittedError):
        DenoiserVanillaNL().fit_guard(y)
    y[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        kinetic.fit_guard(y)
    with pytest.raises(ValueError, match="y has 20 frames, but the network was fitted on 32"):
        kinetic.fit_guard(pairs[1][:, :20])
