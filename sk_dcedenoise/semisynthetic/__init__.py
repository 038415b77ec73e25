"""Training without clean curves: pairs that look like the scan at hand."""

from sk_dcedenoise.semisynthetic._denoiser import SemiSyntheticDenoiser
from sk_dcedenoise.semisynthetic._law import SemiSyntheticLaw

__all__ = ["SemiSyntheticDenoiser", "SemiSyntheticLaw"]
