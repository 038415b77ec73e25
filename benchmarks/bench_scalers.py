"""Does a scaler in front of a denoiser cost anything?

    python benchmarks/bench_scalers.py

Fits DenoiserVanillaNL (3,000 steps, 20,000 reference-law pairs) alone and behind each scaler in a
Pipeline, and quotes the error of 5,000 fresh curves relative to that of the denoiser alone.
"""

import numpy as np
import torch
from _report import markdown, write
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import DenoiserVanillaNL
from sk_dcedenoise.preprocessing import CurveScaler

SCALERS = (None, StandardScaler(), MinMaxScaler(), RobustScaler(), CurveScaler())


def main():
    torch.set_num_threads(1)
    X, y = make_dce_curves(20_000, random_state=0)
    fresh, clean = make_dce_curves(5_000, random_state=1)
    errors = {}
    for scaler in SCALERS:
        denoiser = DenoiserVanillaNL(max_steps=3000, random_state=0)
        pipeline = make_pipeline(scaler, denoiser) if scaler is not None else denoiser
        difference = pipeline.fit(X, y).transform(fresh) - clean
        name = "none" if scaler is None else type(scaler).__name__
        errors[name] = float(np.sqrt(np.mean(difference**2)))
    rows = [{"scaler": n, "rmse": e, "ratio": e / errors["none"]} for n, e in errors.items()]
    lines = [[r["scaler"], f"{r['rmse']:.5f}", f"{r['ratio']:.3f}"] for r in rows]
    table = markdown(["scaler in front", "error (mM)", "relative to none"], lines)
    write("scalers", rows, table, network="VanillaNL", pairs=20_000, steps=3000)


if __name__ == "__main__":
    main()
