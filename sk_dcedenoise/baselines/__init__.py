"""Classical denoisers, and the exact limit that every denoiser is judged against."""

from sk_dcedenoise.baselines._identity import IdentityDenoiser
from sk_dcedenoise.baselines._linear_mmse import LinearMMSEDenoiser
from sk_dcedenoise.baselines._pca import PCADenoiser
from sk_dcedenoise.baselines._posterior_mean import PosteriorMeanDenoiser
from sk_dcedenoise.baselines._savitzky_golay import SavitzkyGolayDenoiser
from sk_dcedenoise.baselines._tofts_resimulator import ToftsResimulator
from sk_dcedenoise.baselines._wavelet import WaveletDenoiser

__all__ = [
    "IdentityDenoiser",
    "LinearMMSEDenoiser",
    "PCADenoiser",
    "PosteriorMeanDenoiser",
    "SavitzkyGolayDenoiser",
    "ToftsResimulator",
    "WaveletDenoiser",
]
