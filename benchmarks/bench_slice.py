"""A measured slice: is what a denoiser removes noise, and which curves does it not trust?

    python benchmarks/bench_slice.py [--steps 10000]

Half a slice of 2,250 enhancing voxels and 25 frames (reference data; skipped where they are not),
of which no truth is known. DenoiserCNN is trained on a wide law with the delays and the noise of
these curves, and guarded as the command line does it. The correlation from frame to frame of what
it removes is shown beside that of what it removes from training curves, and of their noise; and the
share of curves that it trusts, by how far the kinetic model explains them.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from _report import RESULTS, ROOT, markdown, write

from sk_dcedenoise.cli._law import covering_pairs, find_delays, longest_lead, plasma_nodes
from sk_dcedenoise.denoisers import DenoiserCNN
from sk_dcedenoise.fitting import ToftsTransformer

LAGS = range(1, 7)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=10_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder = os.environ.get("SK_DCEDENOISE_REFERENCE_DATA", ROOT.parent / "shared" / "data")
    path = Path(folder) / "invivo_slice_left.npz"
    if not path.exists():
        print(f"Skipped: {path} is not there.")
        return
    scan = np.load(path)
    time, noisy = scan["t_s"], scan["C_mM"]
    nodes = plasma_nodes((time, scan["Cp_mM"]), time, None, longest_lead(time))
    delays = find_delays(noisy, time, nodes)
    X, y, _ = covering_pairs(arguments.pairs, noisy, time, nodes, delays, 0)
    settings = {"scale": "curve", "guard": 0.35, "max_steps": arguments.steps}
    network = DenoiserCNN(**settings, random_state=0).fit(X, y)
    fell_back, guarded = network.fell_back(noisy), network.transform(noisy)
    network.set_params(guard=None)
    removed = {
        "the slice, guarded": noisy - guarded,
        **by_trust(noisy - network.transform(noisy), fell_back),
        "training curves, without guard": X[:5000] - network.transform(X[:5000]),
        "training curves, their noise": X[:5000] - y[:5000],
    }
    rows = [{"from": name, "lags": correlations(some)} for name, some in removed.items()]
    groups = tissue(noisy, time, nodes, delays)
    shares = {name: float(1 - fell_back[here].mean()) for name, here in groups.items()}
    header = ["what was removed", *(f"lag {lag}" for lag in LAGS)]
    lines = [[row["from"], *(f"{value:+.2f}" for value in row["lags"])] for row in rows]
    text = markdown(header, lines) + "\n\n"
    text += markdown(["curves", "number", "trusted"], [
        [name, int(here.sum()), f"{shares[name]:.1%}"] for name, here in groups.items()
    ])  # fmt: skip
    write("slice", rows, text, delays=delays, trusted=shares)
    draw(noisy, guarded, time, fell_back, RESULTS / "slice.png")


def by_trust(removed, fell_back):
    """What was removed from trusted and from other curves."""
    return {
        "the slice, without guard: trusted curves": removed[~fell_back],
        "the slice, without guard: those that fell back": removed[fell_back],
    }


def correlations(removed):
    """Correlation from frame to frame at several lags, every curve counting the same."""
    unit = removed / np.sqrt(np.mean(removed**2, axis=1, keepdims=True) + 1e-30)
    return [float(np.mean(unit[:, lag:] * unit[:, :-lag])) for lag in LAGS]


def tissue(noisy, time, nodes, delays):
    """Groups of curves by their kinetic fit."""
    outputs = ["Ktrans", "ve", "vp", "residual_std"]
    fit = ToftsTransformer(time, nodes, delay=delays, outputs=outputs)
    Ktrans, ve, vp, residual = fit.fit_transform(noisy).T
    noise = noise_of_each(noisy)
    misfit = residual / noise
    return {
        "all": np.ones(len(noisy), bool),
        "the fit leaves less than the noise": misfit < 1,
        "1 to 1.5 times the noise": (misfit >= 1) & (misfit < 1.5),
        "1.5 to 2 times": (misfit >= 1.5) & (misfit < 2),
        "more than twice": misfit >= 2,
        "dips below zero by three times the noise": noisy.min(axis=1) < -3 * noise,
        "vessels (vp > 0.1)": vp > 0.1,
        "fast leakage (Ktrans > 0.2 /min)": Ktrans > 0.2,
        "still rising at the end (ve at its bound)": ve > 0.99,
    }


def noise_of_each(curves):
    """Noise of each curve by second differences of its second half, where the bolus is gone."""
    bends = np.diff(curves[:, curves.shape[1] // 2 :], n=2, axis=1)
    return np.sqrt(np.mean(bends**2, axis=1) / 6)


def draw(noisy, denoised, time, fell_back, path):
    """Some curves that were trusted and some that were not."""
    from matplotlib.figure import Figure

    figure = Figure((10, 5), layout="constrained")
    axes = figure.subplots(2, 5, sharex=True)
    rng = np.random.RandomState(0)
    for line, (which, title) in zip(
        axes, ((~fell_back, "trusted"), (fell_back, "fell back")), strict=True
    ):
        for ax, i in zip(line, rng.choice(np.flatnonzero(which), 5, replace=False), strict=True):
            ax.plot(time, noisy[i], ".", color="0.6")
            ax.plot(time, denoised[i], color="C0")
            ax.set_title(title, fontsize="small")
    figure.supxlabel("time (s)")
    figure.supylabel("concentration (mM)")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
