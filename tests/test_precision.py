"""Options of speed: layers in bfloat16, and networks that torch compiles."""

import pickle
import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sk_dcedenoise import denoisers
from sk_dcedenoise.datasets import make_dce_curves

X, Y = make_dce_curves(200, random_state=0)
SMALL = {
    "DRNN": {"hidden_size": 8},
    "LSTM": {"hidden_size": 8},
    "CNN": {"n_filters": 8, "kernel_size": 5},
    "FCNDAE": {"kernel_size": 5},
    "EncoderDecoder": {"width": 0.125, "kernel_size": 5},
    "VanillaNL": {"width": 0.25, "kernel_size": 5},
    "ResCNN": {"channels": 8, "middle_channels": 4, "n_blocks": 1},
}
REFUSED = "cannot compute the layers of Denoiser(DRNN|LSTM) in bfloat16"
seven = pytest.mark.parametrize("name", SMALL)


def small(name, **params):
    estimator = getattr(denoisers, f"Denoiser{name}")
    settings = {"max_steps": 20, "device": "cpu", "guard": None, "random_state": 0}
    return estimator(**SMALL[name], **settings, **params)


def unless_refused(work, *args):
    """The result of some work, or a skip where the CPU has no recurrent layers in bfloat16."""
    try:
        return work(*args)
    except ValueError as error:
        assert re.search(REFUSED, str(error))
        pytest.skip("this CPU computes no recurrent layers in bfloat16")


@seven
def test_half_the_digits_give_almost_the_same_curves(name):
    fit = small(name).fit(X, Y)
    exact = fit.transform(X)
    rounded = unless_refused(fit.set_params(mixed_precision=True).transform, X)
    assert rounded.dtype == X.dtype
    assert not np.array_equal(rounded, exact)
    # bfloat16 keeps 8 bits.
    assert np.sqrt(np.mean((rounded - exact) ** 2)) < 0.02 * np.sqrt(np.mean(exact**2))


@seven
def test_trains_with_half_the_digits_on_whole_weights(name):
    fit = unless_refused(small(name, mixed_precision=True).fit, X, Y)
    assert all(p.dtype == torch.float32 for p in fit.module_.parameters())
    assert fit.history[-1, "train_loss"] < fit.history[0, "train_loss"] or len(fit.history) < 3
    assert np.isfinite(fit.transform(X)).all()


# The compiler proper needs minutes and a C++ compiler; all but its last stage is tested.
COMPILED = {"compile": True, "compile__backend": "eager"}


def test_compiled_networks_do_the_same():
    torch._dynamo.reset()
    plain, compiled = small("VanillaNL").fit(X, Y), small("VanillaNL", **COMPILED).fit(X, Y)
    assert compiled.module_._compiled_call_impl is not None
    assert_allclose(compiled.transform(X), plain.transform(X), rtol=1e-4, atol=1e-5)


def test_compiled_networks_pickle_clone_and_keep_the_names_of_weights():
    torch._dynamo.reset()
    fit = small("VanillaNL", **COMPILED).fit(X, Y)
    again = pickle.loads(pickle.dumps(fit))
    assert again.module_._compiled_call_impl is not None
    assert_array_equal(again.transform(X), fit.transform(X))
    assert list(fit.module_.state_dict()) == list(small("VanillaNL").fit(X, Y).module_.state_dict())
    assert clone(fit).get_params()["compile__backend"] == "eager"
