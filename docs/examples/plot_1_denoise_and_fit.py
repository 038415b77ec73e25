"""
Denoise curves and fit a kinetic model
======================================

A network learns from pairs of noisy and clean curves, and the extended Tofts model is fitted
before and after it.
"""

# %%
# Curves with their truth, drawn for a protocol of 32 frames: the training pairs with noise of 2
# to 30 %, the curves at hand with 20 %.

import matplotlib.pyplot as plt
import numpy as np

from sk_dcedenoise import DenoiserVanillaNL, ToftsTransformer, make_dce_curves
from sk_dcedenoise.plotting import DenoisingDisplay, ParameterScatterDisplay

time = 3.75 * np.arange(32)  # s
pairs = make_dce_curves(4000, time=time, random_state=0)
noisy, clean, params = make_dce_curves(
    500, time=time, noise_levels=0.2, random_state=1, return_params=True
)

# %%
# Training. Leave out ``max_steps`` for a better one.

denoiser = DenoiserVanillaNL(max_steps=600, random_state=0).fit(*pairs)
display = DenoisingDisplay.from_estimator(denoiser, noisy, clean, time=time)
display.figure_.suptitle("Curves before and after denoising, and the truth")

# %%
# The fit of noisy curves is nearly unbiased and scatters. That of denoised ones scatters less,
# and leans towards the middle of what the network has seen.

fit = ToftsTransformer(time).fit(noisy)
figure, axes = plt.subplots(2, 3, figsize=(7.5, 5), layout="constrained")
for row, curves in zip(axes, (noisy, denoiser.transform(noisy)), strict=True):
    ParameterScatterDisplay.from_estimator(fit, curves, params, ax=row)
figure.suptitle("Parameters fitted to noisy curves (top) and to denoised ones (bottom)")

# %%
# As one scikit-learn object, from noisy curves to parameters:

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

pipeline = make_pipeline(FrozenEstimator(denoiser), ToftsTransformer(time)).fit(noisy)
print(pipeline.get_feature_names_out())
print(pipeline.transform(noisy[:3]).round(3))
