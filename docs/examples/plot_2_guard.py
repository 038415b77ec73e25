"""
Which curves are trusted
========================

A network pulls curves that its training law does not hold towards what it knows. The guard sees
most of them and hands out the data instead.
"""

# %%
# A network trained on the reference law, whose vp ends at 0.022, and curves of that law and of
# tissue with more plasma, with noise of 5 %. The guard learns from a share of the curves that
# training has seen, hence the large batches of so short a training.

import matplotlib.pyplot as plt
import numpy as np

from sk_dcedenoise import DenoiserVanillaNL, ToftsTransformer, make_dce_curves
from sk_dcedenoise.datasets import add_noise
from sk_dcedenoise.tofts import extended_tofts

time = 3.75 * np.arange(32)  # s
denoiser = DenoiserVanillaNL(width=0.5, batch_size=256, max_steps=400, random_state=0)
denoiser.fit(*make_dce_curves(8000, time=time, random_state=0))

rng = np.random.default_rng(1)
Ktrans, kep = rng.uniform(0.02, 0.22, 600), rng.uniform(0.2, 2.2, 600)
plasma = {
    "vp of the training law": rng.uniform(0.002, 0.022, 600),
    "vp of 0.03 to 0.1": rng.uniform(0.03, 0.1, 600),
}
noisy = {}
for name, vp in plasma.items():
    clean = extended_tofts(time, Ktrans, Ktrans / kep, vp)
    noisy[name] = add_noise(clean, 0.05, random_state=2)

# %%
# ``score_samples`` is about the share of training curves that are explained worse: outside of the
# law, scores crowd at 0. ``fell_back`` tells which curves the network has less than half a say
# in.

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for name, curves in noisy.items():
    scores = denoiser.score_samples(curves)
    label = f"{name}: {denoiser.fell_back(curves).mean():.0%} fell back"
    ax.hist(scores, bins=np.linspace(0, 1, 21), alpha=0.6, label=label)
ax.set(xlabel="score", ylabel="curves")
ax.legend(frameon=False)

# %%
# What the guard saves: errors of fitted vp, without it and with it, relative to fitting the noisy
# curves: 1 means that denoising changed nothing, above 1 that it did harm.

fit = ToftsTransformer(time, outputs=["vp"]).fit(clean)


def error(curves, vp):
    return np.sqrt(np.mean((fit.transform(curves)[:, 0] - vp) ** 2))


print(f"{'':25s}{'no guard':>10s}{'guard':>10s}")
share = denoiser.guard
for name, curves in noisy.items():
    ratios = []
    for guard in (None, share):
        denoised = denoiser.set_params(guard=guard).transform(curves)
        ratios.append(error(denoised, plasma[name]) / error(curves, plasma[name]))
    print(f"{name:25s}{ratios[0]:10.2f}{ratios[1]:10.2f}")
