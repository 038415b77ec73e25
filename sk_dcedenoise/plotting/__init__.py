"""Pictures of curves and parameters, as scikit-learn displays; matplotlib is needed to draw."""

from sk_dcedenoise.plotting._axes import empty_figure
from sk_dcedenoise.plotting._denoising import DenoisingDisplay
from sk_dcedenoise.plotting._parameter_histogram import ParameterHistogramDisplay
from sk_dcedenoise.plotting._parameter_scatter import ParameterScatterDisplay

__all__ = [
    "DenoisingDisplay",
    "ParameterHistogramDisplay",
    "ParameterScatterDisplay",
    "empty_figure",
]
