"""How far does each network, with its defaults, bring the error of fresh reference-law curves down?

    python benchmarks/bench_denoisers.py [--pairs 20000] [--only VanillaNL DRNN]

Trains each of the seven on reference-law pairs and denoises 5,000 fresh curves, 1,000 a noise
level. The scale is absolute: the exact posterior mean brings the error down by 4.04, a principal
component analysis with 3 components by 3.2.
"""

import argparse
import json
import time

import numpy as np
import torch
from _report import RESULTS, markdown, write

from sk_dcedenoise import denoisers
from sk_dcedenoise.baselines import PCADenoiser
from sk_dcedenoise.datasets import make_dce_curves

LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3)
NAMES = [name.removeprefix("Denoiser") for name in denoisers.__all__ if "Denoiser" in name]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    stem = f"denoisers_{arguments.pairs}"
    rows = {row["network"]: row for row in _earlier(stem)}
    X, y = make_dce_curves(arguments.pairs, random_state=0)
    rows["PCA, 3 components"] = measure("PCA, 3 components", PCADenoiser(n_components=3), X, y)
    for name in arguments.only:
        estimator = getattr(denoisers, f"Denoiser{name}")(random_state=0)
        rows[name] = measure(name, estimator, X, y)
        write(stem, list(rows.values()), table(rows.values()), pairs=arguments.pairs)


def measure(name, estimator, X, y):
    """Train, denoise fresh curves, and return one row of the table."""
    wall, cpu = time.perf_counter(), time.process_time()
    estimator.fit(X, y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    before, after = [], []
    for i, level in enumerate(LEVELS):
        noisy, clean = make_dce_curves(1000, noise_levels=(level,), random_state=1000 + i)
        before.append(np.mean((noisy - clean) ** 2))
        after.append(np.mean((estimator.transform(noisy) - clean) ** 2))
    return {
        "network": name,
        "minutes": wall / 60,
        "core_minutes": cpu / 60,
        "reduction": float(np.sqrt(np.sum(before) / np.sum(after))),
        "reduction_by_level": np.sqrt(np.array(before) / after).tolist(),
    }


def table(rows):
    """Return the Markdown table, best network first; cost in units of the cheapest network's."""
    rows = sorted(rows, key=lambda row: -row["reduction"])
    unit = min(row["core_minutes"] for row in rows if "PCA" not in row["network"])
    header = ["network", "error brought down by", *(f"at {level:.0%}" for level in LEVELS)]
    lines = [
        [
            row["network"],
            f"{row['reduction']:.2f}",
            *(f"{value:.2f}" for value in row["reduction_by_level"]),
            f"{row['core_minutes'] / unit:.1f}",
        ]
        for row in rows
    ]
    return markdown([*header, "cost of training"], lines)


def _earlier(stem):
    path = RESULTS / f"{stem}.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


if __name__ == "__main__":
    main()
