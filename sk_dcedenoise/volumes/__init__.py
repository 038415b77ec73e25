"""Volumes in NIfTI files: curves out of a dynamic scan, and maps back on its grid.

Needs nibabel: ``pip install "sk-dcedenoise[nifti]"``. Axes are (x, y, z, n_times) as in the file;
times are seconds, whatever unit the file counts in. Nothing is repaired: NaN, negative and constant
voxels come out as they are.
"""

from sk_dcedenoise.volumes._curves import aif_from_curves, mean_curve
from sk_dcedenoise.volumes._dynamic import DynamicVolume, load_dynamic
from sk_dcedenoise.volumes._maps import save_curves, save_maps
from sk_dcedenoise.volumes._masks import load_map, load_mask
from sk_dcedenoise.volumes._phantom import save_phantom

__all__ = [
    "DynamicVolume",
    "aif_from_curves",
    "load_dynamic",
    "load_map",
    "load_mask",
    "mean_curve",
    "save_curves",
    "save_maps",
    "save_phantom",
]
