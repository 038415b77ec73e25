"""The scaler and the signal step: round trips, closed forms, and scikit-learn's checks."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_dcedenoise.preprocessing import CurveScaler, SignalToConcentration

PROTOCOL = {"TR": 0.005, "flip_angle": 15.0, "r1": 4.5, "T10": 1.4, "n_baseline": 1}


@parametrize_with_checks([CurveScaler(), SignalToConcentration(**PROTOCOL)])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def curves():
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 8)) + np.arange(8)


def spgr(concentration, *, TR, flip_angle, r1, T10, scale=1.0):
    """The signal equation, written down once more."""
    E1 = np.exp(-TR * (1 / T10 + r1 * concentration))
    a = np.deg2rad(flip_angle)
    return scale * np.sin(a) * (1 - E1) / (1 - E1 * np.cos(a))


# CurveScaler


def test_scale_is_the_quantile_of_sizes(curves):
    sizes = np.sort(np.abs(curves).ravel())
    scaler = CurveScaler(quantile=0.75).fit(curves)
    # Between the order statistics on both sides of the quantile.
    assert sizes[299] <= scaler.scale_ <= sizes[300]
    assert CurveScaler(quantile=1).fit(-curves).scale_ == sizes[-1]
    np.testing.assert_array_equal(scaler.transform(curves), curves / scaler.scale_)


def test_wild_voxels_do_not_set_the_scale(curves):
    wild = curves.copy()
    wild[0] = 1e6
    assert CurveScaler().fit(wild).scale_ < 1.2 * CurveScaler().fit(curves).scale_


def test_zero_curves_have_scale_one(curves):
    assert CurveScaler().fit(np.zeros((3, 4))).scale_ == 1.0
    mostly_zero = np.zeros((30, 4))
    mostly_zero[0, 0] = -5.0
    assert CurveScaler().fit(mostly_zero).scale_ == 5.0


@settings(deadline=None, max_examples=50)
@given(
    X=arrays(np.float64, (4, 3), elements=st.floats(-1e100, 1e100)),
    factor=st.floats(1e-6, 1e6),
)
def test_round_trip_and_units(X, factor):
    X = np.where(np.abs(X) < 1e-100, 0, X)
    scaler = CurveScaler().fit(X)
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(X)), X, rtol=1e-15)
    if X.any():
        scaled = CurveScaler().fit_transform(factor * X)
        np.testing.assert_allclose(scaled, scaler.transform(X), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaler_keeps_dtype_and_input(curves, dtype):
    X = curves.astype(dtype)
    X.flags.writeable = False
    scaler = CurveScaler().fit(X)
    out = scaler.transform(X)
    back = scaler.inverse_transform(out)
    assert out.dtype == back.dtype == dtype
    np.testing.assert_allclose(back, X, rtol=2 * np.finfo(dtype).eps)
    assert type(scaler.scale_) is float
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(scaler)).transform(X), out)


def test_scaler_with_names(curves):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(curves, columns=[f"{t} s" for t in range(8)])
    scaler = CurveScaler().set_output(transform="pandas").fit(frame)
    out = scaler.transform(frame)
    assert list(out.columns) == list(frame.columns)
    # What a denoiser returns has no names, and is scaled back without a warning.
    np.testing.assert_allclose(scaler.inverse_transform(out.to_numpy()), curves, rtol=1e-15)


@pytest.mark.parametrize("quantile", [0, 1.5, -0.1, "rms", None, np.nan])
def test_bad_quantile(curves, quantile):
    with pytest.raises(ValueError, match=r"quantile=.* but expected a number above 0 and up to 1"):
        CurveScaler(quantile).fit(curves)


def test_scaler_refuses_nan_and_wrong_widths(curves):
    with pytest.raises(ValueError, match="NaN"):
        CurveScaler().fit(np.where(curves > 1, np.nan, curves))
    scaler = CurveScaler().fit(curves)
    with pytest.raises(ValueError, match="expecting 8 features"):
        scaler.transform(curves[:, :3])
    with pytest.raises(ValueError, match="X has 3 frames, but expected 8"):
        scaler.inverse_transform(curves[:, :3])


# SignalToConcentration


def test_concentrations_of_simulated_signals():
    rng = np.random.default_rng(0)
    true = np.concatenate([np.zeros((20, 3)), rng.uniform(-0.05, 5, size=(20, 9))], axis=1)
    protocol = {"TR": 0.004, "flip_angle": 20.0, "r1": 4.0, "T10": 1.2}
    signal = spgr(true, **protocol, scale=rng.uniform(1, 1e4, size=(20, 1)))
    step = SignalToConcentration(**protocol, n_baseline=3)
    np.testing.assert_allclose(step.fit_transform(signal), true, atol=1e-9)
    relative = signal / signal[:, :1]
    np.testing.assert_allclose(step.inverse_transform(true), relative, rtol=1e-12)
    assert (true < 0).any()


def test_reference_tissue_per_curve():
    T10, angle = np.array([0.8, 1.4, 2.0]), np.array([10.0, 15.0, 20.0])
    true = np.tile([0.0, 0.0, 0.5, 2.0], (3, 1))
    signal = spgr(true, TR=0.005, r1=4.5, T10=T10[:, None], flip_angle=angle[:, None])
    step = SignalToConcentration(TR=0.005, flip_angle=angle, r1=4.5, T10=T10, n_baseline=2)
    np.testing.assert_allclose(step.fit_transform(signal), true, atol=1e-10)
    np.testing.assert_allclose(step.inverse_transform(true), signal / signal[:, :1], rtol=1e-12)
    with pytest.raises(ValueError, match="flip_angle has shape"):
        step.transform(signal[:2])


def test_frames_left_out_of_the_baseline():
    true = np.array([[0.0, 0.0, 0.0, 1.0]])
    tissue = {name: PROTOCOL[name] for name in ("TR", "flip_angle", "r1", "T10")}
    signal = spgr(true, **tissue)
    signal[:, 0] *= 1.5
    step = SignalToConcentration(**tissue, n_baseline=3, n_skip=1)
    np.testing.assert_allclose(step.fit_transform(signal)[:, 1:], true[:, 1:], atol=1e-10)


def test_no_answer_is_nan_and_the_shape_stays():
    signal = np.array(
        [
            [1.0, 0.9, 2.0],  # below the baseline: negative, and kept
            [1.0, np.nan, 2.0],
            [1.0, 1e6, 2.0],  # no concentration is that bright
            [0.0, 1.0, 2.0],  # no baseline
            [-1.0, 1.0, 2.0],
        ]
    )
    out = SignalToConcentration(**PROTOCOL).fit_transform(signal)
    assert out.shape == signal.shape
    expected = [[0, 0, 0], [0, 1, 0], [0, 1, 0], [1, 1, 1], [1, 1, 1]]
    np.testing.assert_array_equal(np.isnan(out), expected)
    assert out[0, 1] < 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_signal_step_keeps_dtype_and_input(dtype):
    signal = np.array([[1.0, 1.1, 3.0]], dtype=dtype)
    signal.flags.writeable = False
    step = SignalToConcentration(**PROTOCOL).fit(signal)
    out = step.transform(signal)
    assert out.dtype == step.inverse_transform(out).dtype == dtype
    np.testing.assert_allclose(step.inverse_transform(out), signal, rtol=1e-5)


def test_steps_compose():
    signal = np.array([[1.0, 1.1, 3.0], [2.0, 2.2, 5.0]])
    pipe = make_pipeline(SignalToConcentration(**PROTOCOL), CurveScaler()).fit(signal)
    np.testing.assert_allclose(
        pipe.inverse_transform(pipe.transform(signal)), signal / signal[:, :1], rtol=1e-12
    )
    assert list(pipe.get_feature_names_out()) == ["x0", "x1", "x2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TR": 0.0}, "TR=0.0, but expected"),
        ({"r1": -4.5}, "r1=-4.5, but expected"),
        ({"n_baseline": 4}, "n_baseline=4 and n_skip=0 for 3 frames"),
        ({"n_baseline": 0}, "n_baseline=0"),
        ({"n_baseline": 2, "n_skip": 2}, "n_skip=2"),
    ],
)
def test_bad_protocols(change, message):
    with pytest.raises(ValueError, match=message):
        SignalToConcentration(**{**PROTOCOL, **change}).fit(np.ones((2, 3)))


def test_signal_step_refuses_infinity_and_wrong_widths():
    step = SignalToConcentration(**PROTOCOL).fit(np.ones((2, 3)))
    with pytest.raises(ValueError, match="infinity"):
        step.transform([[1.0, np.inf, 1.0]])
    with pytest.raises(ValueError, match="X has 2 frames, but expected 3"):
        step.inverse_transform(np.ones((2, 2)))
