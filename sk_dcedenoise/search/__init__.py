"""Hyper-parameter search with Optuna: search spaces, pruning inside cross-validation, resuming."""

from ._pruning import PruningCallback
from ._space import search_space
from ._tune import TuneResult, tune

__all__ = ["PruningCallback", "TuneResult", "search_space", "tune"]
