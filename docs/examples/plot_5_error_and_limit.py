"""
Error against noise level, and the limit
========================================

On the reference law every curve that can occur is known, and with it the least error that any
method can reach: that of the posterior mean. This is the scale to judge a denoiser by.
"""

# %%
# A principal component analysis of rank 3, a fit that is simulated again, a network trained for
# seconds, and the limit.

import matplotlib.pyplot as plt
import numpy as np

from sk_dcedenoise import DenoiserVanillaNL, ToftsTransformer, make_dce_curves
from sk_dcedenoise.baselines import PCADenoiser, PosteriorMeanDenoiser, ToftsResimulator
from sk_dcedenoise.datasets import reference_law_dictionary
from sk_dcedenoise.metrics import root_mean_squared_error

pairs = make_dce_curves(4000, random_state=0)
candidates, _ = reference_law_dictionary()
fit = ToftsTransformer(3.75 * np.arange(32))
methods = {
    "PCA, 3 components": PCADenoiser(n_components=3).fit(*pairs),
    "fit and resimulate": ToftsResimulator(fit).fit(*pairs),
    "VanillaNL, 800 steps": DenoiserVanillaNL(max_steps=800, random_state=0).fit(*pairs),
    "limit": PosteriorMeanDenoiser(dtype="float32").fit(candidates, candidates),
}

# %%
# Errors of 200 fresh curves a level, relative to those of the noisy curves.

levels = np.array([0.02, 0.05, 0.1, 0.2, 0.3])
errors = {name: [] for name in methods}
for seed, level in enumerate(levels):
    noisy, clean = make_dce_curves(200, noise_levels=level, random_state=100 + seed)
    for name, method in methods.items():
        error = root_mean_squared_error(clean, method.transform(noisy))
        errors[name].append(error / root_mean_squared_error(clean, noisy))

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, values in errors.items():
    style = {"color": "black", "linestyle": "--"} if name == "limit" else {"marker": "o"}
    ax.plot(100 * levels, values, label=name, **style)
ax.axhline(1, color="0.7", linewidth=0.8)
ax.set(
    xlabel="noise level (%)", ylabel="error / error of noisy curves", xscale="log", ylim=(0, 1.1)
)
ax.set_xticks(100 * levels, [f"{level:.0%}" for level in levels])
ax.minorticks_off()
ax.legend(frameon=False)
