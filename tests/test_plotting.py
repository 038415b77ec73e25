"""Displays: what they draw is what they were given."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline

from sk_dcedenoise.baselines import IdentityDenoiser
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.plotting import (
    DenoisingDisplay,
    ParameterHistogramDisplay,
    ParameterScatterDisplay,
)

TIME = 3.75 * np.arange(32)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def data():
    return make_dce_curves(40, random_state=0, return_params=True)


def lines(panel):
    return {line.get_label(): line.get_ydata() for line in panel.get_lines()}


def test_denoising_display_draws_what_it_was_given(data):
    X, y, _ = data
    display = DenoisingDisplay.from_predictions(
        X, 2 * X, y, time=TIME, y_fitted=3 * X, curves=[7, 3]
    )
    assert len(display.axes_) == 2
    for row, panel in zip([7, 3], display.axes_, strict=True):
        drawn = lines(panel)
        assert_array_equal(drawn["noisy"], X[row])
        assert_array_equal(drawn["denoised"], 2 * X[row])
        assert_array_equal(drawn["clean"], y[row])
        assert_array_equal(drawn["fitted"], 3 * X[row])
        assert_array_equal(panel.get_lines()[0].get_xdata(), TIME)
        assert panel.get_xlabel() == "time (s)"
    assert display.axes_[0].get_ylabel() == "C (mM)"


def test_denoising_display_from_estimator(data):
    X, y, _ = data
    display = DenoisingDisplay.from_estimator(IdentityDenoiser().fit(X), X, y, time=TIME, curves=2)
    assert_array_equal(lines(display.axes_[0])["denoised"], display.X_noisy[0])


def test_curves_are_chosen_from_weak_to_strong(data):
    X = data[0]
    display = DenoisingDisplay.from_predictions(X, X, time=TIME, curves=4)
    ranks = np.searchsorted(np.sort(X.mean(axis=1)), display.X_noisy.mean(axis=1))
    assert_array_equal(ranks, [5, 15, 25, 35])
    assert "clean" not in lines(display.axes_[0])


def test_more_panels_than_curves_are_not_drawn(data):
    X = data[0][:2]
    assert len(DenoisingDisplay.from_predictions(X, X, time=TIME, curves=6).axes_) == 2


def test_parameter_scatter_agrees_with_the_fit(data):
    X, y, params = data
    pipeline = make_pipeline(IdentityDenoiser(), ToftsTransformer(TIME)).fit(X)
    display = ParameterScatterDisplay.from_estimator(pipeline, y, params)
    assert display.names == ["Ktrans", "ve", "vp"]
    assert [panel.get_xlabel() for panel in display.axes_] == [
        r"true $K^\mathrm{trans}$ (1/min)",
        r"true $v_\mathrm{e}$",
        r"true $v_\mathrm{p}$",
    ]
    points = display.axes_[0].collections[0].get_offsets()
    assert_allclose(points[:, 0], params.Ktrans)
    assert_allclose(points[:, 1], params.Ktrans, rtol=0.01)  # clean curves fit exactly


def test_parameter_scatter_keeps_count_of_what_is_off_the_panel():
    true = {"vp": np.linspace(0.0, 0.1, 50)}
    est = {"vp": true["vp"].copy()}
    est["vp"][:3], est["vp"][3], est["vp"][4] = 9.0, -9.0, np.nan
    display = ParameterScatterDisplay.from_predictions(true, est)
    inside, above, below = (c.get_offsets() for c in display.axes_[0].collections)
    assert (len(inside), len(above), len(below)) == (45, 3, 1)
    assert_array_equal(np.unique(above[:, 1]), display.axes_[0].get_ylim()[1])
    assert "8.2% outside" in display.axes_[0].texts[0].get_text()
    known = np.isfinite(est["vp"])
    rmse = np.sqrt(np.mean((est["vp"] - true["vp"])[known] ** 2))
    assert f"RMSE {rmse:.3g}" in display.axes_[0].texts[0].get_text()


def test_histogram_counts_every_estimate():
    noisy = {"ve": np.r_[np.linspace(0, 0.5, 90), [40.0, -3.0, np.nan]]}
    display = ParameterHistogramDisplay.from_predictions(noisy, {"ve": np.full(93, 0.2)})
    assert display.axes_[0].get_xlabel() == r"$v_\mathrm{e}$"
    tops = [patch.get_xy() for patch in display.axes_[0].patches]
    areas = [0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) for x, y in
             (top.T for top in tops)]  # fmt: skip
    width = np.ptp(tops[0][:, 0]) / 40
    assert_allclose(np.array(areas) / width, [92, 93], rtol=1e-6)


@pytest.mark.parametrize("kind", ["none", "one", "many"])
def test_where_panels_go(data, kind):
    X = data[0]
    figure = Figure()
    given = {"none": None, "one": figure.subplots(), "many": Figure().subplots(2, 2)}[kind]
    display = DenoisingDisplay.from_predictions(X, X, time=TIME, curves=4, ax=given)
    assert len(display.axes_) == 4
    if kind == "many":
        assert_array_equal(display.axes_, given.ravel())
    if kind == "one":
        assert display.figure_ is figure
        assert not given.axison


def test_drawing_with_given_axes_needs_no_global_state(data):
    import matplotlib.pyplot as plt

    X = data[0]
    DenoisingDisplay.from_predictions(X, X, time=TIME, curves=4, ax=Figure().subplots(2, 2))
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X: DenoisingDisplay(TIME[:-1], X, X), "time has 31 frames, but the curves have 32"),
        (lambda X: DenoisingDisplay(TIME, X, X[:3]), r"y_denoised has shape \(3, 32\)"),
        (lambda X: DenoisingDisplay(TIME, X, X, y_clean=X[:, :4]), "y_clean has shape"),
        (lambda X: DenoisingDisplay(TIME, X[0], X[0]), r"X_noisy has shape \(32,\)"),
        (
            lambda X: DenoisingDisplay.from_predictions(X, X, time=TIME, curves=0),
            "curves=0, but expected at least 1",
        ),
        (
            lambda X: DenoisingDisplay(TIME, X, X).plot(ax=Figure().subplots(1, 3)),
            "ax holds 3 axes, but expected 40",
        ),
        (
            lambda X: DenoisingDisplay(TIME, X, X).plot(ax=Figure().add_axes((0, 0, 1, 1))),
            "placed by hand",
        ),
        (lambda X: ParameterScatterDisplay({"vp": [1.0]}, {"ve": [1.0]}), "at least one in common"),
        (
            lambda X: ParameterHistogramDisplay({"vp": [1.0]}, {"ve": [1.0]}),
            "the names of params_noisy",
        ),
    ],
)
def test_bad_input_is_named(data, call, message):
    with pytest.raises(ValueError, match=message):
        call(data[0])


def test_without_matplotlib_the_error_says_what_to_install(data, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'sk-dcedenoise\[plots\]'"):
        DenoisingDisplay(TIME, data[0], data[0]).plot()
