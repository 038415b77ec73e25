"""What does the guard do for tissue that is foreign in other ways than those of bench_guard.py?

    python benchmarks/bench_guard_beyond.py [--only CNN] [--models DIR]

Farther past the law, in two parameters at once, or with a slower washout than any of training:
5,000 curves a law and noise level, the worst of Ktrans, kep and vp fitted after denoising, relative
to fitting the noisy curves. A guard that is told bounds looks out for nothing beyond them.
"""

import argparse

import torch
from _reference_law import LEVELS, NAMES, kinetic, trained
from _report import markdown, write
from bench_guard import BEYOND, measure, worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=NAMES, default="CNN")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--models", help="folder of trained networks, read and written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows, lines = [], []
    networks = [
        make(arguments.only, arguments.pairs, arguments.models) for make in (trained, kinetic)
    ]
    for law in BEYOND:
        found = [[measure(network, law, level) for level in LEVELS] for network in networks]
        rows += [
            {"law": law, "level": level, "bare": own["bare"]}
            | {"guarded": own["guarded"], "kinetic": told["guarded"]}
            for level, own, told in zip(LEVELS, *found, strict=True)
        ]
        lines.append([law, *(cell(row) for row in rows[-len(LEVELS) :])])
    header = ["curves from", *(f"{level:.0%} noise" for level in LEVELS)]
    settings = {"network": arguments.only, "pairs": arguments.pairs}
    write("guard_beyond", rows, markdown(header, lines), **settings)


def cell(row):
    """Without a guard, with it, and with one that is told bounds."""
    return " → ".join(f"{worst(row[kind]):.2f}" for kind in ("bare", "guarded", "kinetic"))


if __name__ == "__main__":
    main()
