"""Draw the README's figure: curves before and after denoising, and errors against the limit.

    python benchmarks/figure_readme.py [--models DIR]

Takes DenoiserCNN with its defaults, trained on 100,000 pairs as in `bench_denoisers.py`, and draws
fresh curves of the reference law and their errors, level by level, with its guard and without, into
docs/_static/readme.png.
"""

import argparse
import copy

import numpy as np
import torch
from _reference_law import (
    LEVELS,
    N_CURVES,
    TIME,
    fresh_curves,
    limit_curves,
    squared_errors,
    trained,
)
from _report import ROOT
from matplotlib.ticker import NullLocator

from sk_dcedenoise.baselines import PCADenoiser
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.plotting import DenoisingDisplay, empty_figure

N_PAIRS = 100_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", help="folder of trained networks, read and written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = trained("CNN", N_PAIRS, arguments.models)
    bare = copy.deepcopy(network).set_params(guard=None)
    pca = PCADenoiser(n_components=3).fit(*make_dce_curves(N_PAIRS, random_state=0))
    figure = empty_figure((9.0, 3.2))
    left, right = figure.subfigures(1, 2, width_ratios=[1.7, 1.0])
    noisy, clean, _ = fresh_curves(0.2)
    DenoisingDisplay.from_estimator(
        network, noisy, clean, time=TIME, curves=6, ax=left.subplots(2, 3)
    )
    left.suptitle("Curves with 20 % noise", fontsize="medium")
    draw_errors(
        right.subplots(),
        {
            "PCA, 3 components": lambda level: pca.transform(fresh_curves(level)[0]),
            "DenoiserCNN": lambda level: network.transform(fresh_curves(level)[0]),
            "without guard": lambda level: bare.transform(fresh_curves(level)[0]),
            "least possible": limit_curves,
        },
    )
    right.suptitle(f"Error of {N_CURVES:,} fresh curves a level", fontsize="medium")
    figure.savefig(ROOT / "docs" / "_static" / "readme.png", dpi=130)


def draw_errors(ax, methods):
    """Errors over those of the noisy curves, for each level of noise."""
    before = squared_errors(lambda level: fresh_curves(level)[0])
    styles = {"PCA, 3 components": "C7o-", "DenoiserCNN": "C0o-"}
    styles |= {"without guard": "C0o:", "least possible": "k--"}
    percent = 100 * np.array(LEVELS)
    for name, denoise in methods.items():
        ratios = np.sqrt(squared_errors(denoise) / before)
        print(name, ratios.round(3))
        ax.plot(percent, ratios, styles[name], label=name, markersize=4)
    ax.set(xscale="log", ylim=(0, 1), xlabel="noise level (%)", ylabel="error / before")
    ax.set_xticks(percent, [f"{level:g}" for level in percent])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")


if __name__ == "__main__":
    main()
