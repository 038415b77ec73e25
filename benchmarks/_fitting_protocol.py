"""What is fitted, and by whom: frames and AIF, scipy, and ours in its kinds."""

import importlib.util

import numpy as np
from _scipy_fit import Scipy

from sk_dcedenoise.aif import aif_parker

TIME = 3.75 * np.arange(32)
FINE = 0.25 * np.arange(517)
AIF = FINE, aif_parker(FINE)
OUTPUTS = ["Ktrans", "kep", "vp"]
SCIPY = Scipy(TIME, *AIF)
DTYPES = ("float32", "float64")
KINDS = {f"ours {dtype}": {"dtype": dtype, "compiled": False} for dtype in DTYPES}
if importlib.util.find_spec("numba"):
    KINDS |= {f"ours {d}, compiled": {"dtype": d, "compiled": True} for d in DTYPES}
