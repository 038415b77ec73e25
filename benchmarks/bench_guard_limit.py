"""What does safety outside the law have to cost inside, if one knew what may lie outside?

    python benchmarks/bench_guard_limit.py

The posterior mean under a mixture of the reference law and a wide kinetic law is the best that any
guard could do that expects such curves in that share: nothing is trained here. Its curves are
fitted, inside the reference law and in the four others of `bench_guard.py`. Share 0 is the
unguarded limit, against which the gain that is kept inside the law is counted.
"""

import numpy as np
import torch
from _reference_law import LEVELS, TIME
from _report import markdown, write
from bench_guard import LAWS, PARAMETERS, curves_of

from sk_dcedenoise.baselines import PosteriorMeanDenoiser
from sk_dcedenoise.datasets import reference_law_dictionary
from sk_dcedenoise.tofts import extended_tofts

# Ranges of the wide law: Ktrans and kep in 1/min, vp. A quarter of its curves are weak ones.
WIDE = ((0.0, 0.6), (0.05, 6.0), (0.0, 0.12))
N_WIDE = 70_000
# How often the reference law stands in the dictionary beside one such wide law; None: alone.
COPIES = {"0 %": None, "25 %": 3, "50 %": 1}


def main():
    torch.set_num_threads(1)
    rows = [measure(share, level) for share in COPIES for level in LEVELS if level >= 0.1]
    alone = {row["level"]: row for row in rows if row["share"] == "0 %"}
    lines = []
    for row in rows:
        base = alone[row["level"]]
        row["kept"] = {
            name: (1 - row["inside"][name]) / (1 - base["inside"][name]) for name in row["inside"]
        }
        kept = (f"{row['kept'][name]:.0%}" for name in ("curve", *PARAMETERS))
        outside = (f"{max(row[law].values()):.2f}" for law in list(LAWS)[1:])
        lines.append([row["share"], f"{row['level']:.0%}", *kept, *outside])
    header = ["wide law", "noise", "kept: curve", *PARAMETERS, *(list(LAWS)[1:])]
    write("guard_limit", rows, markdown(header, lines), n_wide=N_WIDE)


def measure(share, level):
    """Errors relative to those of noisy curves, law by law."""
    denoiser = limit(COPIES[share], level)
    row = {"share": share, "level": level}
    for law in LAWS:
        noisy, errors = curves_of(law, level)
        ratios = errors(denoiser.transform(noisy)) / errors(noisy)
        found = dict(zip(("curve", *PARAMETERS), ratios.tolist(), strict=True))
        row["inside" if law == "reference" else law] = found
    return row


def limit(copies, level):
    """Posterior mean under the mixture, the level of noise known."""
    curves, _ = reference_law_dictionary()
    if copies:
        curves = np.concatenate([*[curves] * copies, wide_curves()])
    denoiser = PosteriorMeanDenoiser(noise_levels=(level,), dtype="float32")
    return denoiser.fit(curves, curves)


def wide_curves():
    """Clean curves of the wide law."""
    rng = np.random.RandomState(0)
    Ktrans, kep, vp = (rng.uniform(low, high, N_WIDE) for low, high in WIDE)
    weak = np.where(rng.uniform(size=N_WIDE) < 0.25, np.exp(rng.uniform(-4, 0, N_WIDE)), 1.0)
    curves = extended_tofts(TIME, weak * Ktrans, weak * Ktrans / kep, weak * vp)
    return curves[curves.mean(axis=1) > 1e-4]


if __name__ == "__main__":
    main()
