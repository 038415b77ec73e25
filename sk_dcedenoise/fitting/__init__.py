"""Kinetic parameters from concentration curves."""

from ._status import FitStatus
from ._transformer import ToftsTransformer

__all__ = ["FitStatus", "ToftsTransformer"]
