"""Which scaling of curves should be the default: one factor, one per curve, or none?

    python benchmarks/bench_scale.py

Trains the same short DenoiserVanillaNL with each `scale` on 20,000 pairs of both laws and denoises
5,000 fresh curves: pooled error (ruled by strongly enhancing curves) and the mean over curves of
the error relative to the curve's mean, both as parts of the noise; then the pooled error again with
the fresh curves in other units (times 0.1 and times 10).
"""

import numpy as np
import torch
from _report import markdown, write

from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import DenoiserVanillaNL


def main():
    torch.set_num_threads(1)
    scales = ("global", "curve", None)
    rows = [measure(law, scale) for law in ("reference", "wide") for scale in scales]
    header = ["law", "scale", "pooled error", "relative error", "units x 0.1", "units x 10"]
    lines = [
        [r["law"], r["scale"], *(f"{r[k]:.3f}" for k in ("pooled", "relative", "small", "large"))]
        for r in rows
    ]
    write("scale", rows, markdown(header, lines), network="VanillaNL", pairs=20_000, steps=3000)


def measure(law, scale):
    """Train with one scaling on one law, and return a row of the table."""
    X, y = make_dce_curves(20_000, law=law, random_state=0)
    fresh, clean = make_dce_curves(5_000, law=law, random_state=1)
    denoiser = DenoiserVanillaNL(scale=scale, max_steps=3000, random_state=0).fit(X, y)

    def pooled(factor=1.0):
        denoised = denoiser.transform(factor * fresh) / factor
        return float(np.sqrt(np.mean((denoised - clean) ** 2) / np.mean((fresh - clean) ** 2)))

    def by_curve(curves):
        return np.sqrt(np.mean((curves - clean) ** 2, axis=1)) / clean.mean(axis=1)

    relative = by_curve(denoiser.transform(fresh)).mean() / by_curve(fresh).mean()
    return {
        "law": law,
        "scale": str(scale),
        "pooled": pooled(),
        "relative": float(relative),
        "small": pooled(0.1),
        "large": pooled(10.0),
    }


if __name__ == "__main__":
    main()
