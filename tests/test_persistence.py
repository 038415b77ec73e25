"""Saved estimators come back bit for bit, and what cannot be saved is refused."""

import json
import os
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from small_networks import FAST, SMALL, name_of
from spoiling import spoil
from torch import nn

from sk_dcedenoise.baselines import (
    IdentityDenoiser,
    LinearMMSEDenoiser,
    PCADenoiser,
    PosteriorMeanDenoiser,
    SavitzkyGolayDenoiser,
    ToftsResimulator,
    WaveletDenoiser,
)
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import DenoiserDRNN, DenoiserResCNN, DenoiserVanillaNL
from sk_dcedenoise.denoisers._losses import SSDMADLoss
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.persistence import _file, _values, load, save
from sk_dcedenoise.preprocessing import CurveScaler, SignalToConcentration
from sk_dcedenoise.semisynthetic import SemiSyntheticDenoiser

TIME = 3.75 * np.arange(32)
X, Y = make_dce_curves(60, random_state=0)
# What a file has to keep beside weights: another scale, a loss with a setting, names with "__".
CHANGED = {
    DenoiserDRNN: {"scale": "curve"},
    DenoiserVanillaNL: {"criterion": SSDMADLoss(max_weight=10.0)},
    DenoiserResCNN: {"n_blocks": 2, "optimizer__weight_decay": 1e-4},
}
NETWORKS = [clone(network).set_params(**CHANGED.get(type(network), {})) for network in SMALL]
OTHERS = [
    IdentityDenoiser(),
    LinearMMSEDenoiser(),
    PCADenoiser(n_components=4),
    PosteriorMeanDenoiser(noise_levels=[0.1, 0.2]),
    SavitzkyGolayDenoiser(),
    ToftsResimulator(ToftsTransformer(TIME)),
    ToftsTransformer(TIME.tolist(), aif=(TIME, np.exp(-TIME / 60)), bounds={"vp": (0.0, 0.5)}),
    SemiSyntheticDenoiser(NETWORKS[5], time=TIME, delay=[0.0, 5.0], n_pairs=90, random_state=0),
    CurveScaler(quantile=np.float64(0.9)),
    SignalToConcentration(TR=0.005, flip_angle=15, r1=4.5, T10=np.full(60, 1.4), n_baseline=2),
    StandardScaler(with_mean=False),
    MinMaxScaler((-1, 1)),
    RobustScaler(),
    MaxAbsScaler(),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(path):
    """File of a small network, for tests to spoil."""
    save(NETWORKS[0].fit(X, Y), path)
    return path


def there_and_back(estimator, path):
    save(estimator, path)
    return load(path)


# ---- round trips -----------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", NETWORKS + OTHERS, ids=name_of)
def test_result_is_the_same_to_the_last_bit(estimator, path):
    fitted = clone(estimator).fit(X, Y)
    opened = there_and_back(fitted, path)
    expected, found = fitted.transform(X), opened.transform(X)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    assert repr(opened) == repr(fitted)
    assert opened.n_features_in_ == 32


@pytest.mark.parametrize("denoiser", NETWORKS, ids=name_of)
def test_pipeline_is_the_same_to_the_last_bit(denoiser, path):
    steps = StandardScaler(), clone(denoiser), ToftsTransformer(TIME)
    fitted = make_pipeline(*steps).fit(X.astype(np.float32), Y)
    opened = there_and_back(fitted, path)
    assert list(opened.named_steps) == list(fitted.named_steps)
    for curves in (X, X.astype(np.float32)):
        np.testing.assert_array_equal(opened.transform(curves), fitted.transform(curves))


def test_pipeline_with_every_kind_of_step(path):
    frozen = FrozenEstimator(clone(NETWORKS[5]).fit(X, Y))
    inner = make_pipeline(CurveScaler(), "passthrough", PCADenoiser())
    fitted = make_pipeline(inner, frozen).fit(X, Y)
    np.testing.assert_array_equal(there_and_back(fitted, path).transform(X), fitted.transform(X))


def test_wavelet_denoiser_comes_back(path):
    pytest.importorskip("pywt", reason="PyWavelets is not installed")
    fitted = WaveletDenoiser(level=1).fit(X)
    np.testing.assert_array_equal(there_and_back(fitted, path).transform(X), fitted.transform(X))


def test_posterior_mean_keeps_parameters(path):
    curves, clean, params = make_dce_curves(50, random_state=0, return_params=True)
    kinetic = {name: params[name] for name in ("Ktrans", "vp")}
    fitted = PosteriorMeanDenoiser(0.1).fit(curves, clean, params=kinetic)
    found = there_and_back(fitted, path).predict_params(X)
    np.testing.assert_array_equal(found.vp, fitted.predict_params(X).vp)


@pytest.mark.parametrize("denoiser", NETWORKS, ids=name_of)
def test_opened_network_goes_on(denoiser, path):
    fitted = clone(denoiser).fit(X, Y)
    opened = there_and_back(fitted, path)
    assert opened.n_iter_ == 2
    assert opened.history[-1, "train_loss"] == fitted.history[-1, "train_loss"]
    again = pickle.loads(pickle.dumps(opened))
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
    np.testing.assert_array_equal(clone(opened).fit(X, Y).transform(X), fitted.transform(X))
    opened.partial_fit(X, Y)
    assert opened.n_iter_ == 4
    assert np.isfinite(opened.transform(X)).all()
    assert not np.array_equal(opened.transform(X), fitted.transform(X))


def test_random_numbers_go_on_where_they_were(path):
    plain = {"optimizer": torch.optim.SGD, "max_epochs": 2, "device": "cpu", "lr": 0.01}
    fitted = DenoiserVanillaNL(width=0.25, random_state=0, **plain).fit(X, Y)
    opened = there_and_back(fitted, path)
    # Plain gradient descent has no state of its own, so both must go the same way.
    np.testing.assert_array_equal(
        opened.partial_fit(X, Y).transform(X), fitted.partial_fit(X, Y).transform(X)
    )


def test_names_and_output_of_data_frames(path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(X, columns=[f"t{i}" for i in range(32)])
    fitted = make_pipeline(StandardScaler(), clone(NETWORKS[5])).set_output(transform="pandas")
    opened = there_and_back(fitted.fit(frame, Y), path)
    assert list(opened.feature_names_in_) == list(frame)
    pandas.testing.assert_frame_equal(opened.transform(frame), fitted.transform(frame))


def test_device_that_is_not_here(saved):
    def from_another_machine(content, arrays):
        content["estimator"]["params"]["device"] = "cuda:7"

    spoil(saved, from_another_machine)
    with pytest.warns(UserWarning, match="cuda:7.*opens on the CPU"):
        opened = load(saved)
    assert opened.device == "cpu"
    np.testing.assert_array_equal(opened.transform(X), NETWORKS[0].transform(X))


@pytest.mark.gpu
def test_trained_on_cuda_opens_on_cpu(path, monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    fitted = clone(NETWORKS[5]).set_params(device="cuda").fit(X, Y)
    save(fitted, path)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.warns(UserWarning, match="opens on the CPU"):
        opened = load(path)
    np.testing.assert_allclose(opened.transform(X), fitted.transform(X), rtol=1e-4, atol=1e-5)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ARRAYS = st_numpy.arrays(
    st.sampled_from(["f4", "f8", "i8", "u4", "?"]), st_numpy.array_shapes(min_dims=0, max_dims=2)
)


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        PLAIN | ARRAYS,
        lambda v: st.lists(v) | st.tuples(v, v) | st.dictionaries(st.text(), v),
        max_leaves=8,
    )
)
def test_every_value_survives_coding(value):
    arrays = _file.ArraysWritten()
    coded = json.loads(json.dumps(_values.encode(value, arrays, "v"), allow_nan=False))
    reader = _file.ArraysRead(dict(arrays))
    assert_same(_values.decode(coded, reader), value)
    reader.check_all_used()


def assert_same(found, expected):
    if isinstance(expected, (list, tuple)):
        assert type(found) is type(expected) and len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        assert_same(list(found.values()), list(expected.values()))
    else:
        assert np.asarray(found).dtype == np.asarray(expected).dtype
        np.testing.assert_array_equal(found, expected)


# ---- what cannot be saved --------------------------------------------------------------------


def plasma(seconds):
    return np.exp(-seconds / 60)


class OwnDenoiser(DenoiserVanillaNL):
    pass


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (ToftsTransformer(TIME, aif=plasma), "aif is <function plasma"),
        (FunctionTransformer(), "is a FunctionTransformer, but expected one of"),
        (make_pipeline(FunctionTransformer()), "functiontransformer is a FunctionTransformer"),
        (OwnDenoiser(**FAST), "is a OwnDenoiser"),
        (DenoiserVanillaNL(criterion=nn.CosineEmbeddingLoss, max_epochs=0), "criterion is <class"),
    ],
)
def test_refuses_to_save(estimator, message, path):
    if isinstance(estimator, DenoiserVanillaNL):
        fitted = clone(NETWORKS[5]).fit(X, Y)
        vars(estimator).update({k: v for k, v in vars(fitted).items() if k not in vars(estimator)})
    else:
        estimator.fit(X, Y)
    with pytest.raises(ValueError, match=message):
        save(estimator, path)
    assert not path.exists()


def test_refuses_unfitted(path):
    with pytest.raises(NotFittedError):
        save(DenoiserVanillaNL(), path)


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def full_disk(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save(NETWORKS[0], saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_whoever_may_read_new_files_may_read_this_one(path):
    save(NETWORKS[0], path)
    ordinary = path.with_name("ordinary")
    ordinary.touch()
    assert path.stat().st_mode == ordinary.stat().st_mode
