"""How well curves were denoised and parameters found, and scorers for searches."""

from sk_dcedenoise.metrics._curves import (
    cosine_similarity,
    max_abs_difference,
    percent_root_mean_square_difference,
    root_mean_squared_error,
    snr_gain,
    sum_of_squared_differences,
)
from sk_dcedenoise.metrics._parameters import parameter_errors
from sk_dcedenoise.metrics._scorers import (
    cosine_similarity_scorer,
    neg_curve_rmse_scorer,
    neg_parameter_error_scorer,
    snr_gain_scorer,
)

__all__ = [
    "cosine_similarity",
    "cosine_similarity_scorer",
    "max_abs_difference",
    "neg_curve_rmse_scorer",
    "neg_parameter_error_scorer",
    "parameter_errors",
    "percent_root_mean_square_difference",
    "root_mean_squared_error",
    "snr_gain",
    "snr_gain_scorer",
    "sum_of_squared_differences",
]
