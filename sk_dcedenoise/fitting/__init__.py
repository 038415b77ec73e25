"""Kinetic parameters from concentration curves."""

from sk_dcedenoise.fitting._status import FitStatus
from sk_dcedenoise.fitting._transformer import ToftsTransformer

__all__ = ["FitStatus", "ToftsTransformer"]
