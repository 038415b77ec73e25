"""Values as JSON: plain ones, arrays by name, and a list of objects told by their arguments."""

import inspect
import math

import numpy as np
import torch
from torch import nn

from sk_dcedenoise._guard._expected import Expected
from sk_dcedenoise._guard._guard import Guard
from sk_dcedenoise._guard._judge import Judge
from sk_dcedenoise._guard._law_mean import LawMean
from sk_dcedenoise._guard._perceptron import Perceptron
from sk_dcedenoise._noise import NoiseLaw
from sk_dcedenoise.denoisers._losses import SSDMADLoss
from sk_dcedenoise.denoisers._units import UnitMap
from sk_dcedenoise.semisynthetic import SemiSyntheticLaw
from sk_dcedenoise.semisynthetic._simulator import Simulator
from sk_dcedenoise.semisynthetic._tissue import TissueLaw

_LOSSES = {
    f"torch.nn.{loss.__name__}": loss
    for loss in (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss)
} | {"sk_dcedenoise.SSDMADLoss": SSDMADLoss}
_OPTIMIZERS = {
    f"torch.optim.{name}": getattr(torch.optim, name)
    for name in ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "NAdam", "RAdam",
                 "RMSprop", "SGD")
}  # fmt: skip
_TYPES = _LOSSES | _OPTIMIZERS
# Objects that keep each argument of their constructor under its own name.
_OBJECTS = _LOSSES | {
    f"sk_dcedenoise.{known.__name__}": known
    for known in (
        Expected,
        Guard,
        Judge,
        LawMean,
        NoiseLaw,
        Perceptron,
        SemiSyntheticLaw,
        Simulator,
        TissueLaw,
        UnitMap,
    )
}
_NAMES = {known: name for name, known in (_TYPES | _OBJECTS).items()}


def encode(value, arrays, name):
    """Return `value` as JSON knows it; anything beyond plain values is a dict of one key.

    Parameters
    ----------
    value : object
        A parameter or a learned attribute.
    arrays : ArraysWritten
        Takes the arrays in it.
    name : str
        What arrays and errors are called by.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return _encode_array(value, arrays, name)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, (list, tuple)):
        items = [encode(item, arrays, f"{name}.{i}") for i, item in enumerate(value)]
        return {type(value).__name__ if type(value) in (list, tuple) else "tuple": items}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {k: encode(item, arrays, f"{name}.{k}") for k, item in value.items()}}
    if isinstance(value, np.random.RandomState):
        return {"random_state": _encode_random_state(value, arrays, name)}
    if isinstance(value, type) and value in _TYPES.values():
        return {"type": _NAMES[value]}
    if type(value) in _OBJECTS.values():
        return {"object": [_NAMES[type(value)], encode(_arguments(value), arrays, name)]}
    raise ValueError(
        f"{name} is {value!r}, but expected a number, text, an array, or a loss or optimiser of "
        "PyTorch's: a file holds no other objects and no functions."
    )


def decode(coded, arrays):
    """Return the value that :func:`encode` has coded."""
    if coded is None or isinstance(coded, (bool, str, int, float)):
        return coded
    kind, content = _only_item(coded)
    if kind == "array":
        array = arrays.take(content)
        return array[()] if array.ndim == 0 else array
    if kind == "transposed":
        return decode(content, arrays).T
    if kind == "texts":
        return np.array(_checked(content, list, str), dtype=object)
    if kind == "float":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
    if kind in ("list", "tuple"):
        items = [decode(item, arrays) for item in _checked(content, list)]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {key: decode(item, arrays) for key, item in _checked(content, dict).items()}
    if kind == "random_state":
        return _decode_random_state(content, arrays)
    if kind == "type":
        return _TYPES[content]
    if kind == "object":
        name, arguments = _checked(content, list)
        return _OBJECTS[name](**decode(arguments, arrays))
    raise ValueError(f"{kind!r} is no kind of value")


def _encode_array(value, arrays, name):
    if value.dtype == object or value.dtype.kind == "U":
        texts = value.tolist()
        if value.ndim == 1 and all(isinstance(text, str) for text in texts):
            return {"texts": texts}
    # The order in memory decides the last bit of matrix products, so it is kept.
    if value.ndim == 2 and value.strides[0] < value.strides[1]:
        return {"transposed": arrays.put(name, value.T)}
    return arrays.put(name, value)


def _arguments(value):
    names = inspect.signature(type(value)).parameters
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _encode_random_state(state, arrays, name):
    kind, keys, position, has_gauss, gauss = state.get_state()
    if kind != "MT19937":
        raise ValueError(
            f"{name} is a generator of kind {kind}, but expected MT19937: give a seed."
        )
    return [arrays.put(f"{name}.keys", keys), int(position), int(has_gauss), float(gauss)]


def _decode_random_state(content, arrays):
    keys, position, has_gauss, gauss = _checked(content, list)
    keys = decode(keys, arrays)
    # numpy trusts the position, and would read beyond the keys.
    if keys.shape != (624,) or keys.dtype != np.uint32 or not 0 <= int(position) <= 624:
        raise ValueError("the state of the random numbers is none")
    state = np.random.RandomState(0)
    state.set_state(("MT19937", keys, int(position), int(bool(has_gauss)), float(gauss)))
    return state


def _only_item(coded):
    (item,) = _checked(coded, dict).items()
    return item


def _checked(value, kind, of=object):
    if not isinstance(value, kind) or not all(isinstance(item, of) for item in value):
        raise ValueError(f"{type(value).__name__} stands where a {kind.__name__} is expected")
    return value
