"""The map that undoes scalers in front of a denoiser, against scalers whose map is known."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, RobustScaler, StandardScaler

from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import DenoiserVanillaNL
from sk_dcedenoise.denoisers._units import UnitMap, warn_if_scaled_per_curve


class OneFactor(TransformerMixin, BaseEstimator):
    """A scaler of one factor for everything."""

    def __init__(self, factor):
        self.factor = factor

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X * self.factor


SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    MinMaxScaler(),
    MinMaxScaler((-1, 1)),
    RobustScaler(),
    OneFactor(1e3),
    OneFactor(0.9),
]


@pytest.mark.parametrize("noise", ["gaussian", "rician"])
@pytest.mark.parametrize("law", ["reference", "wide"])
@pytest.mark.parametrize("n_curves", [5, 20, 200, 2000])
def test_curves_in_the_units_of_y_are_left_exactly_alone(n_curves, law, noise):
    for seed in range(8):
        X, y = make_dce_curves(n_curves, law=law, noise=noise, random_state=seed)
        unit_map = UnitMap.learn(X, y)
        assert unit_map.is_identity
        assert unit_map.to_y_units(X) is X


def test_pure_noise_and_noiseless_curves_are_left_exactly_alone():
    X, y = make_dce_curves(200, random_state=0)
    assert UnitMap.learn(y, y).is_identity
    assert UnitMap.learn(X - y, np.zeros_like(y)).is_identity
    assert UnitMap.learn(np.random.default_rng(0).normal(size=y.shape), y).is_identity


@pytest.mark.parametrize("law", ["reference", "wide"])
@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_affine_scalers_are_recovered_from_5000_pairs(scaler, law):
    time = 3.75 * np.arange(-4, 28)
    X, y = make_dce_curves(5000, time=time, law=law, random_state=0)
    scaled = scaler.fit_transform(X)
    zero = scaler.transform(np.zeros((1, X.shape[1])))[0]
    slope = scaler.transform(np.ones((1, X.shape[1])))[0] - zero
    unit_map = UnitMap.learn(scaled, y)
    # Before the bolus y is constant: there the noise is the ruler.
    assert (np.ptp(y, axis=0) == 0).sum() >= 4
    np.testing.assert_allclose(unit_map.slope, slope, rtol=0.03)
    error = unit_map.to_y_units(scaled) - X
    assert np.sqrt(np.mean(error**2)) < 0.05 * np.sqrt(np.mean((X - y) ** 2))


def test_small_sets_are_brought_near():
    X, y = make_dce_curves(60, random_state=0)
    back = UnitMap.learn(StandardScaler().fit_transform(X), y)
    error = back.to_y_units(StandardScaler().fit_transform(X)) - X
    assert np.sqrt(np.mean(error**2)) < 0.5 * np.sqrt(np.mean((X - y) ** 2))


def test_additive_noise_and_noiseless_pairs_are_recovered_as_well():
    rng = np.random.default_rng(0)
    y = make_dce_curves(2000, random_state=0)[1]
    for sd in (0.0, 0.05):
        X = y + sd * rng.normal(size=y.shape)
        unit_map = UnitMap.learn(3 * X - 1, y)
        varies = np.ptp(y, axis=0) > 0
        np.testing.assert_allclose(unit_map.slope[varies], 3, rtol=0.1)
        error = unit_map.to_y_units(3 * X - 1) - X
        assert np.abs(error[:, varies]).max() < 0.02 + sd


def test_float32_curves_stay_float32():
    X, y = make_dce_curves(500, random_state=0)
    X = np.float32(1000 * X)
    assert UnitMap.learn(X, y).to_y_units(X).dtype == np.float32


def test_scalers_in_front_of_a_denoiser_are_harmless():
    X, y = make_dce_curves(2000, random_state=0)
    X_new, y_new = make_dce_curves(1000, random_state=1)
    denoiser = DenoiserVanillaNL(
        width=0.25, kernel_size=5, max_steps=150, lr=5e-3, device="cpu", random_state=0
    )

    def rmse(estimator):
        return np.sqrt(np.mean((estimator.fit(X, y).transform(X_new) - y_new) ** 2))

    alone = rmse(denoiser)
    assert alone < 0.8 * np.sqrt(np.mean((X_new - y_new) ** 2))
    for scaler in (StandardScaler(), RobustScaler(), OneFactor(20.0)):
        assert rmse(make_pipeline(scaler, denoiser)) < 1.1 * alone


@pytest.mark.parametrize(
    "scale",
    [
        Normalizer("l2").transform,
        Normalizer("l1").transform,
        Normalizer("max").transform,
        lambda X: X / X.max(axis=1, keepdims=True),
        lambda X: (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True),
        lambda X: (X - X.min(axis=1, keepdims=True)) / np.ptp(X, axis=1, keepdims=True),
    ],
    ids=["l2", "l1", "max abs", "max", "z-score", "range"],
)
def test_scalers_with_a_factor_for_each_curve_warn(scale):
    X, y = make_dce_curves(100, random_state=0)
    with pytest.warns(UserWarning, match="factor of its own.*use the denoiser's scale='curve'"):
        warn_if_scaled_per_curve(scale(X), y)


@pytest.mark.parametrize("law", ["reference", "wide"])
def test_other_curves_do_not_warn(law):
    for n_curves in (1, 5, 12, 500):
        X, y = make_dce_curves(n_curves, law=law, random_state=0)
        warn_if_scaled_per_curve(X, y)
        warn_if_scaled_per_curve(np.zeros_like(X), y)
        if n_curves > 1:
            warn_if_scaled_per_curve(StandardScaler().fit_transform(X), y)
    # Where the clean curves were divided as well, their units are the same.
    size = np.abs(X).max(axis=1, keepdims=True)
    clean = y / np.abs(y).max(axis=1, keepdims=True)
    warn_if_scaled_per_curve(X / size, clean)


def test_the_warning_points_at_the_line_that_calls_fit():
    X, y = make_dce_curves(40, random_state=0)
    denoiser = DenoiserVanillaNL(width=0.125, max_epochs=1, device="cpu", random_state=0)
    with pytest.warns(UserWarning, match="factor of its own") as caught:
        denoiser.fit(Normalizer().transform(X), y)
    assert caught[0].filename == __file__
