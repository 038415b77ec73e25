"""Spoiled gradient echo signal, and the way back: to concentrations, and to T1 by flip angles."""

from sk_dcedenoise.signal._spgr import concentration_from_signal, spgr_signal
from sk_dcedenoise.signal._vfa import r1_from_vfa, t1_from_vfa

__all__ = ["concentration_from_signal", "r1_from_vfa", "spgr_signal", "t1_from_vfa"]
