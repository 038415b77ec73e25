"""
Training without clean curves
=============================

A scan has noisy curves only. ``SemiSyntheticDenoiser`` learns from them which tissue occurs and
what the noise is like, draws pairs after both, and trains a network on these.
"""

# %%
# The scan: 1,500 curves of two kinds of tissue, with noise of 10 to 20 %. Their truth is looked
# at in the end and by nobody else.

import matplotlib.pyplot as plt
import numpy as np

from sk_dcedenoise import DenoiserVanillaNL, SemiSyntheticDenoiser
from sk_dcedenoise.datasets import add_noise
from sk_dcedenoise.metrics import root_mean_squared_error
from sk_dcedenoise.plotting import DenoisingDisplay
from sk_dcedenoise.tofts import extended_tofts

time = 4.0 * np.arange(40)  # s
rng = np.random.default_rng(0)
lesion = rng.random(1500) < 0.2
Ktrans = np.exp(rng.normal(np.where(lesion, np.log(0.25), np.log(0.05)), 0.25))
ve = np.clip(rng.normal(np.where(lesion, 0.45, 0.2), 0.04), 0.05, 0.8)
clean = extended_tofts(time, Ktrans, ve, rng.uniform(0.01, 0.04, 1500))
scan = add_noise(clean, rng.uniform(0.1, 0.2, 1500), random_state=1)

# %%
# ``fit`` needs no clean curves. It does need the time grid and the arterial input function.

network = DenoiserVanillaNL(scale="curve", max_steps=600, random_state=0)
denoiser = SemiSyntheticDenoiser(network, time=time, aif="parker", n_pairs=6000, random_state=0)
denoised = denoiser.fit_transform(scan)
DenoisingDisplay.from_predictions(scan, denoised, clean, time=time)

print(f"error of noisy curves     {root_mean_squared_error(clean, scan):.4f} mM")
print(f"error of denoised curves  {root_mean_squared_error(clean, denoised):.4f} mM")

# %%
# What it has learned can be drawn from. Compare it with the truth: both kinds of tissue are
# there, the rare one more often than it occurs (``stratify``), and a few curves come from all
# around (``widen``).

X, y, drawn = denoiser.law_.draw(1500, random_state=0, return_params=True)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.2), sharex=True, sharey=True, layout="constrained")
axes[0].plot(Ktrans, ve, ".", markersize=3)
axes[0].set(title="the scan's truth", xlabel="Ktrans (1/min)", ylabel="ve", xscale="log")
axes[1].plot(drawn["Ktrans"], drawn["ve"], ".", markersize=3)
axes[1].set(title="what the network was trained on", xlabel="Ktrans (1/min)")
for ax in axes:
    ax.set_xticks([0.03, 0.1, 0.3], ["0.03", "0.1", "0.3"])
    ax.minorticks_off()
