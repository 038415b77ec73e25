"""Saved estimators come back bit for bit; hostile files are refused and nothing in them runs."""

import json
import os
import pickle

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from safetensors import safe_open
from safetensors.numpy import save_file
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


# ---- hostile files ---------------------------------------------------------------------------


def spoil(path, change):
    """Change content and arrays of a file, with a checksum that is right again."""
    with safe_open(path, framework="np") as opened:
        content = json.loads(opened.metadata()["sk_dcedenoise"])
        arrays = {name: np.array(opened.get_tensor(name)) for name in opened.keys()}  # noqa: SIM118
    content.pop("sha256")
    change(content, arrays)
    content["sha256"] = _file._digest(content, arrays)
    save_file(arrays, path, metadata={"sk_dcedenoise": json.dumps(content)})


class Bomb:
    """An object that makes a file when it is unpickled."""

    def __init__(self, crater):
        self.crater = crater

    def __reduce__(self):
        return open, (str(self.crater), "w")


@pytest.mark.parametrize("dump", [pickle.dump, joblib.dump, torch.save])
def test_pickle_bombs_do_not_go_off(dump, tmp_path, path):
    crater = tmp_path / "crater"
    with open(path, "wb") as opened:
        dump({"weights": Bomb(crater)}, opened)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        load(path)
    assert not crater.exists()


@pytest.mark.parametrize("kept", [0, 4, 8, 100, 0.5, 0.99, -1])
def test_truncated(saved, kept):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(ValueError, match=r"damaged or no safetensors|announces a header"):
        load(saved)


def test_one_flipped_bit_anywhere(saved):
    whole = saved.read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(len(whole), size=40):
        spoiled = bytearray(whole)
        spoiled[at] ^= 1 << int(rng.integers(8))
        saved.write_bytes(spoiled)
        with pytest.raises(ValueError, match=r"model\.safetensors"):
            load(saved)


def test_foreign_safetensors(path):
    save_file({"weight": np.zeros(3)}, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match="holds arrays of another program"):
        load(path)


def test_announced_and_real_size(saved):
    with pytest.raises(ValueError, match="expected at most 1000: raise max_bytes"):
        load(saved, max_bytes=1000)
    whole = saved.read_bytes()
    saved.write_bytes((2**60).to_bytes(8, "little") + whole[8:])
    with pytest.raises(ValueError, match="announces a header"):
        load(saved)


def test_not_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ValueError, match="is not a regular file"):
            load(other)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")


def test_wrong_version(saved):
    for version in (2, "1", None, [1]):
        spoil(saved, lambda content, arrays, v=version: content.update(format=v))
        with pytest.raises(ValueError, match=r"is in format .*, but expected format 1"):
            load(saved)


def test_deeply_nested_header(saved):
    with safe_open(saved, framework="np") as opened:
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    save_file(arrays, saved, metadata={"sk_dcedenoise": "[" * 200_000})
    with pytest.raises(ValueError, match="header that cannot be read"):
        load(saved)


def estimator_of(content):
    return content["estimator"]


def learned_of(content):
    return content["estimator"]["network"]["learned"]


def set_param(name, value):
    return lambda content, arrays: estimator_of(content)["params"].update({name: value})


def set_learned(name, value):
    return lambda content, arrays: learned_of(content).update({name: value})


def set_class(name):
    return lambda content, arrays: estimator_of(content).update({"class": name})


def reshaped(content, arrays):
    arrays["module_.dense.0.weight"] = np.ascontiguousarray(arrays["module_.dense.0.weight"].T)


def other_type(content, arrays):
    arrays["module_.dense.0.bias"] = arrays["module_.dense.0.bias"].astype(np.float64)


def without(name):
    return lambda content, arrays: arrays.pop(name)


def stowaway(content, arrays):
    arrays["../../etc/passwd"] = np.zeros(3)


def longer_units(content, arrays):
    arrays["unit_map_.shift"] = np.zeros(33)


def broadcasting_units(content, arrays):
    arrays["unit_map_.slope"] = np.ones(1)


def position_beyond_the_keys(content, arrays):
    learned_of(content)["rng_"]["random_state"][1] = 10**6


def nested_many_times(content, arrays):
    deep = 1.0
    for _ in range(300):
        deep = {"list": [deep]}
    estimator_of(content)["params"]["lr"] = deep


def set_frames(**entries):
    return lambda content, arrays: estimator_of(content).update(entries)


def nothing(content, arrays):
    content["estimator"] = None


HOSTILE = {
    "class from a module": (set_class("os.system"), "'os.system' is no class"),
    "class by a path": (set_class("../../tmp/evil.py"), "is no class"),
    "class by a dotted path": (set_class("sklearn.pipeline.Pipeline"), "is no class"),
    "class that is private": (set_class("BaseDenoiser"), "is no class"),
    "class of no name": (set_class(["DenoiserDRNN"]), "is no class"),
    "another class": (set_class("DenoiserVanillaNL"), "unexpected parameter"),
    "callbacks": (set_param("callbacks", {"list": []}), "'callbacks' is no parameter"),
    "callback parameter": (set_param("callbacks__cp__dirname", "/tmp"), "is no parameter"),
    "iterator": (set_param("iterator_train__num_workers", 1000), "is no parameter"),
    "module by name": (set_param("module", "os"), "unexpected parameter 'module'"),
    "dunder parameter": (set_param("__class__", "os"), "is no parameter"),
    "unknown parameter": (set_param("hidden_sizes", 8), "unexpected parameter"),
    "optimizer by name": (set_param("optimizer", {"type": "torch.hub.load"}), "torch.hub.load"),
    "optimizer as text": (set_param("optimizer", "__import__('os')"), "not a callable"),
    "loss by name": (
        set_param("criterion", {"object": ["os.system", {"dict": {}}]}), "'os.system'"
    ),
    "loss with odd arguments": (
        set_param("criterion", {"object": ["torch.nn.MSELoss", {"dict": {"evil": "sum"}}]}), "evil"
    ),
    "kind of value": (set_param("lr", {"eval": "1e-3"}), "'eval' is no kind of value"),
    "two kinds of value": (set_param("lr", {"float": "inf", "list": []}), "too many values"),
    "deep nesting": (nested_many_times, "not supported|recursion"),
    "layers without end": (set_param("n_dense", 60_000), "more layers than weights"),
    "more layers than memory": (set_param("n_dense", 10**12), "n_dense=1000000000000"),
    "layers wider than memory": (set_param("hidden_size", 60_000), "has shape"),
    "width of no number": (set_param("hidden_size", {"float": "nan"}), "hidden_size"),
    "device of no kind": (set_param("device", "/dev/sda"), "device"),
    "frames": (set_frames(n_frames=10**12), "a curve of 1000000000000 frames"),
    "frames as text": (set_frames(n_frames="32"), "a curve of '32' frames"),
    "names of other frames": (set_frames(frames=["a"]), "1 names of 32 frames"),
    "weights transposed": (reshaped, "weight dense.0.weight has shape"),
    "weights of another type": (other_type, "torch.float64"),
    "weights missing": (without("module_.lstm.weight_ih_l0"), "is missing"),
    "array missing": (without("noise_law_.levels"), "is missing"),
    "array too many": (stowaway, "belongs to nothing"),
    "units of other frames": (longer_units, "of another length"),
    "units that broadcast": (broadcasting_units, "of another length"),
    "method learned": (set_learned("transform", "evil"), "transform cannot be learned"),
    "class learned": (set_learned("__class__", "evil"), "__class__ cannot be learned"),
    "module learned": (set_learned("module_", 1.0), "module_ cannot be learned"),
    "scale of no size": (set_learned("scale_", 0.0), "scale_=0.0"),
    "scale as text": (set_learned("scale_", "1"), "not supported"),
    "random state": (position_beyond_the_keys, "state of the random numbers is none"),
    "no random state": (set_learned("rng_", None), "is no state of random numbers"),
    "nothing in it": (nothing, "not subscriptable"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused(change, reason, saved, tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("a file made something run")

    spoil(saved, change)
    for runner in ("system", "popen", "execv", "fork"):
        monkeypatch.setattr(os, runner, never)
    with pytest.raises(
        ValueError, match=rf"model\.safetensors.*({reason}).*but expected"
    ) as caught:
        load(saved)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == [saved.name]


def steps_of(content):
    return content["estimator"]["steps"]


def scale_of_other_frames(content, arrays):
    arrays["standardscaler.mean_"] = np.zeros(5)


def scale_of_texts(content, arrays):
    steps_of(content)[0][1]["learned"]["mean_"] = {"texts": ["a"] * 32}
    del arrays["standardscaler.mean_"]


def centuries(content, arrays):
    arrays["toftstransformer.time"] = arrays["toftstransformer.time"] * 1e9


def decades_of_delay(content, arrays):
    steps_of(content)[1][1]["params"]["delay"] = {"tuple": [-1e10, 0.0]}


def time_backwards(content, arrays):
    arrays["toftstransformer.time"] = arrays["toftstransformer.time"][::-1].copy()


def memory(content, arrays):
    steps_of(content)[0][1]["params"]["memory"] = "/tmp/evil"


def same_names(content, arrays):
    steps_of(content)[0][0] = steps_of(content)[1][0]


def name_with_parts(content, arrays):
    steps_of(content)[0][0] = ["a"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (scale_of_other_frames, r"mean_ has shape \(5,\)"),
        (scale_of_texts, "mean_ has shape"),
        (centuries, "time beyond"),
        (decades_of_delay, "delay beyond"),
        (time_backwards, "strictly increasing"),
        (memory, "'memory' is no parameter"),
        (same_names, "not different texts"),
        (name_with_parts, "unhashable"),
    ],
)
def test_hostile_pipelines_are_refused(change, reason, path):
    save(make_pipeline(StandardScaler(), ToftsTransformer(TIME)).fit(X, Y), path)
    spoil(path, change)
    with pytest.raises(ValueError, match=reason):
        load(path)
