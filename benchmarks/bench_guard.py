"""Does denoising first help the kinetic fit, inside and outside the training law, with the guard?

    python benchmarks/bench_guard.py [--only CNN VanillaNL] [--kinetic] [--models DIR]

Trains networks with their defaults on reference-law pairs, then fits fresh curves of that law and
of four others before and after denoising: 5,000 curves a law and noise level. 1 means that
denoising changed nothing, above 1 that it did harm. What is kept of the gain inside the law is
measured on 25,000 curves a level, these 5,000 and more: of 5,000, its standard error is 0.015. With
--kinetic the guard is told the kinetic model, and bounds within which all five laws lie. The shares
of other tissue that guards expect were set on other draws.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from _reference_law import LEVELS, NAMES, TIME, kinetic, trained
from _report import RESULTS, markdown, place, record

from sk_dcedenoise.datasets import add_noise
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts

# Ranges of Ktrans (1/min), kep (1/min) and vp; the first law is that of the training curves.
LAWS = {
    "reference": ((0.02, 0.22), (0.2, 2.2), (0.002, 0.022)),
    "Ktrans 0.22-0.5": ((0.22, 0.5), (0.2, 2.2), (0.002, 0.022)),
    "kep 2.2-5": ((0.02, 0.22), (2.2, 5.0), (0.002, 0.022)),
    "vp 0.03-0.1": ((0.02, 0.22), (0.2, 2.2), (0.03, 0.1)),
    "Ktrans < 0.02, vp < 0.002": ((0.002, 0.02), (0.2, 2.2), (0.0, 0.002)),
}
# Tissue that is foreign otherwise; see `bench_guard_beyond.py`.
BEYOND = {
    "Ktrans 0.5-1": ((0.5, 1.0), (0.2, 2.2), (0.002, 0.022)),
    "kep 5-8": ((0.02, 0.22), (5.0, 8.0), (0.002, 0.022)),
    "kep 0.02-0.2": ((0.02, 0.22), (0.02, 0.2), (0.002, 0.022)),
    "Ktrans 0.22-0.5, vp 0.03-0.1": ((0.22, 0.5), (0.2, 2.2), (0.03, 0.1)),
    "Ktrans 0.22-0.5, kep 2.2-5": ((0.22, 0.5), (2.2, 5.0), (0.002, 0.022)),
    "kep 2.2-5, vp 0.03-0.1": ((0.02, 0.22), (2.2, 5.0), (0.03, 0.1)),
}
EVERY = LAWS | BEYOND
PARAMETERS = ("Ktrans", "kep", "vp")
# Of each law and level.
N_CURVES = 5_000
# Draws of as many of the training law, to tell what is kept: a few curves with runaway kep decide.
# The first is that of the cells.
KEPT_DRAWS = ((), (10,), (11,), (12,), (13,))
# Networks whose cells stand in the docs; of the others, the overview.
SHOWN = ("CNN", "VanillaNL")
FIT = ToftsTransformer(
    TIME, outputs=list(PARAMETERS), bounds={"ve": (0.0, 100.0), "kep": (0.01, 10.0)}
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--kinetic", action="store_true", help="with a kinetic model")
    parser.add_argument("--models", help="folder of trained networks, read and written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make, stem = (kinetic, "guard_kinetic") if arguments.kinetic else (trained, "guard")
    for name in arguments.only:
        network = make(name, arguments.pairs, arguments.models)
        rows = [measure(network, law, level) for law in LAWS for level in LEVELS]
        inside = [
            measure(network, "reference", level, draw)
            for level in LEVELS[2:]
            for draw in KEPT_DRAWS
        ]
        header = ["curves from", *(f"{level:.0%} noise" for level in LEVELS)]
        text = markdown(header, [[law, *cells(rows, law)] for law in LAWS])
        share = network.guard.share if arguments.kinetic else network.guard
        settings = {"network": name, "pairs": arguments.pairs, "guard": share}
        found = summary(rows, inside)
        record(f"{stem}_{name}", rows, **settings, **found)
        if name in SHOWN:
            place(f"{stem}_{name}", text)
        print(text)
    place(f"{stem}_networks", overview(stem))


def overview(stem):
    """Markdown table of all networks that have been measured: the worst, and what is kept."""
    header = ["network", "worst cell", "cells above 1.05", "worst curve error", "kept: curve"]
    lines = []
    paths = [RESULTS / f"{stem}_{name}.json" for name in sorted(NAMES)]
    for path in filter(Path.exists, paths):
        found = json.loads(path.read_text())["settings"]
        levels, whole = (found[f"gain_kept_{of}_percent"] for of in ("at_10_20_30", "from_10"))
        lines.append([
            found["network"],
            f"{found['worst_cell']:.2f}",
            f"{found['cells_above_1.05']} of {found['cells']}",
            f"{found['worst_curve']:.2f}",
            *(
                f"{whole[name]:.0%} ({', '.join(f'{value:.0%}' for value in levels[name])})"
                for name in ("curve", *PARAMETERS)
            ),
        ])  # fmt: skip
    return markdown([*header, *PARAMETERS], lines)


def curves_of(law, level, draw=()):
    """Noisy curves of a law, and a function that tells errors of curves made of them.

    Root mean squared errors are of the curves and of the parameters fitted to them. Another `draw`
    is for choices, which are not to be made on the curves that stand in the tables.
    """
    rng = np.random.RandomState([list(EVERY).index(law), int(100 * level), *draw])
    Ktrans, kep, vp = (rng.uniform(low, high, N_CURVES) for low, high in EVERY[law])
    clean = extended_tofts(TIME, Ktrans, Ktrans / kep, vp)
    noisy = add_noise(clean, np.full(N_CURVES, level), random_state=rng)
    truth = np.column_stack([Ktrans, kep, vp])
    fit = FIT.fit(noisy)

    def errors(curves):
        of_curves = np.sqrt(np.mean((curves - clean) ** 2))
        return np.r_[of_curves, np.sqrt(np.mean((fit.transform(curves) - truth) ** 2, axis=0))]

    return noisy, errors


def measure(network, law, level, draw=()):
    """Errors of noisy curves of one law, and those after denoising relative to them."""
    noisy, errors = curves_of(law, level, draw)
    share = network.guard
    before = errors(noisy)
    guarded = errors(network.transform(noisy)) / before
    bare = errors(network.set_params(guard=None).transform(noisy)) / before
    network.set_params(guard=share)
    names = ("curve", *PARAMETERS)
    found = {"noisy": before, "bare": bare, "guarded": guarded}
    found = {name: dict(zip(names, v.tolist(), strict=True)) for name, v in found.items()}
    return {"law": law, "level": level, **found}


def worst(errors):
    """Largest error of a kinetic parameter."""
    return max(errors[name] for name in PARAMETERS)


def cells(rows, law):
    """Worst parameter without and with the guard, for each level."""
    here = [row for row in rows if row["law"] == law]
    return [f"{worst(row['bare']):.2f} → {worst(row['guarded']):.2f}" for row in here]


def summary(rows, inside=None):
    """Worst cells, and what is kept of the gain inside the law at 10 % noise and more.

    That is told from the rows `inside`, or else from those of them that are.
    """
    if inside is None:
        inside = [row for row in rows if row["law"] == "reference" and row["level"] >= 0.1]
    names = ("curve", *PARAMETERS)
    levels = [[row for row in inside if row["level"] == level] for level in LEVELS[2:]]
    harm = [worst(row["guarded"]) for row in rows]
    return {
        "worst_cell": max(harm),
        "cells_above_1.05": sum(value > 1.05 for value in harm),
        "cells": len(rows),
        "worst_curve": max(row["guarded"]["curve"] for row in rows),
        "gain_kept_at_10_20_30_percent": {n: [kept(some, n) for some in levels] for n in names},
        "gain_kept_draw_by_draw": {
            n: [kept(inside[i :: len(inside) // 3], n) for i in range(len(inside) // 3)]
            for n in names
        },
        "gain_kept_from_10_percent": {n: kept(inside, n) for n in names},
    }


def kept(rows, name):
    """Share of what the network alone takes off the error that it takes off with its guard.

    The error is that of the curves of all rows together.
    """
    noisy = np.array([row["noisy"][name] for row in rows])
    ratios = np.array([[row[kind][name] for row in rows] for kind in ("bare", "guarded")])
    bare, guarded = np.linalg.norm(noisy * ratios, axis=1) / np.linalg.norm(noisy)
    return float((1 - guarded) / (1 - bare))


if __name__ == "__main__":
    main()
