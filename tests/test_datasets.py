"""Synthetic curves against closed forms, the stated laws, and the statistics of their noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_dcedenoise.datasets import add_noise, make_dce_curves, reference_law_dictionary

# Weinmann 1984: plasma D * sum a exp(-m t), t in minutes.
DOSE, A, M = 0.1, np.array([3.99, 4.78]), np.array([0.144, 0.0111])


def weinmann_curves(time, Ktrans, kep, vp, delay=0.0):
    """Closed form of the extended Tofts model for the Weinmann AIF; arguments as columns."""
    t = (time - delay) / 60
    response = sum(
        a * (np.exp(-m * t) - np.exp(-kep * t)) / (kep - m) for a, m in zip(A, M, strict=True)
    )
    plasma = sum(a * np.exp(-m * t) for a, m in zip(A, M, strict=True))
    return np.where(t < 0, 0.0, DOSE * (Ktrans * response + vp * plasma))


def columns(params):
    return {name: values[:, np.newaxis] for name, values in params.items()}


def test_reference_curves_are_the_closed_form():
    X, y, params = make_dce_curves(200, aif="weinmann", random_state=0, return_params=True)
    p = columns(params)
    expected = weinmann_curves(3.75 * np.arange(32), p["Ktrans"], p["kep"], p["vp"])
    assert np.abs(y - expected).max() < 5e-5 * expected.max()
    assert X.dtype == y.dtype == np.float64


def test_wide_curves_are_the_closed_form_delayed_and_scaled():
    time = np.concatenate([np.arange(0, 60, 2.0), np.arange(60, 400, 11.0)])
    _, y, params = make_dce_curves(
        300, time=time, aif="weinmann", law="wide", random_state=1, return_params=True
    )
    p = columns(params)
    expected = p["aif_scale"] * weinmann_curves(time, p["Ktrans"], p["kep"], p["vp"], p["delay"])
    # The formula jumps at arrival; a fine grid resolves it but for the instant itself.
    assert np.abs(y - expected).max() < 5e-5 * expected.max()
    assert (y[time < p["delay"]] == 0).all()


def test_reference_grids():
    _, _, params = make_dce_curves(40_000, random_state=0, return_params=True)
    for name, grid in [
        ("Ktrans", np.linspace(0.02, 0.22, 41)),
        ("kep", np.linspace(0.2, 2.2, 41)),
        ("vp", np.linspace(0.002, 0.022, 41)),
        ("noise_level", np.array([0.02, 0.05, 0.1, 0.2, 0.3])),
    ]:
        values, counts = np.unique(params[name], return_counts=True)
        assert np.allclose(values, grid, rtol=1e-12, atol=0)
        expected = 40_000 / grid.size
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    # Independent of each other.
    table = np.corrcoef([params[name] for name in ("Ktrans", "kep", "vp", "noise_level")])
    assert np.abs(table - np.eye(4)).max() < 5 / np.sqrt(40_000)
    assert np.array_equal(params.ve, params.Ktrans / params.kep)
    assert not params.delay.any() and (params.aif_scale == 1).all()


def test_wide_law():
    n = 20_000
    time = np.array([0.0, 30.0])
    _, _, params = make_dce_curves(n, time=time, law="wide", random_state=0, return_params=True)
    for name, low, high, log in [
        ("Ktrans", 0.003, 0.6, True),
        ("ve", 0.03, 0.8, True),
        ("vp", 0.0005, 0.12, True),
        ("noise_level", 0.01, 0.5, True),
        ("delay", 0.0, 12.0, False),
        ("aif_scale", 0.8, 1.2, False),
    ]:
        values = np.sort(params[name])
        uniform = (
            np.log(values / low) / np.log(high / low) if log else (values - low) / (high - low)
        )
        # Kolmogorov's distance; 1.95 / sqrt(n) is passed once in a thousand.
        assert np.abs(uniform - np.arange(n) / n).max() < 1.95 / np.sqrt(n), name
    assert np.allclose(params.kep * params.ve, params.Ktrans, rtol=1e-14)


@pytest.mark.parametrize("law", ["reference", "wide"])
def test_gaussian_noise_is_a_level_of_the_mean(law):
    X, y, params = make_dce_curves(20_000, law=law, random_state=3, return_params=True)
    unit = (X - y) / (params.noise_level * y.mean(axis=1))[:, np.newaxis]
    n = unit.size
    assert abs(unit.mean()) < 5 / np.sqrt(n)
    assert abs(unit.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs((unit**4).mean() - 3) < 5 * np.sqrt(96 / n)
    # White: neighbours in time are not correlated.
    assert abs((unit[:, 1:] * unit[:, :-1]).mean()) < 5 / np.sqrt(n)
    assert (X < 0).any()


def test_rician_noise_is_that_of_a_magnitude():
    from scipy.stats import rice

    baseline, sd = 0.175, 0.05
    noisy = add_noise(np.full((2_000, 50), 0.1), sd / 0.1, noise="rician", random_state=0)
    law = rice((baseline + 0.1) / sd, scale=sd, loc=-baseline)
    n = noisy.size
    assert abs(noisy.mean() - law.mean()) < 5 * law.std() / np.sqrt(n)
    assert abs(noisy.var() / law.var() - 1) < 5 * np.sqrt(2 / n)
    assert law.mean() - 0.1 > 0.004  # the bias is there to be seen
    assert noisy.min() >= -baseline and (noisy < 0).any()


def test_noise_kinds_share_clean_curves():
    gaussian = make_dce_curves(20, noise="gaussian", random_state=5)
    rician = make_dce_curves(20, noise="rician", random_state=5)
    assert np.array_equal(gaussian[1], rician[1])
    assert not np.array_equal(gaussian[0], rician[0])


def test_zero_level_is_noiseless():
    for noise in ("gaussian", "rician"):
        X, y = make_dce_curves(10, noise_levels=0, noise=noise, random_state=0)
        np.testing.assert_allclose(X, y, rtol=0, atol=1e-15)


def test_given_levels_are_drawn_alike():
    for law in ("reference", "wide"):
        _, _, params = make_dce_curves(
            3000,
            time=[0.0, 9.0],
            law=law,
            noise_levels=[0.1, 0.4],
            random_state=0,
            return_params=True,
        )
        assert set(params.noise_level) == {0.1, 0.4}
        assert abs((params.noise_level == 0.1).mean() - 0.5) < 5 * 0.5 / np.sqrt(3000)


@pytest.mark.parametrize("law", ["reference", "wide"])
def test_seeds(law):
    first = make_dce_curves(7, law=law, random_state=0)
    again = make_dce_curves(7, law=law, random_state=np.random.RandomState(0))
    other = make_dce_curves(7, law=law, random_state=1)
    for a, b, c in zip(first, again, other, strict=True):
        assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_without_a_seed_global_generator_is_untouched():
    state = np.random.get_state()  # noqa: NPY002
    first, second = (make_dce_curves(3)[0] for _ in range(2))
    assert not np.array_equal(first, second)
    for before, after in zip(state, np.random.get_state(), strict=True):  # noqa: NPY002
        assert np.array_equal(before, after)


def test_inputs_are_not_modified():
    time = 5.0 * np.arange(20)
    cp = np.exp(-time / 60)
    levels = np.array([0.3, 0.1])
    kept = time.copy(), cp.copy(), levels.copy()
    for array in (time, cp, levels):
        array.flags.writeable = False
    X, y = make_dce_curves(5, time=time, aif=cp, noise_levels=levels, random_state=0)
    add_noise(y, 0.1, noise="rician")
    assert X.shape == y.shape == (5, 20)
    for array, copy in zip((time, cp, levels), kept, strict=True):
        assert np.array_equal(array, copy)


def test_every_kind_of_aif():
    time = 5.0 * np.arange(20)

    def formula(t):
        return np.exp(-np.asarray(t) / 60)

    fine = np.linspace(0, 95, 3801)
    y_formula, y_pair, y_array = (
        make_dce_curves(50, time=time, aif=aif, random_state=0)[1]
        for aif in (formula, (fine, formula(fine)), formula(time))
    )
    np.testing.assert_allclose(y_pair, y_formula, rtol=0, atol=1e-4 * y_formula.max())
    # Straight lines between the frames of a smooth AIF are close, yet not the same.
    error = np.abs(y_array - y_formula).max() / y_formula.max()
    assert 1e-7 < error < 1e-2


def test_hematocrit_scales_curves():
    y = make_dce_curves(5, random_state=0)[1]
    np.testing.assert_allclose(
        make_dce_curves(5, hematocrit=0.45, random_state=0)[1], y / 0.55, rtol=1e-12
    )


def test_dictionary_holds_every_reference_curve():
    curves, params = reference_law_dictionary()
    assert curves.shape == (41**3, 32)
    keys = np.column_stack([params.Ktrans, params.kep, params.vp])
    assert len(np.unique(keys, axis=0)) == 41**3
    _, y, drawn = make_dce_curves(50, random_state=2, return_params=True)
    for curve, Ktrans, kep, vp in zip(y, drawn.Ktrans, drawn.kep, drawn.vp, strict=True):
        (row,) = np.flatnonzero((keys == [Ktrans, kep, vp]).all(axis=1))
        np.testing.assert_allclose(curves[row], curve, rtol=1e-12, atol=1e-15)
        assert params.ve[row] == Ktrans / kep


def test_noisy_rmse_of_reference_law():
    """The root mean square of the noise, from the dictionary's means and the levels."""
    curves, _ = reference_law_dictionary()
    levels = np.array([0.02, 0.05, 0.1, 0.2, 0.3])
    expected = np.sqrt((curves.mean(axis=1) ** 2).mean() * (levels**2).mean())
    X, y = make_dce_curves(20_000, random_state=0)
    assert abs(np.sqrt(((X - y) ** 2).mean()) / expected - 1) < 0.02


@settings(max_examples=25, deadline=None)
@given(
    n_samples=st.integers(1, 5),
    start=st.floats(-20, 20),
    steps=st.lists(st.floats(0.5, 30), max_size=12),
    law=st.sampled_from(["reference", "wide"]),
    noise=st.sampled_from(["gaussian", "rician"]),
)
def test_any_time_grid(n_samples, start, steps, law, noise):
    time = start + np.cumsum([0.0, *steps])
    X, y, params = make_dce_curves(
        n_samples, time=time, law=law, noise=noise, random_state=0, return_params=True
    )
    assert X.shape == y.shape == (n_samples, time.size)
    assert np.isfinite(X).all() and (y >= 0).all()
    assert all(values.shape == (n_samples,) for values in params.values())
    assert (y[:, time < 0] == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_samples": 0}, "n_samples=0, but expected a positive integer"),
        ({"n_samples": 2.5}, "n_samples=2.5, but expected"),
        ({"n_samples": True}, "n_samples=True, but expected"),
        ({"law": "narrow"}, "law='narrow', but expected one of 'reference', 'wide'"),
        ({"noise": "pink"}, "noise='pink', but expected one of"),
        ({"noise_levels": [-0.1, 0.1]}, "noise_levels=.*at least 0"),
        ({"noise_levels": []}, "noise_levels=.*but expected finite levels"),
        ({"noise_levels": [np.nan]}, "noise_levels=.*but expected finite levels"),
        ({"noise_levels": [[0.1]]}, "noise_levels=.*but expected finite levels"),
        ({"time": [0.0, 5.0, 5.0]}, "strictly increasing"),
        ({"time": [[0.0, 5.0]]}, "expected \\(n_times,\\)"),
        ({"aif": "parkour"}, "parkour"),
        ({"aif": np.ones(31)}, "31"),
        ({"hematocrit": 1.0}, "hematocrit=1.0"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        make_dce_curves(**{"n_samples": 3, **change})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(4), 0.1), "curves have shape \\(4,\\)"),
        ((np.ones((3, 4)), [0.1, 0.2]), "noise_level has 2 values, but expected 1 or 3"),
        ((np.ones((3, 4)), -1.0), "noise_level=.*at least 0"),
    ],
)
def test_add_noise_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        add_noise(*arguments)
