"""Trained networks as records, and the checks before one is built from a file."""

import re

import numpy as np
import torch
from skorch.history import History
from torch.overrides import TorchFunctionMode

from sk_dcedenoise.persistence._values import decode, encode

# Whole numbers that a network's layers are built from; far beyond what anybody trains.
_MOST = 65_536
_PREFIXES = ("optimizer__", "criterion__", "module__")
# Made anew by `initialize`, or of the run and not of the model, or kept in a form of its own.
_NOT_LEARNED = {
    "module_", "criterion_", "optimizer_", "callbacks_", "budget_", "init_context_",
    "n_features_in_", "feature_names_in_",
}  # fmt: skip
_LEARNED_NAME = re.compile("[a-z][a-z0-9_]*[a-z0-9]_")


def is_kept(name):
    """Whether a file holds this parameter of a network."""
    return name != "callbacks" and ("__" not in name or name.startswith(_PREFIXES))


def describe_network(denoiser, arrays, path):
    """Return what a denoiser has learned as a record, its weights among `arrays`."""
    weights = denoiser.module_.state_dict()
    return {
        "weights": {
            name: arrays.put(f"{path}module_.{name}", tensor.detach().cpu().numpy())
            for name, tensor in weights.items()
        },
        "learned": {
            name: encode(value, arrays, path + name)
            for name, value in vars(denoiser).items()
            if _is_learned(denoiser, name)
        },
        "history": [_numbers(row) for row in denoiser.history],
    }


def _is_learned(denoiser, name):
    # What has a default on the class is skorch's.
    elsewhere = name in _NOT_LEARNED or hasattr(type(denoiser), name)
    return bool(_LEARNED_NAME.fullmatch(name)) and not elsewhere


def rebuild_network(denoiser, n_frames, record, arrays):
    """Turn an unfitted denoiser into the one that a record describes."""
    weights = {k: torch.as_tensor(decode(v, arrays)) for k, v in record["weights"].items()}
    learned = {name: decode(value, arrays) for name, value in record["learned"].items()}
    denoiser.n_features_in_ = n_frames
    _check_weights(denoiser, weights)
    _check_learned(denoiser, learned, n_frames)
    denoiser.initialize()
    denoiser.module_.load_state_dict(weights)
    vars(denoiser).update(learned)
    denoiser.history_ = History(_numbers(row) for row in record["history"])
    # What has slipped through the checks above fails here and not in the user's hands.
    denoiser.transform(np.zeros((1, n_frames)))


def _check_weights(denoiser, weights):
    """Raise unless the network of these parameters has weights of just these names and shapes.

    It is built without memory for its weights, since a file may ask for any size; with them it is
    only built where the file has as many bytes.
    """
    settings = denoiser.get_params_for("module")
    for name, value in settings.items():
        if isinstance(value, int) and abs(value) > _MOST:
            raise ValueError(f"{name}={value}")
    with torch.device("meta"), _AtMost(1000 + 100 * len(weights)):
        expected = denoiser.module(**settings).state_dict()
    if list(expected) != list(weights):
        raise ValueError("weights of another network")
    for name, tensor in expected.items():
        found = weights[name]
        if tensor.shape != found.shape or tensor.dtype != found.dtype:
            raise ValueError(f"weight {name} has shape {tuple(found.shape)} of {found.dtype}")


class _AtMost(TorchFunctionMode):
    """Let only so many operations pass: a network of a million layers is no saved one."""

    def __init__(self, n_operations):
        super().__init__()
        self.left = n_operations

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.left -= 1
        if self.left < 0:
            raise ValueError("more layers than weights")
        return function(*args, **(kwargs or {}))


def _check_learned(denoiser, learned, n_frames):
    for name in learned:
        if not _is_learned(denoiser, name):
            raise ValueError(f"{name} cannot be learned")
    units, law = learned["unit_map_"], learned["noise_law_"]
    good = units.shift.shape == units.slope.shape == (n_frames,)
    good &= law.levels.ndim == 1 and law.levels.size > 0
    good &= law.factor is None or law.factor.shape == (n_frames, n_frames)
    guard = learned["guard_"]
    good &= guard is None or guard.has_shapes_for(n_frames)
    if not good:
        raise ValueError("units, noise or guard of curves of another length")
    if not isinstance(learned["rng_"], np.random.RandomState):
        raise ValueError("rng_ is no state of random numbers")
    if not 0 < learned["scale_"] < float("inf"):
        raise ValueError(f"scale_={learned['scale_']!r}")


def _numbers(row):
    """Finite numbers and texts of a row of the history; a user's callback may record more."""
    kept = {str(k): v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
    kept = {k: v for k, v in kept.items() if isinstance(v, (bool, int, float, str))}
    return {k: v for k, v in kept.items() if not isinstance(v, float) or np.isfinite(v)}
