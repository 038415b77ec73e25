"""Which part of the training recipe pays, for which network, and what of the published trainings?

    python benchmarks/bench_recipe.py [--pairs 2000] [--share 0.1] [--only CNN LSTM]

Trains each network with its defaults, for a share of their steps, then with one part of the recipe
changed at a time, and last as published. The guard is off. Errors are over that of the exact
posterior mean, on the 5,000 fresh curves of `bench_denoisers.py`.
"""

import argparse

import numpy as np
import torch
from _reference_law import NAMES, fresh_curves, limit_curves, squared_errors
from _report import earlier, markdown, write
from skorch.callbacks import Callback
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sk_dcedenoise import denoisers
from sk_dcedenoise.datasets import make_dce_curves


class AveragedWeights(Callback):
    """Put an exponential average of the weights, over the last fiftieth of training, in place."""

    def on_train_begin(self, net, **kwargs):
        average = get_ema_multi_avg_fn(1 - 1 / max(net.budget_.n_steps / 50, 1))
        self.average_ = AveragedModel(net.module_, multi_avg_fn=average)

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.average_.update_parameters(net.module_)

    def on_train_end(self, net, **kwargs):
        averages = self.average_.module.parameters()
        for weight, average in zip(net.module_.parameters(), averages, strict=True):
            weight.data.copy_(average)


# What is changed, and where it changes anything.
BATCH_NORM = ("CNN", "FCNDAE", "EncoderDecoder", "ResCNN")
CLIPPED = ("DRNN", "LSTM")
CHANGES = {
    "as it is": (NAMES, {}),
    "noise as given": (NAMES, {"redraw_noise": False}),
    "constant rate": (NAMES, {"callbacks__learning_rate": None}),
    "last weights": (NAMES, {"validation_fraction": 0}),
    "averaged weights": (NAMES, {"validation_fraction": 0, "callbacks": [AveragedWeights()]}),
    "Huber loss": (NAMES, {"criterion": nn.HuberLoss, "criterion__delta": 0.1}),
    "a scale per curve": (NAMES, {"scale": "curve"}),
    "norm learns on": (BATCH_NORM, {"callbacks__settled_norm": None}),
    "no clipping": (CLIPPED, {"gradient_clip": None}),
}
# As published or, where a paper is silent, as its nearest public account trains; what no account
# reports is off. Sources: "Departures from the paper" of each denoiser.
SILENT = {
    "redraw_noise": False,
    "gradient_clip": None,
    "callbacks__learning_rate": None,
    "callbacks__settled_norm": None,
}
PUBLISHED = {
    "DRNN": {"bidirectional": False, "lr": 1e-3, "batch_size": 128},
    "LSTM": {"bidirectional": False, "lr": 1e-3, "batch_size": 128},
    "CNN": {"min_length": 1, "lr": 1e-3, "batch_size": 128},
    "FCNDAE": {"lr": 5e-5, "batch_size": 32, "optimizer__betas": (0.9, 0.99)},
    "EncoderDecoder": {"lr": 1e-3, "batch_size": 128},
    "VanillaNL": {"criterion": denoisers.SSDMADLoss, "lr": 1e-3, "batch_size": 128},
    "ResCNN": {"scale": "curve", "lr": 5e-5, "batch_size": 40, "optimizer__betas": (0.5, 0.9)},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--share", type=float, default=0.1, help="of the default steps")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--changes", nargs="+", choices=[*CHANGES, "as published"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pairs = make_dce_curves(arguments.pairs, random_state=0)
    least = squared_errors(limit_curves).sum()
    rows = {(row["change"], row["network"]): row for row in earlier("recipe")}
    for change, name, params in wanted(arguments):
        error = np.sqrt(trained(name, params, pairs, arguments.share).sum() / least)
        # Rows of earlier runs stay, so each says how long its training was.
        found = {"pairs": arguments.pairs, "share": arguments.share, "error": float(error)}
        rows[change, name] = {"change": change, "network": name, **found}
        write("recipe", list(rows.values()), table(rows))


def wanted(arguments):
    """Yield (change, network, parameters), those of one network together."""
    for name in arguments.only:
        changes = {key: params for key, (names, params) in CHANGES.items() if name in names}
        changes["as published"] = SILENT | PUBLISHED[name]
        for change, params in changes.items():
            if arguments.changes is None or change in arguments.changes:
                yield change, name, params


def trained(name, params, pairs, share):
    """Squared errors of a network trained for a share of its default steps, level by level."""
    denoiser = getattr(denoisers, f"Denoiser{name}")(guard=None, random_state=0)
    curves = share * denoiser.max_steps * denoiser.batch_size
    denoiser.set_params(**params)
    # Larger batches are fewer steps: all see as many curves.
    denoiser.set_params(max_steps=max(round(curves / denoiser.batch_size), 1))
    denoiser.fit(*pairs)
    return squared_errors(lambda level: denoiser.transform(fresh_curves(level)[0]))


def table(rows):
    """Markdown table, a line for each change."""
    changes = [key for key in (*CHANGES, "as published") if any(key == row[0] for row in rows)]

    def cell(change, name):
        return f"{rows[change, name]['error']:.3f}" if (change, name) in rows else ""

    lines = [[change, *(cell(change, name) for name in NAMES)] for change in changes]
    return markdown(["recipe", *NAMES], lines)


if __name__ == "__main__":
    main()
