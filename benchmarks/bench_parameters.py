"""How near do parameters fitted after denoising come to the best estimate that there is?

    python benchmarks/bench_parameters.py [--only CNN] [--pairs 100000] [--models DIR]

Root mean square errors of Ktrans, kep, vp and ve over those of the exact posterior mean, on 25,000
fresh curves of the reference law, 5,000 a noise level, fitted within wide bounds (Ktrans up to
2 /min, kep 0.01-10 /min, ve up to 1, vp up to 0.5).
"""

import argparse

import numpy as np
import torch
from _reference_law import (
    LEVELS,
    NAMES,
    PARAMETERS,
    TIME,
    fresh_curves,
    kinetic,
    limit,
    limit_curves,
    trained,
)
from _report import markdown, write

from sk_dcedenoise.fitting import ToftsTransformer

FIT = ToftsTransformer(
    TIME,
    outputs=list(PARAMETERS),
    bounds={"Ktrans": (0.0, 2.0), "kep": (0.01, 10.0), "vp": (0.0, 0.5)},
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=NAMES, default=["CNN", "ResCNN", "VanillaNL"])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--models", help="folder of trained networks, read and written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    least = {
        level: squares_of(limit().predict_params(fresh_curves(level)[0]), level) for level in LEVELS
    }
    methods = {
        "noisy curves": lambda level: fresh_curves(level)[0],
        "the limit's curves": limit_curves,
    }
    for name in arguments.only:
        network = trained(name, arguments.pairs, arguments.models)
        methods |= {
            f"{name}, guarded": after(network),
            f"{name}, kinetic guard": after(kinetic(name, arguments.pairs, arguments.models)),
            name: after(network, guard=None),
        }
    rows = [{"fit on": name, **measure(curves, least)} for name, curves in methods.items()]
    write("parameters", rows, table(rows), pairs=arguments.pairs)


def after(network, **params):
    """Curves of a level after a network with these parameters."""
    given = {name: getattr(network, name) for name in params}

    def denoise(level):
        network.set_params(**params)
        curves = network.transform(fresh_curves(level)[0])
        network.set_params(**given)
        return curves

    return denoise


def squares_of(params, level):
    """Mean squared errors of parameters, by name."""
    truth = fresh_curves(level)[2]
    return {name: np.mean((params[name] - truth[name]) ** 2) for name in PARAMETERS}


def measure(curves, least):
    """Errors of the fit over the least ones, over all levels and at 10 % noise and more."""
    squares = {}
    for level in LEVELS:
        found = dict(zip(PARAMETERS, FIT.fit_transform(curves(level)).T, strict=True))
        squares[level] = squares_of(found, level)

    def ratio(name, levels):
        of = [sum(table[level][name] for level in levels) for table in (squares, least)]
        return float(np.sqrt(of[0] / of[1]))

    return {
        "all": {name: ratio(name, LEVELS) for name in PARAMETERS},
        "from_10_percent": {name: ratio(name, LEVELS[2:]) for name in PARAMETERS},
        "by_level": {str(level): {n: ratio(n, [level]) for n in PARAMETERS} for level in LEVELS},
    }


def table(rows):
    """Return the Markdown table."""
    header = ["fit on", *(f"{name}, all" for name in PARAMETERS)]
    header += [f"{name}, 10-30% noise" for name in PARAMETERS]
    lines = [
        [
            row["fit on"],
            *(f"{row[key][n]:.2f}" for key in ("all", "from_10_percent") for n in PARAMETERS),
        ]
        for row in rows
    ]
    return markdown(header, lines)


if __name__ == "__main__":
    main()
