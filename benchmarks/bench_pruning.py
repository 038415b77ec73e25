"""How many epochs does pruning save in a search, and what does it cost in the best score?

    python benchmarks/bench_pruning.py [--trials 40] [--only VanillaNL ResCNN] [--seeds 0 1 2]

Runs a study for each network and seed without pruning, as the sampler of `tune` goes by itself;
then the very same trials again, pruned as `tune` does it by default; then the pruned study left to
its sampler, which learns from what was stopped and goes other ways, so that its best error differs
by luck as well. Networks are tuned without their guard, which would make up for most of what is
wrong with a network that has hardly been trained.
"""

import argparse

import optuna
import torch
from _report import earlier, markdown, write

from sk_dcedenoise import denoisers
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.search import tune


class SameTrials(optuna.samplers.BaseSampler):
    """Tries what another study has tried, trial by trial."""

    def __init__(self, study):
        self.params = [trial.params for trial in study.trials]

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, param_name, param_distribution):
        return self.params[trial.number][param_name]


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
    """Run the three studies of one network; return epochs and best error of each, by its name."""
    X, y = make_dce_curves(pairs, random_state=0)
    denoiser = getattr(denoisers, f"Denoiser{name}")(
        max_epochs=epochs, guard=None, random_state=0, device="cpu"
    )
    same = {"n_trials": trials, "random_state": seed, "storage": None, "refit": False}
    unpruned = tune(denoiser, X, y, pruner=optuna.pruners.NopPruner(), **same)
    studies = {
        "unpruned": unpruned,
        "pruned": tune(denoiser, X, y, sampler=SameTrials(unpruned.study_), **same),
        "pruned, on its own": tune(denoiser, X, y, **same),
    }
    return {
        kind: {"epochs": result.n_epochs_, "error": -result.best_score_}
        for kind, result in studies.items()
    }


def table(rows):
    """Return the Markdown table."""
    header = ["network", "seed", "epochs, unpruned", "pruned", "saved", "best error, unpruned"]
    header += ["pruned", "pruned, on its own: saved", "best error"]
    lines = []
    for row in rows:
        whole, same, own = row["unpruned"], row["pruned"], row["pruned, on its own"]
        lines.append(
            [
                row["network"],
                row["seed"],
                whole["epochs"],
                same["epochs"],
                f"{1 - same['epochs'] / whole['epochs']:.0%}",
                f"{whole['error']:.5f} mM",
                f"{same['error']:.5f} mM ({same['error'] / whole['error'] - 1:+.1%})",
                f"{1 - own['epochs'] / whole['epochs']:.0%}",
                f"{own['error']:.5f} mM ({own['error'] / whole['error'] - 1:+.1%})",
            ]
        )
    return markdown(header, lines)


if __name__ == "__main__":
    main()
