"""The study that all processes and all resumed runs of one search share."""

import json

import joblib
import numpy as np
import optuna
from optuna.distributions import distribution_to_json
from sklearn.pipeline import Pipeline

from sk_dcedenoise.search._journal import open_storage

# What a study may be resumed with although it is another: it changes how training runs, not its
# result.
_FREE = {"device", "verbose"}


def open_study(estimator, space, *, storage, study_name, pruner, sampler, particulars):
    """Open the study of this name, or make it; refuse one that was made of something else.

    Parameters
    ----------
    estimator : estimator
        Its steps name the study where `study_name` is None.
    space : dict of str to BaseDistribution
        The ranges.
    storage : path, str, BaseStorage or None
        As :func:`tune` takes it.
    study_name : str or None
        Name within the storage.
    pruner, sampler : BasePruner, BaseSampler
        Of this process alone; Optuna does not store them.
    particulars : dict of str to str
        What must be the same for all trials, see :func:`describe`.
    """
    study = optuna.create_study(
        study_name=study_name or _name(estimator),
        storage=open_storage(storage),
        load_if_exists=True,
        direction="maximize",
        pruner=pruner,
        sampler=sampler,
    )
    made_of = study.user_attrs.get("made_of")
    if made_of is None:
        study.set_user_attr("made_of", particulars)
        return study
    for what, value in particulars.items():
        if made_of.get(what) != value:
            raise ValueError(
                f"study {study.study_name!r} in storage {storage!r} was made with another {what}, "
                "but expected the same for all its trials: give another study_name or storage."
            )
    return study


def describe(estimator, space, *, data, splits, scoring):
    """Return what makes two runs one study, as strings that are equal where it is the same."""
    params = estimator.get_params()
    kept = {k: _text(v) for k, v in params.items() if k not in space}
    kept = {k: v for k, v in kept.items() if k.rpartition("__")[2] not in _FREE}
    return {
        "data": joblib.hash([np.asarray(part) for part in data]),
        "estimator": f"{_name(estimator)} {json.dumps(kept, sort_keys=True)}",
        "space": json.dumps({k: distribution_to_json(v) for k, v in sorted(space.items())}),
        "cv (give a shuffling splitter an int random_state)": joblib.hash(splits),
        "scoring": getattr(scoring, "__name__", str(scoring)),
    }


def _text(value):
    if isinstance(value, np.ndarray):
        return joblib.hash(value)
    if isinstance(value, (list, tuple)):
        return str([_text(item) for item in value])
    try:
        return json.dumps(value)
    except TypeError:
        # Objects print with their address, which changes from process to process.
        return getattr(value, "__name__", type(value).__name__)


def _name(estimator):
    if isinstance(estimator, Pipeline):
        return "-".join(_name(step) for _, step in estimator.steps)
    return estimator if isinstance(estimator, str) else type(estimator).__name__
