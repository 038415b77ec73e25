"""From a scan to maps: what does `sk-dcedenoise map` do for a phantom whose truth is known?

    python benchmarks/bench_phantom.py [--quick] [--noise 0.03 0.015 0.06] [--seconds 300]
                                       [--denoiser FILE] [--keep DIR]

Writes the digital phantom (128 x 128 x 8 voxels, 40 frames) as NIfTI files, and runs the command
with the mask of the tissue and the mask of the arteries, as a user would. Its maps are opened with
nibabel and compared with the truth, tissue by tissue, beside the maps of the curves as measured.
The network is trained in the first run and used again for the other levels of noise.
"""

import argparse
import json
import tempfile
from pathlib import Path

import nibabel
import numpy as np
import torch
from _report import markdown, write

from sk_dcedenoise.cli import main as command
from sk_dcedenoise.datasets import make_dce_phantom
from sk_dcedenoise.persistence import load
from sk_dcedenoise.volumes import save_phantom

SHAPE = (128, 128, 8)
NAMES = ("Ktrans", "ve", "vp")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small phantom, written nowhere")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.03, 0.015, 0.06], help="mM")
    parser.add_argument("--seconds", type=float, default=300.0, help="training")
    parser.add_argument("--steps", type=int, default=12_000, help="training")
    parser.add_argument("--denoiser", type=Path, help="a trained one, to be used for all levels")
    parser.add_argument("--keep", type=Path, help="folder to keep phantoms and maps in")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    shape = (32, 32, 2) if arguments.quick else SHAPE
    rows, denoiser = [], arguments.denoiser
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        for noise in arguments.noise:
            found, maps = measure(folder, shape, noise, denoiser, arguments)
            rows += found
            denoiser = denoiser or maps / "denoiser.safetensors"
        training = trained(denoiser)
    if arguments.quick:
        print(table(rows))
        return
    write("phantom", rows, table(rows), shape=shape, training=training)


def trained(denoiser):
    """What the run that trained a denoiser says of it."""
    settings = json.loads(denoiser.with_name("run.json").read_text())["settings"]
    epochs = len(load(denoiser).history)
    keys = ("pairs", "steps", "seconds", "seed", "delays")
    return {key: settings[key] for key in keys} | {"epochs": epochs}


def measure(folder, shape, noise, denoiser, arguments):
    """Return rows of errors, one per tissue, and the folder of the maps."""
    scan, maps = folder / f"phantom_{noise:g}", folder / f"maps_{noise:g}"
    phantom = make_dce_phantom(shape, noise_std=noise, random_state=0)
    scan.mkdir(parents=True, exist_ok=True)
    save_phantom(phantom, scan)
    options = ["--mask", scan / "mask.nii.gz", "--aif", scan / "artery.nii.gz"]
    options += ["--hematocrit", 0.42, "--out", maps]
    options += ["--steps", arguments.steps, "--seconds", arguments.seconds]
    options += ["--denoiser", denoiser] if denoiser else []
    if command(list(map(str, ["map", scan / "phantom.nii.gz", *options]))):
        raise RuntimeError("The command failed.")
    check_geometry(scan / "phantom.nii.gz", maps)
    regions = {name: phantom.labels == i for i, name in enumerate(phantom.names)}
    regions = {name: regions[name] for name in ("lesion", "gland", "muscle", "fat", "necrosis")}
    regions["all tissue"] = phantom.tissue
    return [errors(phantom, maps, noise, *region) for region in regions.items()], maps


def check_geometry(scan, maps):
    """Raise unless every map lies where the scan does."""
    scan = nibabel.load(scan)
    for path in maps.glob("*.nii.gz"):
        image = nibabel.load(path)
        if image.shape != scan.shape[:3] or not np.array_equal(image.affine, scan.affine):
            raise RuntimeError(f"{path} has another geometry than the scan.")


def errors(phantom, maps, noise, region, where):
    """Errors of one tissue, of the maps after denoising and of those of the curves as measured."""
    row = {"noise_mM": noise, "region": region, "voxels": int(where.sum())}
    row["noise_level"] = noise / float(phantom.clean[where].mean())
    row["trusted"] = float(np.mean(opened(maps, "trust", where) >= 0.5))
    for name in NAMES:
        truth = phantom.maps[name][where]
        for key, stem in (("denoised", name), ("measured", f"{name}_undenoised")):
            miss = opened(maps, stem, where) - truth
            row[f"{name}_rmse_{key}"] = float(np.sqrt(np.mean(miss**2)))
            row[f"{name}_median_error_{key}"] = float(np.median(np.abs(miss)))
            row[f"{name}_bias_{key}"] = float(miss.mean() / truth.mean())
    error = opened(maps, "Ktrans_se", where)
    for key, stem in (("denoised", "Ktrans"), ("measured", "Ktrans_undenoised")):
        miss = np.abs(opened(maps, stem, where) - phantom.maps.Ktrans[where])
        known = np.isfinite(error)
        row[f"Ktrans_within_two_se_{key}"] = float(np.mean((miss < 2 * error)[known]))
    return row


def opened(maps, name, where):
    return nibabel.load(maps / f"{name}.nii.gz").get_fdata()[where]


def table(rows):
    header = "noise|region|relative noise|trusted|Ktrans error|ve error|vp error"
    header += "|Ktrans, median error|bias of mean Ktrans: measured|denoised"
    header += "|within 2 standard errors: measured|denoised"
    lines = []
    for row in rows:
        ratios = (row[f"{name}_rmse_denoised"] / row[f"{name}_rmse_measured"] for name in NAMES)
        median = row["Ktrans_median_error_denoised"] / row["Ktrans_median_error_measured"]
        keys = ("measured", "denoised")
        biases = (f"{row[f'Ktrans_bias_{key}']:+.1%}" for key in keys)
        covered = (f"{row[f'Ktrans_within_two_se_{key}']:.0%}" for key in keys)
        lines.append(
            [
                f"{row['noise_mM']:g} mM",
                row["region"],
                f"{row['noise_level']:.0%}",
                f"{row['trusted']:.1%}",
                *(f"{ratio:.2f}" for ratio in [*ratios, median]),
                *biases,
                *covered,
            ]
        )
    note = (
        "Errors are relative to those of the fit of the curves as measured (root mean square over "
        "the region's voxels, or median of absolute errors); relative noise is the standard "
        "deviation divided by the region's mean concentration."
    )
    return f"{markdown(header.split('|'), lines)}\n\n{note}"


if __name__ == "__main__":
    main()
