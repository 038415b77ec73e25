"""Seven published denoising networks, one file and one paper each, a loss and a guard for them."""

from sk_dcedenoise._guard import KineticGuard
from sk_dcedenoise.denoisers._cnn import DenoiserCNN
from sk_dcedenoise.denoisers._drnn import DenoiserDRNN
from sk_dcedenoise.denoisers._encoder_decoder import DenoiserEncoderDecoder
from sk_dcedenoise.denoisers._fcn_dae import DenoiserFCNDAE
from sk_dcedenoise.denoisers._losses import SSDMADLoss
from sk_dcedenoise.denoisers._lstm import DenoiserLSTM
from sk_dcedenoise.denoisers._res_cnn import DenoiserResCNN
from sk_dcedenoise.denoisers._vanilla_nl import DenoiserVanillaNL

__all__ = [
    "DenoiserCNN",
    "DenoiserDRNN",
    "DenoiserEncoderDecoder",
    "DenoiserFCNDAE",
    "DenoiserLSTM",
    "DenoiserResCNN",
    "DenoiserVanillaNL",
    "KineticGuard",
    "SSDMADLoss",
]
