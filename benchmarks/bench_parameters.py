"""Does denoising first help the kinetic fit, and what does it do outside the training law?

    python benchmarks/bench_parameters.py

Trains DenoiserVanillaNL with its defaults on 20,000 reference-law pairs, then fits fresh curves of
that law and of four others before and after denoising: 1,000 curves a law and noise level, the
worst of Ktrans, kep and vp. 1 means that denoising changed nothing; above 1 it did harm.
"""

import numpy as np
import torch
from _report import markdown, write

from sk_dcedenoise.datasets import add_noise, make_dce_curves
from sk_dcedenoise.denoisers import DenoiserVanillaNL
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts

TIME = 3.75 * np.arange(32)
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3)
# Ranges of Ktrans (1/min), kep (1/min) and vp; the first law is that of the training curves.
LAWS = {
    "reference": ((0.02, 0.22), (0.2, 2.2), (0.002, 0.022)),
    "Ktrans 0.22-0.5": ((0.22, 0.5), (0.2, 2.2), (0.002, 0.022)),
    "kep 2.2-5": ((0.02, 0.22), (2.2, 5.0), (0.002, 0.022)),
    "vp 0.03-0.1": ((0.02, 0.22), (0.2, 2.2), (0.03, 0.1)),
    "Ktrans < 0.02, vp < 0.002": ((0.002, 0.02), (0.2, 2.2), (0.0, 0.002)),
}


def main():
    torch.set_num_threads(1)
    denoiser = DenoiserVanillaNL(random_state=0).fit(*make_dce_curves(20_000, random_state=0))
    rows = [measure(denoiser, law, level) for law in LAWS for level in LEVELS]
    lines = [[law, *(f"{row['worst']:.2f}" for row in rows if row["law"] == law)] for law in LAWS]
    header = ["curves from", *(f"{level:.0%} noise" for level in LEVELS)]
    write("parameters", rows, markdown(header, lines), network="VanillaNL", pairs=20_000)


def measure(denoiser, law, level):
    """Errors of fits after denoising relative to those before, on curves of one law."""
    rng = np.random.RandomState([list(LAWS).index(law), int(100 * level)])
    Ktrans, kep, vp = (rng.uniform(low, high, 1000) for low, high in LAWS[law])
    clean = extended_tofts(TIME, Ktrans, Ktrans / kep, vp)
    noisy = add_noise(clean, np.full(1000, level), random_state=rng)
    denoised = denoiser.transform(noisy)
    fit = ToftsTransformer(
        TIME, outputs=["Ktrans", "kep", "vp"], bounds={"ve": (0.0, 100.0), "kep": (0.01, 10.0)}
    ).fit(noisy)
    truth = np.column_stack([Ktrans, kep, vp])

    def errors(curves):
        return np.sqrt(np.mean((fit.transform(curves) - truth) ** 2, axis=0))

    ratios = errors(denoised) / errors(noisy)
    curve = np.sqrt(np.mean((denoised - clean) ** 2) / np.mean((noisy - clean) ** 2))
    return {
        "law": law,
        "level": level,
        "curve": float(curve),
        **dict(zip(("Ktrans", "kep", "vp"), ratios.tolist(), strict=True)),
        "worst": float(ratios.max()),
    }


if __name__ == "__main__":
    main()
