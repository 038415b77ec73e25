"""Classical denoisers, and the exact limit that every denoiser is judged against."""

from ._identity import IdentityDenoiser
from ._linear_mmse import LinearMMSEDenoiser
from ._pca import PCADenoiser
from ._posterior_mean import PosteriorMeanDenoiser
from ._savitzky_golay import SavitzkyGolayDenoiser
from ._tofts_resimulator import ToftsResimulator
from ._wavelet import WaveletDenoiser

__all__ = [
    "IdentityDenoiser",
    "LinearMMSEDenoiser",
    "PCADenoiser",
    "PosteriorMeanDenoiser",
    "SavitzkyGolayDenoiser",
    "ToftsResimulator",
    "WaveletDenoiser",
]
