"""The seven denoisers, so small and so shortly trained that many tests can each fit them."""

from sk_dcedenoise.denoisers import (
    DenoiserCNN,
    DenoiserDRNN,
    DenoiserEncoderDecoder,
    DenoiserFCNDAE,
    DenoiserLSTM,
    DenoiserResCNN,
    DenoiserVanillaNL,
)

FAST = {"max_epochs": 2, "device": "cpu", "random_state": 0}
SMALL = [
    DenoiserDRNN(hidden_size=8, **FAST),
    DenoiserLSTM(hidden_size=8, **FAST),
    DenoiserCNN(n_filters=8, kernel_size=5, **FAST),
    DenoiserFCNDAE(kernel_size=5, **FAST),
    DenoiserEncoderDecoder(width=0.125, kernel_size=5, **FAST),
    DenoiserVanillaNL(width=0.25, kernel_size=5, **FAST),
    DenoiserResCNN(channels=8, middle_channels=4, n_blocks=1, **FAST),
]


def name_of(estimator):
    return type(estimator).__name__
