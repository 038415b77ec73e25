"""Estimators as records: which classes there are, what each has learned, and how it is rebuilt."""

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils import Bunch

from sk_dcedenoise import denoisers
from sk_dcedenoise.baselines import (
    IdentityDenoiser,
    LinearMMSEDenoiser,
    PCADenoiser,
    PosteriorMeanDenoiser,
    SavitzkyGolayDenoiser,
    ToftsResimulator,
    WaveletDenoiser,
)
from sk_dcedenoise.denoisers._skorch import resolve_device
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.persistence._networks import describe_network, is_kept, rebuild_network
from sk_dcedenoise.persistence._values import decode, encode
from sk_dcedenoise.preprocessing import CurveScaler, SignalToConcentration
from sk_dcedenoise.semisynthetic import SemiSyntheticDenoiser, SemiSyntheticLaw

_MAX_FRAMES = 1_000_000
_LONGEST = 1e7  # seconds

# Learned attributes and their shapes: a letter is a length, the same wherever it stands, n that of
# a curve; "" is a number and None anything. Each may be None itself, as scikit-learn's are where a
# step is switched off.
_LEARNED = {
    CurveScaler: {"scale_": ""},
    LinearMMSEDenoiser: {"coef_": "nn", "intercept_": "n"},
    PCADenoiser: {"pca_": None},
    PosteriorMeanDenoiser: {"dictionary_": "mn", "params_": None},
    SemiSyntheticDenoiser: {"estimator_": None, "law_": None},
    StandardScaler: {"mean_": "n", "var_": "n", "scale_": "n", "n_samples_seen_": None},
    MinMaxScaler: {
        "min_": "n", "scale_": "n", "data_min_": "n", "data_max_": "n", "data_range_": "n",
        "n_samples_seen_": None,
    },
    RobustScaler: {"center_": "n", "scale_": "n"},
    MaxAbsScaler: {"scale_": "n", "max_abs_": "n", "n_samples_seen_": None},
    PCA: {
        "mean_": "n", "components_": "kn", "explained_variance_": "k",
        "explained_variance_ratio_": "k", "singular_values_": "k", "noise_variance_": "",
        "n_components_": "", "n_samples_": "",
    },
}  # fmt: skip

# These learn nothing but the number of frames: fitting to any curves rebuilds them.
_SETTLED_BY_PARAMETERS = (
    IdentityDenoiser,
    SavitzkyGolayDenoiser,
    SignalToConcentration,
    ToftsResimulator,
    ToftsTransformer,
    WaveletDenoiser,
)
_NETWORKS = tuple(
    getattr(denoisers, name) for name in denoisers.__all__ if name.startswith("Denoiser")
)
_CLASSES = {
    known.__name__: known
    for known in (
        Pipeline,
        FrozenEstimator,
        denoisers.KineticGuard,
        *_NETWORKS,
        *_SETTLED_BY_PARAMETERS,
        *_LEARNED,
    )
}


def describe(estimator, arrays, path):
    """Return an estimator as a record of plain values.

    Parameters
    ----------
    estimator : estimator
        Of a class that a file can hold.
    arrays : ArraysWritten
        Takes its arrays.
    path : str
        Where in a Pipeline it stands; begins the names of its arrays.
    """
    known = type(estimator)
    if _CLASSES.get(known.__name__) is not known:
        raise ValueError(
            f"{path.rstrip('.') or 'the estimator'} is a {known.__name__}, but expected one of "
            f"{', '.join(sorted(_CLASSES))}: a file holds no other classes."
        )
    record = {"class": known.__name__}
    if known is Pipeline:
        return record | {"steps": _describe_steps(estimator, arrays, path)}
    if known is FrozenEstimator:
        return record | {"estimator": describe(estimator.estimator, arrays, path)}
    record["params"] = {
        name: _describe_value(value, arrays, path + name)
        for name, value in estimator.get_params(deep=False).items()
        if known not in _NETWORKS or is_kept(name)
    }
    if "_sklearn_output_config" in vars(estimator):
        record["output"] = estimator._sklearn_output_config.get("transform")
    if not hasattr(estimator, "n_features_in_"):
        return record  # a parameter, such as the fit inside ToftsResimulator
    record["n_frames"] = int(estimator.n_features_in_)
    if hasattr(estimator, "feature_names_in_"):
        record["frames"] = [str(name) for name in estimator.feature_names_in_]
    if known in _NETWORKS:
        return record | {"network": describe_network(estimator, arrays, path)}
    record["learned"] = {
        name: _describe_value(getattr(estimator, name), arrays, path + name)
        for name in _LEARNED.get(known, ())
    }
    return record


def _describe_steps(pipeline, arrays, path):
    return [
        [name, describe(s, arrays, f"{path}{name}.") if isinstance(s, BaseEstimator) else s]
        for name, s in pipeline.steps
    ]


def _describe_value(value, arrays, name):
    if isinstance(value, BaseEstimator):
        return {"estimator": describe(value, arrays, f"{name}.")}
    return encode(value, arrays, name)


def rebuild(record, arrays, absent):
    """Return the estimator that a record describes; `absent` collects devices that are not here."""
    known = _CLASSES.get(str(record["class"]))
    if known is None:
        raise ValueError(f"{record['class']!r} is no class of a saved estimator")
    if known is Pipeline:
        return Pipeline(_rebuild_steps(record["steps"], arrays, absent))
    if known is FrozenEstimator:
        return FrozenEstimator(rebuild(record["estimator"], arrays, absent))
    params = {
        name: _rebuild_value(value, arrays, absent) for name, value in record["params"].items()
    }
    _check_names(known, params)
    params = _on_a_device_here(params, absent)
    estimator = known(**params)
    if known in (ToftsTransformer, SemiSyntheticDenoiser):
        _check_scan(estimator)
    if "n_frames" in record:
        _rebuild_fitted(estimator, record, arrays, absent)
    if record.get("output") in ("default", "pandas", "polars"):
        estimator.set_output(transform=record["output"])
    return estimator


def _rebuild_fitted(estimator, record, arrays, absent):
    n_frames, names = record["n_frames"], record.get("frames")
    if type(n_frames) is not int or not 0 < n_frames <= _MAX_FRAMES:
        raise ValueError(f"a curve of {n_frames!r} frames")
    if isinstance(estimator, _NETWORKS):
        rebuild_network(estimator, n_frames, record["network"], arrays)
    elif isinstance(estimator, _SETTLED_BY_PARAMETERS):
        estimator.fit(np.ones((2, n_frames)))
    else:
        _set_learned(estimator, n_frames, record["learned"], arrays, absent)
    if names is not None:
        if len(names) != n_frames or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{len(names)} names of {n_frames} frames")
        estimator.feature_names_in_ = np.array(names, dtype=object)


def _set_learned(estimator, n_frames, learned, arrays, absent):
    estimator.n_features_in_ = n_frames
    lengths = {"n": n_frames}
    for name, shape in _LEARNED[type(estimator)].items():
        value = _rebuild_value(learned[name], arrays, absent)
        if value is not None and shape is not None:
            _check_numbers(value, shape, lengths, name)
        setattr(estimator, name, Bunch(**value) if isinstance(value, dict) else value)
    if isinstance(estimator, SemiSyntheticDenoiser):
        _check_own_training(estimator, n_frames)


def _check_own_training(denoiser, n_frames):
    """Raise unless the trained part and the law have curves of as many frames."""
    trained, law = denoiser.estimator_, denoiser.law_
    if getattr(trained, "n_features_in_", None) != n_frames or not hasattr(trained, "transform"):
        raise ValueError(f"estimator_ is no denoiser of {n_frames} frames")
    if not isinstance(law, SemiSyntheticLaw) or law.simulator.time.shape != (n_frames,):
        raise ValueError(f"law_ is no law of curves of {n_frames} frames")
    pairs = law.draw(1, 0)
    if any(curves.shape != (1, n_frames) for curves in pairs):
        raise ValueError("law_ draws no curves")


def _check_numbers(value, shape, lengths, name):
    found = np.shape(value)
    expected = tuple(lengths.setdefault(a, b) for a, b in zip(shape, found, strict=False))
    if found != expected or len(found) != len(shape) or np.asarray(value).dtype.kind not in "iuf":
        raise ValueError(f"{name} has shape {found} and not {expected or 'that of a number'}")


def _rebuild_steps(steps, arrays, absent):
    names = [name for name, _ in steps]
    if len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
        raise ValueError("names of steps that are not different texts")
    return [
        (name, rebuild(step, arrays, absent) if isinstance(step, dict) else step)
        for name, step in steps
        if isinstance(step, dict) or step in ("passthrough", None)
    ]


def _rebuild_value(coded, arrays, absent):
    if isinstance(coded, dict) and "estimator" in coded:
        return rebuild(coded["estimator"], arrays, absent)
    return decode(coded, arrays)


def _check_names(known, params):
    allowed = set(known._get_param_names()) if known not in _NETWORKS else None
    for name in params:
        if not (is_kept(name) if allowed is None else name in allowed):
            raise ValueError(f"{name!r} is no parameter of {known.__name__}")


def _check_scan(tofts):
    """Raise for times no scan has; a formula sampled over them would fill the memory."""
    for name in ("time", "delay"):
        value = getattr(tofts, name)
        if value is not None and not (np.abs(np.asarray(value, dtype=float)) < _LONGEST).all():
            raise ValueError(f"{name} beyond {_LONGEST:g} s")


def _on_a_device_here(params, absent):
    """Replace a device of the machine that saved, where this one has none such."""
    device = params.get("device")
    if device in (None, "auto"):
        return params
    torch.device(device)
    try:
        resolve_device(device)
    except ValueError:
        absent.append(device)
        return params | {"device": "cpu"}
    return params
