"""Hostile files are refused, and nothing in them runs."""

import os
import pickle

import joblib
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_networks import SMALL
from spoiling import spoil

from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.persistence import load, save

TIME = 3.75 * np.arange(32)
X, Y = make_dce_curves(60, random_state=0)
NETWORK = SMALL[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(path):
    """File of a small network, for tests to spoil."""
    save(clone(NETWORK).fit(X, Y), path)
    return path


# ---- files of other programs, damaged files --------------------------------------------------


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


# ---- files whose content was changed ---------------------------------------------------------


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
