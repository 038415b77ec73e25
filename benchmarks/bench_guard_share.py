"""What does a guard cost inside the training law, and spare outside, share by share?

    python benchmarks/bench_guard_share.py [--only CNN] [--guards kinetic] [--models DIR]

The share is that of curves that are expected to be of other tissue: the parameter `guard`, where
kinetics are found in the clean curves and where they are not, so that other tissue is any filter of
them; or `share` of a `KineticGuard`, with bounds that a user may know, or wider ones. Each meets
the laws and noise levels of `bench_guard.py`, on draws of their own, so that the defaults can be
chosen from this table and tested on those.
"""

import argparse
from unittest import mock

import numpy as np
import torch
from _reference_law import BOUNDS, LEVELS, NAMES, WIDE_BOUNDS, kinetic, trained
from _report import earlier, markdown, write
from bench_guard import LAWS, PARAMETERS, measure, summary

from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import KineticGuard

SHARES = {
    "found": (0.05, 0.1, 0.15, 0.2, 0.35, 0.65),
    "filters": (0.1, 0.25, 0.45, 0.65, 0.85),
    "kinetic": (0.05, 0.1, 0.15, 0.2, 0.35),
    "kinetic, wide bounds": (0.1, 0.2, 0.35, 0.65),
}
OTHER_DRAW = (1,)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=["CNN", "VanillaNL"])
    parser.add_argument("--guards", nargs="+", choices=SHARES, default=list(SHARES))
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--models", help="folder of trained networks, read and written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {(row["network"], row["guard"], row["share"]): row for row in earlier("guard_share")}
    for name in arguments.only:
        for guard in arguments.guards:
            network = guarded(name, guard, arguments)
            for share in SHARES[guard]:
                row = {"network": name, "guard": guard, "share": share}
                found[name, guard, share] = row | measured(network, share)
                rows = [found[key] for key in sorted(found)]
                write("guard_share", rows, table(rows), pairs=arguments.pairs)


def guarded(name, guard, arguments):
    """Return a network with a guard of this kind."""
    if guard in ("found", "filters"):
        network = trained(name, arguments.pairs, arguments.models)
        return network if guard == "found" else without_kinetics(network, arguments.pairs)
    bounds = BOUNDS if guard == "kinetic" else WIDE_BOUNDS
    return kinetic(name, arguments.pairs, arguments.models, bounds)


def without_kinetics(network, n_pairs):
    """Return the network with the guard that it has where no kinetics are found."""
    with mock.patch("sk_dcedenoise.denoisers._base.found_kinetics", return_value=None):
        return network.fit_guard(make_dce_curves(n_pairs, random_state=0)[1])


def measured(network, share):
    """Harm and gain with one share, and what the guard costs in curves of the training law."""
    is_told = isinstance(network.guard, KineticGuard)
    network.set_params(**{"guard__share" if is_told else "guard": share})
    cells = [measure(network, law, level, OTHER_DRAW) for law in LAWS for level in LEVELS]
    inside = [cell for cell in cells if cell["law"] == "reference" and cell["level"] >= 0.1]
    cost = np.mean([cell["guarded"]["curve"] / cell["bare"]["curve"] for cell in inside])
    return {"cost": float(cost), **summary(cells)}


def table(rows):
    """Markdown table, a line for each network and share."""
    header = ["network", "guard", "share", "worst cell", "cells above 1.05", "in-law curve error"]
    lines = []
    for row in rows:
        kept = row["gain_kept_from_10_percent"]
        lines.append([
            row["network"],
            row["guard"],
            f"{row['share']:g}",
            f"{row['worst_cell']:.2f}",
            f"{row['cells_above_1.05']} of {row['cells']}",
            f"x {row['cost']:.3f}",
            *(f"{kept[name]:.0%}" for name in ("curve", *PARAMETERS)),
        ])  # fmt: skip
    return markdown([*header, "kept: curve", *PARAMETERS], lines)


if __name__ == "__main__":
    main()
