"""How near to the exact limit does each network come with its defaults, on the reference law?

    python benchmarks/bench_denoisers.py [--pairs 100000] [--only CNN DRNN] [--kinetic]
                                         [--models DIR]

Trains each of the seven on reference-law pairs and denoises 25,000 fresh curves, 5,000 a noise
level. The scale is absolute: root mean square error over that of the exact posterior mean of the
same curves, so that 1 is the limit; its own error in mM, and that of the noisy curves over it, are
printed first, of 1,000 curves a level. The second column is with the guard, which mixes in its own
estimate and gives some away for safety outside the law, a third, with --kinetic, with a guard that
is told the kinetic model; all others are without. The guard's own estimate has a row: that of the
first of the networks. Networks that see no later frame, as the two recurrent ones were
published, have a limit and a table of their own, of 1,000 curves a level.
"""

import argparse
import copy

import numpy as np
import torch
from _reference_law import (
    LEVELS,
    N_CURVES,
    N_ONE_WAY,
    NAMES,
    ONE_WAY,
    fresh_curves,
    kinetic,
    limit_curves,
    one_way_limit_curves,
    squared_errors,
    trained,
)
from _report import earlier, markdown, write

from sk_dcedenoise.baselines import LinearMMSEDenoiser, PCADenoiser, ToftsResimulator
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.fitting import ToftsTransformer

YARDSTICKS = {
    "noisy curves": lambda X, y: None,
    "PCA, 3 components": lambda X, y: PCADenoiser(n_components=3).fit(X, y),
    "linear MMSE": lambda X, y: LinearMMSEDenoiser().fit(X, y),
    "Tofts fit": lambda X, y: ToftsResimulator(ToftsTransformer(3.75 * np.arange(32))).fit(X),
}

ONE_WAY_LIMIT = "limit, one-way"
GUARD = "guard's own estimate"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--only", nargs="*", choices=[*NAMES, *ONE_WAY], default=NAMES)
    parser.add_argument("--kinetic", action="store_true", help="with a kinetic guard, too")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", help="folder of trained networks, read and written")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    stem = f"denoisers_{arguments.pairs}"
    rows = {row["method"]: row for row in (*earlier(stem), *earlier(f"{stem}_one_way"))}
    least = {n: squared_errors(limit_curves, n) for n in (N_CURVES, N_ONE_WAY)}
    print(limit_itself())
    pairs = make_dce_curves(arguments.pairs, random_state=0)
    for name, make in YARDSTICKS.items():
        rows[name] = {"method": name, **measure(make(*pairs), least)}
    if set(arguments.only) & set(ONE_WAY):
        rows[ONE_WAY_LIMIT] = {
            "method": ONE_WAY_LIMIT,
            **over_limit(squared_errors(one_way_limit_curves, N_ONE_WAY), least[N_ONE_WAY]),
        }
    for name in arguments.only:
        network = trained(name, arguments.pairs, arguments.models)
        n_curves = N_ONE_WAY if name in ONE_WAY else N_CURVES
        if name == NAMES[0]:
            rows[GUARD] = {"method": GUARD, **measure(guard_alone(network), least)}
        rows[name] = {
            "method": name,
            "guarded": measure(network, least, n_curves)["error"],
            **told(name, least, n_curves, arguments),
            **measure(network.set_params(guard=None), least, n_curves),
            "steps": sum(network.history[:, "train_batch_count"]),
        }
        ordered = sorted(rows.values(), key=lambda row: row["error"])
        one_way = [row for row in ordered if row["method"] in (ONE_WAY_LIMIT, *ONE_WAY)]
        others = [row for row in ordered if row not in one_way]
        write(stem, others, table(others), pairs=arguments.pairs)
        if one_way:
            write(f"{stem}_one_way", one_way, table(one_way), pairs=arguments.pairs)


def told(name, least, n_curves, arguments):
    """Error with a guard that is told the kinetics, if it was asked for."""
    if not arguments.kinetic:
        return {}
    network = kinetic(name, arguments.pairs, arguments.models)
    return {"kinetic": measure(network, least, n_curves)["error"]}


def guard_alone(network):
    """The network with a guard that goes by its own estimate of the training law alone."""
    network = copy.deepcopy(network).set_params(guard=1e-9)
    network.guard_.expected.weights[:] = 1.0, 0.0
    return network


def limit_itself():
    """Say how large the limit's own error is, and that of the noisy curves over it."""
    noisy = squared_errors(lambda level: fresh_curves(level)[0], N_ONE_WAY)
    squares = np.array(
        [
            np.mean((limit_curves(level) - fresh_curves(level)[1])[:N_ONE_WAY] ** 2, axis=1)
            for level in LEVELS
        ]
    )
    error = np.sqrt(squares.mean())
    scatter = squares.std() / np.sqrt(squares.size) / (2 * error)
    ratio = np.sqrt(noisy.mean()) / error
    return f"limit {error:.5f} +- {scatter:.5f} mM, noisy curves {ratio:.3f} times as much"


def measure(method, least, n_curves=N_CURVES):
    """Error over the limit's, in all and level by level."""

    def denoise(level):
        noisy = fresh_curves(level)[0][:n_curves]
        return noisy if method is None else method.transform(noisy)

    return over_limit(squared_errors(denoise, n_curves), least[n_curves])


def over_limit(squares, least):
    """Squared errors as roots over those of the limit."""
    return {
        "error": float(np.sqrt(squares.sum() / least.sum())),
        "by_level": np.sqrt(squares / least).tolist(),
    }


def table(rows):
    """Return the Markdown table."""
    names = {"guarded": "guarded", "kinetic": "kinetic guard"}
    guards = {key: name for key, name in names.items() if any(key in row for row in rows)}
    header = ["method", "error / limit", *guards.values()]
    header += [f"{level:.0%} noise" for level in LEVELS]
    lines = [
        [
            row["method"],
            f"{row['error']:.3f}",
            *(f"{row[guard]:.3f}" if guard in row else "" for guard in guards),
            *(f"{value:.2f}" for value in row["by_level"]),
            f"{row['steps']:,}" if "steps" in row else "",
        ]
        for row in rows
    ]
    return markdown([*header, "steps"], lines)


if __name__ == "__main__":
    main()
