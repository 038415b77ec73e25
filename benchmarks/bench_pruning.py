"""How many epochs does pruning save in a search, and what does it cost in the best score?

    python benchmarks/bench_pruning.py [--trials 40] [--only VanillaNL ResCNN] [--seeds 0 1 2]

Runs the same study for each network and seed without pruning, and pruned as `tune` does it by
default, each by itself. Networks are tuned without their guard, which would make up for most of
what is wrong with a network that has hardly been trained.
"""

import argparse

import optuna
import torch
from _report import earlier, markdown, write

from sk_dcedenoise import denoisers
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.search import tune


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--only", nargs="+", default=["VanillaNL", "ResCNN"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = {key: getattr(arguments, key) for key in ("trials", "pairs", "epochs")}
    rows = {(row["network"], row["seed"]): row for row in earlier("pruning")}
    for seed in arguments.seeds:
        for name in arguments.only:
            rows[name, seed] = {"network": name, "seed": seed, **compare(name, seed, **settings)}
            ordered = [rows[key] for key in sorted(rows)]
            write("pruning", ordered, table(ordered), **settings)


def compare(name, seed, *, trials, pairs, epochs):
    """Run both studies of one network; return what they found, and how many trials were alike."""
    X, y = make_dce_curves(pairs, random_state=0)
    denoiser = getattr(denoisers, f"Denoiser{name}")(
        max_epochs=epochs, guard=None, random_state=0, device="cpu"
    )
    same = {"n_trials": trials, "random_state": seed, "storage": None, "refit": False}
    unpruned = tune(denoiser, X, y, pruner=optuna.pruners.NopPruner(), **same)
    pruned = tune(denoiser, X, y, **same)
    tried = ([trial.params for trial in result.study_.trials] for result in (unpruned, pruned))
    return {
        "unpruned": found(unpruned),
        "pruned": found(pruned),
        "alike": sum(a == b for a, b in zip(*tried, strict=True)),
    }


def found(result):
    """Return what a study has cost and found."""
    return {"epochs": result.n_epochs_, "error": -result.best_score_}


def table(rows):
    """Return the Markdown table."""
    header = ["network", "seed", "epochs, unpruned", "pruned", "saved", "best error, unpruned"]
    header += ["pruned", "trials alike"]
    lines = []
    for row in rows:
        whole, pruned = row["unpruned"], row["pruned"]
        lines.append(
            [
                row["network"],
                row["seed"],
                whole["epochs"],
                pruned["epochs"],
                f"{1 - pruned['epochs'] / whole['epochs']:.0%}",
                f"{whole['error']:.5f} mM",
                f"{pruned['error']:.5f} mM ({pruned['error'] / whole['error'] - 1:+.1%})",
                row["alike"],
            ]
        )
    return markdown(header, lines)


if __name__ == "__main__":
    main()
