"""How many epochs does pruning save in a search, and what does it cost in the best score?

    python benchmarks/bench_pruning.py [--trials 40] [--only VanillaNL ResCNN] [--seeds 0 1 2]
                                       [--sampler tpe]

Runs the same study twice for each network, with pruning as `tune` does it by default and without,
and compares the epochs trained and the best cross-validated error. With ``--sampler random`` both
studies try the very same parameters; with "tpe", the default of `tune`, they do as long as none of
the best tenth is stopped, and then part, so that the best of the two may differ by luck. Networks
are tuned without their guard, which would make up for most of what is wrong with a network that has
hardly been trained.
"""

import argparse

import optuna
import torch
from _report import earlier, markdown, write

from sk_dcedenoise import denoisers
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.search import tune

SAMPLERS = {"tpe": lambda seed: None, "random": optuna.samplers.RandomSampler}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--only", nargs="+", default=["VanillaNL", "ResCNN"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sampler", choices=SAMPLERS, default="tpe")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    stem = f"pruning_{arguments.sampler}"
    rows = {(row["network"], row["seed"]): row for row in earlier(stem)}
    for seed in arguments.seeds:
        for name in arguments.only:
            rows[name, seed] = compare(name, seed, arguments)
            ordered = [rows[key] for key in sorted(rows)]
            settings = {key: getattr(arguments, key) for key in ("trials", "pairs", "epochs")}
            write(stem, ordered, table(ordered), **settings)


def compare(name, seed, arguments):
    """Run both studies of one network and return a row of the table."""
    X, y = make_dce_curves(arguments.pairs, random_state=0)
    denoiser = getattr(denoisers, f"Denoiser{name}")(
        max_epochs=arguments.epochs, guard=None, random_state=0, device="cpu"
    )
    row = {"network": name, "seed": seed}
    for kind, pruner in (("pruned", None), ("unpruned", optuna.pruners.NopPruner())):
        result = tune(
            denoiser,
            X,
            y,
            n_trials=arguments.trials,
            pruner=pruner,
            sampler=SAMPLERS[arguments.sampler](seed),
            random_state=seed,
            storage=None,
            refit=False,
        )
        row[f"epochs_{kind}"] = result.n_epochs_
        row[f"error_{kind}"] = -result.best_score_
    return row


def table(rows):
    """Return the Markdown table."""
    header = [
        "network",
        "seed",
        "epochs, unpruned",
        "pruned",
        "saved",
        "best error, unpruned",
        "pruned",
    ]
    lines = []
    for row in rows:
        saved = 1 - row["epochs_pruned"] / row["epochs_unpruned"]
        worse = row["error_pruned"] / row["error_unpruned"] - 1
        lines.append(
            [
                row["network"],
                row["seed"],
                row["epochs_unpruned"],
                row["epochs_pruned"],
                f"{saved:.0%}",
                f"{row['error_unpruned']:.5f} mM",
                f"{row['error_pruned']:.5f} mM ({worse:+.1%})",
            ]
        )
    return markdown(header, lines)


if __name__ == "__main__":
    main()
