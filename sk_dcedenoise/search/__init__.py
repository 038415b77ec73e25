"""Hyper-parameter search with Optuna: search spaces, pruning inside cross-validation, resuming."""

from sk_dcedenoise.search._pruning import PruningCallback
from sk_dcedenoise.search._space import search_space
from sk_dcedenoise.search._tune import TuneResult, tune

__all__ = ["PruningCallback", "TuneResult", "search_space", "tune"]
