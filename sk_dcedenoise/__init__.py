"""Denoising of DCE-MRI concentration curves with scikit-learn transformers, and kinetic fitting.

Curves are rows, ``(n_curves, n_times)``. Time and delay are in seconds, concentrations in mM,
Ktrans and kep in 1/min, ve and vp are fractions.
"""

from importlib import import_module

__version__ = "0.1.0.dev0"

# The home of each public name. They are imported when asked for, since torch takes seconds.
_HOMES = {
    "CurveScaler": "preprocessing",
    "DenoiserCNN": "denoisers",
    "DenoiserDRNN": "denoisers",
    "DenoiserEncoderDecoder": "denoisers",
    "DenoiserFCNDAE": "denoisers",
    "DenoiserLSTM": "denoisers",
    "DenoiserResCNN": "denoisers",
    "DenoiserVanillaNL": "denoisers",
    "SemiSyntheticDenoiser": "semisynthetic",
    "SignalToConcentration": "preprocessing",
    "ToftsTransformer": "fitting",
    "make_dce_curves": "datasets",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOMES])
