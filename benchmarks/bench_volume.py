"""What does a whole volume cost, denoised and fitted, in time and memory?

    python benchmarks/bench_volume.py [--quick] [--threads 1] [--device cpu] [--rounds 1]

Parts of a volume of 256 x 256 x 20 voxels and 32 frames, and all of it, go through a
DenoiserVanillaNL and a ToftsTransformer, each size in a process of its own. Memory is the largest
part of it in use at any one time, input included, above what the libraries and the fitted
estimators need. CPU time is more robust than wall time where other programs run, and the number of
instructions knows nothing of them. The plot stands beside the figures.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from _clock import Clock
from _report import RESULTS, markdown, write

from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import DenoiserVanillaNL
from sk_dcedenoise.fitting import ToftsTransformer

SHAPE = (256, 256, 20)
SIZES = (10_000, 100_000, 300_000, 1_000_000, int(np.prod(SHAPE)))
QUICK_SIZES = (1_000, 5_000, 10_000, 20_000)
# Below this number of voxels, fixed costs show; from there on cost should be proportional.
LEAST_LINEAR = 100_000
KINDS = ("wall", "cpu", "instructions")
TIME = 3.75 * np.arange(32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--rounds", type=int, default=1, help="medians of so many are quoted")
    parser.add_argument("--quick", action="store_true", help="small volumes, written nowhere")
    parser.add_argument("--voxels", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.voxels:
        print(json.dumps(measure(arguments.voxels, arguments.threads, arguments.device)))
        return
    sizes = QUICK_SIZES if arguments.quick else SIZES
    rows = measured_apart(sizes, arguments)
    least = LEAST_LINEAR if not arguments.quick else sizes[1]
    text = f"{table(rows)}\n\n{summary(rows, least)}"
    if arguments.quick:
        print(text)
        return
    torch.set_num_threads(arguments.threads)
    stem = f"volume_{arguments.device}_{arguments.threads}"
    write(stem, rows, text, device=arguments.device, rounds=arguments.rounds)
    plot(rows, RESULTS / f"{stem}.png")


# ---- one size ------------------------------------------------------------------------------------


def measure(n_voxels, threads, device):
    """Return one row: seconds and memory of `n_voxels` curves in this process."""
    torch.set_num_threads(threads)
    X, y = make_dce_curves(512, time=TIME, random_state=0)
    # The time that a network takes does not depend on its weights.
    denoiser = DenoiserVanillaNL(max_epochs=1, device=device, random_state=0).fit(X, y)
    fitter = ToftsTransformer(TIME, device=device).fit(X)
    fitter.transform(denoiser.transform(X))
    memory_before = memory("VmRSS")
    curves = volume(n_voxels, y.astype(np.float32)).reshape(-1, len(TIME))
    clocks = Clock(), Clock()
    with clocks[0]:
        denoised = denoiser.transform(curves)
    with clocks[1]:
        parameters = fitter.transform(denoised)
    if not np.isfinite(parameters).all():
        raise RuntimeError("Some curves have no parameters.")
    used = memory("VmHWM") - memory_before
    row = {"voxels": n_voxels, "input_mb": curves.nbytes / 2**20, "peak_mb": used / 2**20}
    for name, clock in zip(("denoise", "fit"), clocks, strict=True):
        kinds = (f"{name}_{kind}" for kind in KINDS)
        row |= dict(zip(kinds, clock.elapsed.tolist(), strict=True))
    return row | {"peak_per_input": used / curves.nbytes}


def volume(n_voxels, clean):
    """Return float32 curves with noise, made piece by piece so that nothing else takes memory."""
    rng = np.random.default_rng(0)
    curves = np.empty((n_voxels, clean.shape[1]), np.float32)
    for start in range(0, n_voxels, len(clean)):
        piece = curves[start : start + len(clean)]
        noise = rng.standard_normal(piece.shape, np.float32)
        np.add(clean[: len(piece)], 0.02 * noise, out=piece)
    return curves


def memory(field):
    """Return bytes of this process: VmRSS is what it has, VmHWM the most that it ever had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"{field} is not in /proc/self/status, which this script needs: use Linux.")


# ---- all sizes -----------------------------------------------------------------------------------


def measured_apart(sizes, arguments):
    """Return one row of medians per size, each run in a process of its own, sizes in turn."""
    runs = {size: [] for size in sizes}
    settings = ["--threads", str(arguments.threads), "--device", arguments.device]
    for _ in range(arguments.rounds):
        for size in sizes:
            command = [sys.executable, __file__, "--voxels", str(size), *settings]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            runs[size].append(json.loads(answer.stdout))
            print(runs[size][-1], file=sys.stderr, flush=True)
    return [
        {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
        for rows in runs.values()
    ]


def total(row, kind):
    return row[f"denoise_{kind}"] + row[f"fit_{kind}"]


def linearity(rows, kind, least):
    """Largest relative deviation of the cost per voxel from its mean over sizes."""
    cost = np.array([total(row, kind) / row["voxels"] for row in rows if row["voxels"] >= least])
    return np.abs(cost / cost.mean() - 1).max()


def table(rows):
    kinds = counted(rows)
    header = [f"{kind} per voxel" for kind in kinds]
    header = ["voxels", *header, "fit's share of CPU", "input", "peak memory", "peak / input"]
    last = rows[-1]

    def per_voxel(row, kind):
        return total(row, kind) / row["voxels"] / (total(last, kind) / last["voxels"])

    lines = [
        [
            f"{row['voxels']:,.0f}",
            *(f"{per_voxel(row, kind):.3f}" for kind in kinds),
            f"{row['fit_cpu'] / total(row, 'cpu'):.1%}",
            f"{row['input_mb']:.1f} MB",
            f"{row['peak_mb']:.1f} MB",
            f"{row['peak_per_input']:.2f}",
        ]
        for row in rows
    ]
    return markdown(header, lines)


def summary(rows, least):
    within = ", ".join(f"{linearity(rows, kind, least):.1%} ({kind})" for kind in counted(rows))
    return f"From {least:,} voxels on, the cost per voxel stays within {within} of its mean."


def counted(rows):
    """Kinds of cost that this machine tells; instructions are not counted on all."""
    return [kind for kind in KINDS if np.isfinite([total(row, kind) for row in rows]).all()]


def plot(rows, path):
    """Draw cost against number of voxels, and the line of a cost in proportion."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    voxels = np.array([row["voxels"] for row in rows])
    figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
    for kind, marker in zip(counted(rows), "sox", strict=False):
        cost = np.array([total(row, kind) for row in rows])
        per_voxel = (cost / voxels)[voxels >= LEAST_LINEAR].mean()
        axes.plot(voxels, cost / per_voxel / 1e6, marker, label=kind)
    axes.plot([0, voxels.max()], [0, voxels.max() / 1e6], color="0.5", label="in proportion")
    axes.set(xlabel="voxels", ylabel="cost, a million voxels = 1")
    axes.legend()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
