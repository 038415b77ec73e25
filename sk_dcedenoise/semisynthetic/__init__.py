"""Training without clean curves: pairs that look like the scan at hand."""

from ._denoiser import SemiSyntheticDenoiser
from ._law import SemiSyntheticLaw

__all__ = ["SemiSyntheticDenoiser", "SemiSyntheticLaw"]
