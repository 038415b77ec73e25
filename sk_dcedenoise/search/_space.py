"""Which values of which parameters a search tries, network by network.

The ranges hold what the papers, their authors' code and later re-implementations used, and what
changed results in trials on curves of 32 frames. Rates of learning reach above the papers': these
networks train with a warm-up and a falling rate, and bear more. Losses, `scale` and the noise are
left alone: they change what is learned, not how well.
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.pipeline import Pipeline

from sk_dcedenoise.denoisers import (
    DenoiserCNN,
    DenoiserDRNN,
    DenoiserEncoderDecoder,
    DenoiserFCNDAE,
    DenoiserLSTM,
    DenoiserResCNN,
    DenoiserVanillaNL,
)
from sk_dcedenoise.denoisers._base import BaseDenoiser


def search_space(estimator):
    """Return the ranges that a search over an estimator should try.

    Parameters
    ----------
    estimator : denoiser or Pipeline
        One of the seven denoisers, or a :class:`~sklearn.pipeline.Pipeline` (of pipelines, if need
        be) with at least one of them among its steps.

    Returns
    -------
    space : dict of str to optuna.distributions.BaseDistribution
        By parameter name, as ``estimator.set_params`` takes it: names of a denoiser in a Pipeline
        begin with its step's name. A new dict, to be changed at will.

    Raises
    ------
    ValueError
        If there is no denoiser.

    Examples
    --------
    >>> from sk_dcedenoise.denoisers import DenoiserVanillaNL
    >>> from sk_dcedenoise.search import search_space
    >>> for name, distribution in search_space(DenoiserVanillaNL()).items():
    ...     print(name, distribution.low, distribution.high)
    width 0.5 2.0
    kernel_size 3 15
    lr 0.0001 0.01
    """
    space = {}
    for prefix, denoiser in find_denoisers(estimator):
        own = next(_SPACES[c] for c in type(denoiser).__mro__ if c in _SPACES)()
        space |= {prefix + name: distribution for name, distribution in own.items()}
    if not space:
        raise ValueError(
            f"estimator is {type(estimator).__name__} without a denoising network, but expected "
            "one of the seven, bare or in a Pipeline: give the ranges of your estimator as space."
        )
    return space


def find_denoisers(estimator, prefix=""):
    """Yield the prefix of parameter names and the network, for each network in a Pipeline."""
    if isinstance(estimator, BaseDenoiser):
        yield prefix, estimator
    elif isinstance(estimator, Pipeline):
        for name, step in estimator.steps:
            yield from find_denoisers(step, f"{prefix}{name}__")


def _logarithmic(low, high):
    return FloatDistribution(low, high, log=True)


def _weight_decay():
    # Zero has no logarithm; at the lower end the decay is too weak to matter.
    return {"optimizer__weight_decay": _logarithmic(1e-7, 1e-3)}


def _drnn():
    return {
        "hidden_size": IntDistribution(16, 256, log=True),
        "n_dense": IntDistribution(0, 9),
        "bidirectional": CategoricalDistribution([True, False]),
        "lr": _logarithmic(1e-4, 1e-2),
        **_weight_decay(),
    }


def _lstm():
    return {
        "hidden_size": IntDistribution(32, 256, log=True),
        "dropout": FloatDistribution(0.0, 0.4),
        "bidirectional": CategoricalDistribution([True, False]),
        "gradient_clip": _logarithmic(0.5, 5.0),
        "lr": _logarithmic(1e-4, 1e-2),
    }


def _cnn():
    return {
        "n_blocks": IntDistribution(2, 6),
        "n_filters": IntDistribution(16, 96, step=4),
        "kernel_size": IntDistribution(3, 25, step=2),
        "min_length": CategoricalDistribution([4, 8, 16]),
        "lr": _logarithmic(1e-4, 1e-2),
    }


def _fcn_dae():
    return {
        "n_down": IntDistribution(1, 5),
        "code_channels": IntDistribution(1, 16, log=True),
        "kernel_size": IntDistribution(4, 16),
        "lr": _logarithmic(1e-4, 1e-2),
    }


def _encoder_decoder():
    return {
        "width": _logarithmic(0.125, 1.0),
        # Five stages and more double the channels up to 2048: up to 157 million weights.
        "n_down": IntDistribution(1, 4),
        "kernel_size": IntDistribution(3, 15, step=2),
        "slope": FloatDistribution(0.0, 0.3),
        "batch_norm": CategoricalDistribution([True, False]),
        "lr": _logarithmic(1e-4, 1e-2),
    }


def _vanilla_nl():
    return {
        "width": _logarithmic(0.5, 2.0),
        "kernel_size": IntDistribution(3, 15, step=2),
        "lr": _logarithmic(1e-4, 1e-2),
    }


def _res_cnn():
    return {
        "channels": IntDistribution(16, 64, step=8),
        "middle_channels": IntDistribution(8, 32, step=8),
        "n_blocks": IntDistribution(1, 3),
        "head": CategoricalDistribution(["dense", "conv"]),
        "lr": _logarithmic(1e-4, 1e-2),
        **_weight_decay(),
    }


_SPACES = {
    DenoiserDRNN: _drnn,
    DenoiserLSTM: _lstm,
    DenoiserCNN: _cnn,
    DenoiserFCNDAE: _fcn_dae,
    DenoiserEncoderDecoder: _encoder_decoder,
    DenoiserVanillaNL: _vanilla_nl,
    DenoiserResCNN: _res_cnn,
}
