"""Other tissue that a guard expects when nobody has told it a model."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sk_dcedenoise._guard._found_kinetics import found_kinetics
from sk_dcedenoise._noise import NoiseLaw
from sk_dcedenoise.aif import aif_parker
from sk_dcedenoise.datasets import add_noise, make_dce_curves
from sk_dcedenoise.denoisers import DenoiserVanillaNL, _base
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts, two_compartment_exchange

TIME = 3.75 * np.arange(32)
WIDE = {"Ktrans": (0.0, 50.0), "kep": (0.0, 10.0), "vp": (0.0, 1.0), "ve": (0.0, 1e6)}


def found(curves, level=0.02):
    return found_kinetics(curves, level * np.abs(curves).mean(axis=1))


@pytest.fixture(scope="module")
def drawn():
    """Parameters of training curves, and those of other tissue by the true model."""
    _, y, params = make_dce_curves(6000, random_state=0, return_params=True)
    others = found(y).draw(y, np.random.default_rng(0))
    outputs = ["Ktrans", "kep", "vp", "r2"]
    fit = ToftsTransformer(TIME, bounds=WIDE, outputs=outputs).fit_transform(others)
    return params, dict(zip(outputs, fit.T, strict=True))


def test_other_tissue_is_of_the_true_model(drawn):
    assert_allclose(drawn[1]["r2"], 1.0, atol=1e-5)


def test_each_parameter_is_of_training_or_beyond_it(drawn):
    params, others = drawn
    kept = np.isclose(others["kep"], params.kep, rtol=1e-2)
    assert_allclose((~kept).mean(), 1 / 4 + 3 / 40, atol=0.03)
    # Above the fastest of training even in the inverse, to one in two frames.
    fastest = np.quantile(params.kep, 0.99)
    faster = fastest / others["kep"][others["kep"] > 1.01 * fastest]
    assert_allclose(faster.mean(), (1 + fastest / (0.5 * 16)) / 2, atol=0.03)
    for name, values in (("Ktrans", params.Ktrans), ("vp", params.vp)):
        largest = np.quantile(values, 0.99)
        above = others[name][others[name] > 1.01 * largest]
        assert_allclose(above.max(), 10 * largest, rtol=0.1)
        assert_allclose(np.mean(largest / above), 1.1 / 2, atol=0.03)
        # Nine in ten of those that are foreign are more; one in six of these is weakened, too.
        most = 0.9 * (1 / 4 + 3 / 40)
        assert 5 / 6 * most < len(above) / len(values) < most


def test_one_curve_in_ten_is_delayed():
    y = make_dce_curves(3000, random_state=0)[1]
    draw = found(y).law().of(torch.as_tensor(y))
    others = draw(torch.arange(3000), torch.Generator().manual_seed(0)).numpy()
    r2 = ToftsTransformer(TIME, bounds=WIDE, outputs=["r2"]).fit_transform(others)
    assert_allclose((r2 < 1 - 1e-5).mean(), 0.1, atol=0.02)


def test_curves_of_other_units_and_types_make_the_same_tissue():
    y = make_dce_curves(500, random_state=0)[1]
    draws = [
        found(size * y.astype(kind)).draw(size * y.astype(kind), np.random.default_rng(0)) / size
        for size, kind in ((1.0, np.float64), (0.01, np.float64), (3.0, np.float32))
    ]
    assert_allclose(draws[1], draws[0], rtol=0.01, atol=1e-4 * y.max())
    assert_allclose(draws[2], draws[0], rtol=0.02, atol=1e-3 * y.max())


def test_curves_of_no_tissue_do_not_matter():
    y = make_dce_curves(500, random_state=0)[1]
    assert found(np.vstack([y, np.zeros((100, 32))])) is not None


def of_delays():
    rng = np.random.default_rng(0)
    return np.vstack([
        extended_tofts(TIME, 0.1, 0.2, 0.01, delay=delay) for delay in rng.uniform(0, 10, 200)
    ])  # fmt: skip


def of_two_inputs():
    y = make_dce_curves(100, random_state=0)[1]
    return np.vstack([y, make_dce_curves(100, aif="georgiou", random_state=1)[1]])


def of_exchange():
    rng = np.random.default_rng(0)
    PS, ve, vp = (rng.uniform(*v, 200) for v in ((0.02, 0.2), (0.1, 0.5), (0.02, 0.1)))
    return two_compartment_exchange(TIME, 0.3, PS, ve, vp)


def with_noise():
    return make_dce_curves(200, noise_levels=0.05, random_state=0)[0]


@pytest.mark.parametrize("curves", [of_delays, of_two_inputs, of_exchange, with_noise])
def test_finds_nothing_where_no_input_explains_the_curves(curves):
    assert found(curves()) is None


def test_finds_nothing_in_few_curves_or_frames_or_under_no_noise():
    y = make_dce_curves(500, random_state=0)[1]
    assert found(y[:10]) is None
    assert found(y[:, :5]) is None
    assert found(y[:, :1]) is None
    assert found(y, level=0.0) is None
    assert found(np.zeros((100, 32))) is None


def test_quiet_noise_follows_its_law():
    clean = np.array([[1.0, -3.0], [4.0, 4.0]])
    levels = np.r_[0.0, np.full(100, 0.1)]
    assert_allclose(NoiseLaw(levels, 1.0, None).quiet_sd(clean), [0.2, 0.4])
    assert_allclose(NoiseLaw(levels, 0.0, None).quiet_sd(clean), [0.1, 0.1])
    assert_array_equal(NoiseLaw(np.zeros(3), 1.0, None).quiet_sd(clean), 0.0)


# ---- in an estimator -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guards():
    """A network with what it finds, and the same where it may find nothing."""
    time = 3.75 * np.arange(32)
    pairs = make_dce_curves(3000, time=time, aif=lambda t: aif_parker(t, delay=5.0), random_state=0)
    denoiser = DenoiserVanillaNL(max_steps=200, width=0.25, device="cpu", random_state=0)
    finds = denoiser.fit(*pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_base, "found_kinetics", lambda clean, noise_sd: None)
        filters = DenoiserVanillaNL(**denoiser.get_params()).fit(*pairs)
    return finds, filters


def error(curves, clean):
    return np.sqrt(np.mean((curves - clean) ** 2))


def test_keeps_more_inside_the_law_than_filters(guards):
    aif = {"aif": lambda t: aif_parker(t, delay=5.0)}
    X, y = make_dce_curves(2000, noise_levels=(0.1, 0.2, 0.3), random_state=1, **aif)
    finds, filters = (error(guard.transform(X), y) for guard in guards)
    assert finds < filters


@pytest.mark.parametrize("level", [0.05, 0.1, 0.3])
def test_does_better_outside_of_the_law_than_the_data_and_filters(guards, level):
    rng = np.random.RandomState(1)
    Ktrans, vp = rng.uniform(0.02, 0.5, 1000), rng.uniform(0.03, 0.1, 1000)
    ve = Ktrans / rng.uniform(0.2, 5.0, 1000)
    clean = extended_tofts(TIME, Ktrans, ve, vp, aif=lambda t: aif_parker(t, delay=5.0))
    X = add_noise(clean, level, random_state=rng)
    finds, filters = (error(guard.transform(X), clean) for guard in guards)
    assert finds < 0.6 * error(X, clean)
    assert finds < filters


@pytest.mark.parametrize(("which", "share"), [(0, 0.15), (1, 0.65)], ids=["found", "filters"])
def test_share_is_that_of_the_tissue_unless_it_is_given(guards, which, share):
    X = make_dce_curves(200, random_state=1)[0]
    denoiser = guards[which]
    own = denoiser.trust(X)
    given = denoiser.set_params(guard=share).trust(X)
    safer = denoiser.set_params(guard=0.9).trust(X)
    denoiser.set_params(guard="auto")
    assert_array_equal(own, given)
    assert safer.mean() < own.mean()
