"""Displays of maps, agreement, noise levels, residuals and training: they draw what they say."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

from sk_dcedenoise.baselines import IdentityDenoiser, PCADenoiser
from sk_dcedenoise.datasets import make_dce_curves, make_dce_phantom
from sk_dcedenoise.denoisers import DenoiserVanillaNL
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.plotting import (
    BlandAltmanDisplay,
    DenoisingDisplay,
    NoiseLevelDisplay,
    ParameterMapDisplay,
    ResidualAutocorrelationDisplay,
    TrainingHistoryDisplay,
    TrustMapDisplay,
)

TIME = 3.75 * np.arange(32)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def data():
    return make_dce_curves(300, random_state=0, return_params=True)


@pytest.fixture(scope="module")
def maps():
    return make_dce_phantom((16, 20, 5), noise_std=0, random_state=0).maps


def drawn(panel):
    """The array of the image in a panel, x along the first axis, NaN where blank."""
    return np.ma.filled(panel.images[0].get_array().astype(float), np.nan).T


# ---- maps ----------------------------------------------------------------------------------------


def test_maps_are_drawn_slice_by_slice(maps):
    display = ParameterMapDisplay.from_predictions(maps, slices=[1, 4])
    assert display.axes_.shape == (10,)
    for i, panel in enumerate(display.axes_):
        name, z = display.names[i % 5], [1, 4][i // 5]
        assert_array_equal(drawn(panel), maps[name][..., z])
        assert panel.images[0].origin == "lower"
    assert display.axes_[0].get_title() == r"$K^\mathrm{trans}$ (1/min)"
    assert display.axes_[4].get_title() == "delay (s)"


def test_colour_scales_begin_at_zero_or_lie_around_it(maps):
    display = ParameterMapDisplay.from_predictions(maps)
    limits = {n: p.images[0].get_clim() for n, p in zip(display.names, display.axes_, strict=True)}
    for name in ("Ktrans", "kep", "ve", "vp"):
        low, high = limits[name]
        assert low == 0
        assert np.nanmean(maps[name] > high) <= 0.01
    assert limits["delay"][0] == -limits["delay"][1]
    assert display.axes_[4].images[0].get_cmap().name == "RdBu_r"


def test_scales_can_be_those_of_another_display(maps):
    one = ParameterMapDisplay.from_predictions(maps)
    other = ParameterMapDisplay({"Ktrans": 3 * maps["Ktrans"]}).plot(ranges=one.ranges)
    assert other.axes_[0].images[0].get_clim() == one.ranges["Ktrans"]


def test_slices_without_values_are_left_out():
    values = np.full((4, 4, 9), np.nan)
    values[..., 3:6] = 1.0
    assert ParameterMapDisplay({"ve": values}).plot(slices=3).slices == [3, 4, 5]
    assert ParameterMapDisplay({"ve": values}).plot(slices=1).slices == [4]


def test_maps_from_an_estimator():
    phantom = make_dce_phantom((16, 16, 1), noise_std=0, max_delay=0.0, random_state=0)
    fit = ToftsTransformer(phantom.time, phantom.aif)
    curves = phantom.clean[phantom.tissue]
    display = ParameterMapDisplay.from_estimator(fit.fit(curves), curves, phantom.tissue)
    truth = phantom.maps.ve[..., 0]
    assert_allclose(drawn(display.axes_[1]), truth, rtol=0.02)


def test_trust_is_drawn_and_counted():
    trust = np.array([[0.0, 0.4, np.nan], [0.5, 1.0, 0.9]])
    display = TrustMapDisplay.from_predictions(trust)
    assert display.trusted == pytest.approx(3 / 5)
    assert_array_equal(drawn(display.axes_[0]), trust)
    assert display.axes_[0].images[0].get_clim() == (0, 1)


def test_trust_from_an_estimator_that_judges_itself():
    class Judge:
        def trust(self, X):
            return (X[:, 0] > 0).astype(float)

    mask = np.array([[True, False], [True, True]])
    display = TrustMapDisplay.from_estimator(Judge(), np.array([[1.0], [-1.0], [2.0]]), mask)
    assert_array_equal(drawn(display.axes_[0]), [[1.0, np.nan], [0.0, 1.0]])


# ---- errors --------------------------------------------------------------------------------------


def test_errors_by_noise_level(data):
    X, y, params = data
    display = NoiseLevelDisplay.from_predictions(
        y, {"noisy": X, "zero": 0 * X}, params.noise_level, y_limit=y
    )
    assert_array_equal(display.levels, [0.02, 0.05, 0.1, 0.2, 0.3])
    for i, level in enumerate(display.levels):
        rows = params.noise_level == level
        expected = np.sqrt(np.mean((X[rows] - y[rows]) ** 2))
        assert display.errors["noisy"][i] == pytest.approx(expected)
    assert_array_equal(display.errors["limit"], 0)
    lines = {line.get_label(): line.get_ydata() for line in display.axes_[0].get_lines()}
    assert_array_equal(lines["zero"], display.errors["zero"])


def test_errors_of_estimators(data):
    X, y, params = data
    one = NoiseLevelDisplay.from_estimator(PCADenoiser().fit(X), X, y, params.noise_level)
    assert list(one.errors) == ["noisy", "PCADenoiser"]
    assert one.errors["PCADenoiser"][-1] < one.errors["noisy"][-1]


def test_many_levels_are_gathered():
    y = np.ones((800, 4))
    level = np.geomspace(0.01, 1.0, 800)
    X = y + level[:, None]
    display = NoiseLevelDisplay.from_predictions(y, {"noisy": X}, level)
    assert display.levels.size == 8
    assert_allclose(display.errors["noisy"], display.levels, rtol=0.06)


def test_bland_altman_in_closed_form():
    rng = np.random.default_rng(0)
    b = rng.uniform(size=500)
    a = b + rng.normal(0.1, 0.2, size=500)
    a[3] = np.nan
    display = BlandAltmanDisplay.from_predictions({"ve": a, "x": a}, {"ve": b})
    difference = np.delete(a - b, 3)
    assert display.names == ["ve"]
    assert display.bias["ve"] == pytest.approx(difference.mean())
    width = 1.96 * difference.std(ddof=1)
    assert_allclose(display.limits["ve"], difference.mean() + width * np.array([-1, 1]))
    points = sum(len(c.get_offsets()) for c in display.axes_[0].collections)
    assert points == 499


def test_bland_altman_of_an_estimator(data):
    X, y, _ = data
    fit = ToftsTransformer(TIME).fit(X)
    display = BlandAltmanDisplay.from_estimator(fit, y, y)
    assert display.bias == {"Ktrans": 0.0, "ve": 0.0, "vp": 0.0}


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_autocorrelation_of_a_known_process(rho):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(400, 400))
    for t in range(1, 400):
        noise[:, t] = rho * noise[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    display = ResidualAutocorrelationDisplay.from_predictions(noise, 0 * noise, max_lag=4)
    assert_allclose(display.correlation, rho ** np.arange(5.0), atol=0.02)
    assert display.band == pytest.approx(1.96 / 400)


def test_what_an_estimator_removes():
    X = make_dce_curves(300, noise_levels=0.3, random_state=0)[0]
    display = ResidualAutocorrelationDisplay.from_estimator(PCADenoiser().fit(X), X)
    assert display.correlation[0] == pytest.approx(1.0)
    # Three directions of 32 are kept: what is left of white noise repels itself a little.
    assert -0.2 < display.correlation[1] < 0
    nothing = ResidualAutocorrelationDisplay.from_estimator(IdentityDenoiser().fit(X), X)
    assert np.isnan(nothing.correlation).all()


def test_training_history():
    X, y = make_dce_curves(100, random_state=0)
    denoiser = DenoiserVanillaNL(max_epochs=3, width=0.1, random_state=0).fit(X, y)
    display = TrainingHistoryDisplay.from_estimator(denoiser)
    assert_array_equal(display.train_loss, denoiser.history[:, "train_loss"])
    assert_array_equal(display.valid_loss, denoiser.history[:, "valid_loss"])
    assert display.best_epoch == np.argmin(display.valid_loss) + 1
    denoiser = denoiser.set_params(validation_fraction=0.0).fit(X, y)
    assert TrainingHistoryDisplay.from_estimator(denoiser).valid_loss is None


def test_uncertainty_is_a_band(data):
    X, y, _ = data
    display = DenoisingDisplay.from_predictions(X, y, time=TIME, y_std=0.1 + 0 * X, curves=[5])
    band = display.axes_[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(y[5].max() + 0.196)
    assert band[:, 1].min() == pytest.approx(y[5].min() - 0.196)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ParameterMapDisplay({}), "maps is empty"),
        (lambda: ParameterMapDisplay({"a": np.ones(3)}), r"has shape \(3,\), but expected"),
        (lambda: ParameterMapDisplay({"a": np.ones((3, 3)), "b": np.ones((3, 4))}), "the map b"),
        (lambda: ParameterMapDisplay({"a": np.ones((3, 3))}).plot(slices=0), "slices=0"),
        (lambda: ParameterMapDisplay({"a": np.ones((3, 3))}).plot(slices=[1]), r"slices=\[1\]"),
        (lambda: TrustMapDisplay([[2.0]]), "from 2 to 2, but expected 0 to 1"),
        (lambda: NoiseLevelDisplay([0.1], {"a": [1, 2]}), "the errors of a have shape"),
        (
            lambda: NoiseLevelDisplay.from_predictions(np.ones((2, 3)), {}, [0.1]),
            r"noise_level has shape \(1,\)",
        ),
        (lambda: BlandAltmanDisplay({"a": [1]}, {"b": [1]}), "at least one name in common"),
        (lambda: BlandAltmanDisplay({"a": [1]}, {"a": [1, 2]}), r"has shapes \(1,\) and \(2,\)"),
        (lambda: ResidualAutocorrelationDisplay(np.ones(4)), "residuals have shape"),
        (lambda: ResidualAutocorrelationDisplay(np.ones((4, 5)), 5), "max_lag=5"),
        (lambda: TrainingHistoryDisplay([]), "at least one epoch"),
        (lambda: TrainingHistoryDisplay([1.0], [1.0, 2.0]), "valid_loss has shape"),
        (
            lambda: DenoisingDisplay(TIME, np.ones((1, 32)), np.ones((1, 32)), y_std=np.ones(32)),
            "y_std has shape",
        ),
    ],
)
def test_bad_input_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_drawing_with_given_axes_needs_no_global_state(maps, data):
    import matplotlib.pyplot as plt

    X, y, _ = data
    ParameterMapDisplay(maps).plot(ax=Figure(figsize=(12, 4)).subplots())
    TrustMapDisplay(np.ones((3, 3))).plot(ax=Figure().subplots())
    BlandAltmanDisplay({"ve": X[0]}, {"ve": y[0]}).plot(ax=Figure().subplots())
    NoiseLevelDisplay([0.1, 0.2], {"noisy": [1, 2]}).plot(ax=Figure().subplots())
    ResidualAutocorrelationDisplay(X - y).plot(ax=Figure().subplots())
    TrainingHistoryDisplay([1.0, 0.5]).plot(ax=Figure().subplots())
    assert plt.get_fignums() == []
