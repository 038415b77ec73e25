"""What does a guard cost inside the training law, and spare outside, share by share?

    python benchmarks/bench_guard_share.py [--only CNN] [--pairs 100000] [--models DIR]

The parameter `guard` is the share of curves that are expected to be of other tissue. Each share
meets the laws and noise levels of `bench_guard.py`, on draws of their own, so that the default can
be chosen from this table and tested on those.
"""

import argparse

import numpy as np
import torch
from _reference_law import LEVELS, NAMES, trained
from _report import markdown, write
from bench_guard import LAWS, PARAMETERS, measure, summary

SHARES = (0.1, 0.25, 0.45, 0.55, 0.65, 0.75, 0.85)
OTHER_DRAW = (1,)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=["CNN", "VanillaNL"])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--models", help="folder of trained networks, read and written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in arguments.only:
        network = trained(name, arguments.pairs, arguments.models)
        for share in SHARES:
            rows.append({"network": name, "share": share, **measured(network, share)})
            write("guard_share", rows, table(rows), pairs=arguments.pairs)


def measured(network, share):
    """Harm and gain with one share, and what the guard costs in curves of the training law."""
    network.set_params(guard=share)
    cells = [measure(network, law, level, OTHER_DRAW) for law in LAWS for level in LEVELS]
    inside = [cell for cell in cells if cell["law"] == "reference" and cell["level"] >= 0.1]
    cost = np.mean([cell["guarded"]["curve"] / cell["bare"]["curve"] for cell in inside])
    return {"cost": float(cost), **summary(cells)}


def table(rows):
    """Markdown table, a line for each network and share."""
    header = ["network", "guard", "worst cell", "cells above 1.05", "in-law curve error"]
    lines = []
    for row in rows:
        kept = row["gain_kept_at_10_20_30_percent"]
        lines.append([
            row["network"],
            f"{row['share']:.2f}",
            f"{row['worst_cell']:.2f}",
            f"{row['cells_above_1.05']} of {row['cells']}",
            f"x {row['cost']:.3f}",
            *(f"{np.mean(kept[name]):.0%}" for name in ("curve", *PARAMETERS)),
        ])  # fmt: skip
    return markdown([*header, "kept: curve", *PARAMETERS], lines)


if __name__ == "__main__":
    main()
