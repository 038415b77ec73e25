"""Pictures of curves and parameters, as scikit-learn displays; matplotlib is needed to draw."""

from sk_dcedenoise.plotting._axes import empty_figure
from sk_dcedenoise.plotting._bland_altman import BlandAltmanDisplay
from sk_dcedenoise.plotting._denoising import DenoisingDisplay
from sk_dcedenoise.plotting._noise_level import NoiseLevelDisplay
from sk_dcedenoise.plotting._parameter_histogram import ParameterHistogramDisplay
from sk_dcedenoise.plotting._parameter_map import ParameterMapDisplay
from sk_dcedenoise.plotting._parameter_scatter import ParameterScatterDisplay
from sk_dcedenoise.plotting._residual_autocorrelation import ResidualAutocorrelationDisplay
from sk_dcedenoise.plotting._training_history import TrainingHistoryDisplay
from sk_dcedenoise.plotting._trust_map import TrustMapDisplay

__all__ = [
    "BlandAltmanDisplay",
    "DenoisingDisplay",
    "NoiseLevelDisplay",
    "ParameterHistogramDisplay",
    "ParameterMapDisplay",
    "ParameterScatterDisplay",
    "ResidualAutocorrelationDisplay",
    "TrainingHistoryDisplay",
    "TrustMapDisplay",
    "empty_figure",
]
