"""Synthetic DCE-MRI data with the truth they were made from: curves in pairs, and a phantom."""

from sk_dcedenoise.datasets._curves import add_noise, make_dce_curves, reference_law_dictionary
from sk_dcedenoise.datasets._phantom import make_dce_phantom

__all__ = ["add_noise", "make_dce_curves", "make_dce_phantom", "reference_law_dictionary"]
