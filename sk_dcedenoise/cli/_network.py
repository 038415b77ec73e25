"""The network of a run: a saved one, or one trained for the scan at hand."""

import json
from pathlib import Path

import numpy as np

from sk_dcedenoise.cli._law import covering_pairs
from sk_dcedenoise.cli._training import train
from sk_dcedenoise.cli._write import MANIFEST


def open_denoiser(path, frames):
    """Return a saved denoiser, checked against the frames of a scan."""
    from sk_dcedenoise.persistence import load

    if not Path(path).is_file():
        raise ValueError(
            f"--denoiser {path} is not there, but expected a file that train or map wrote."
        )
    denoiser = load(path)
    n_frames = getattr(denoiser, "n_features_in_", frames.size)
    if not hasattr(denoiser, "transform") or n_frames != frames.size:
        raise ValueError(
            f"--denoiser {path} is a {type(denoiser).__name__} for curves of {n_frames} frames, "
            f"but expected one for {frames.size}: train one for this scan."
        )
    _check_frames(path, frames)
    return denoiser


def _check_frames(path, frames):
    """Raise if the run that wrote a denoiser says other frame times than those of the scan."""
    try:
        text = Path(path).with_name(MANIFEST).read_text(encoding="utf-8")
        trained = np.asarray(json.loads(text)["settings"]["frames"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError):
        return  # a denoiser by itself says only how many
    trained, wanted = trained - trained[0], frames - frames[0]
    if trained.shape != wanted.shape or not np.allclose(trained, wanted, rtol=0.01, atol=0.05):
        raise ValueError(
            f"--denoiser {path} was trained for {trained.size} frames up to {trained[-1]:g} s "
            f"after the first, but the scan has {wanted.size} up to {wanted[-1]:g} s: train one "
            "for this scan."
        )


def train_for_scan(args, curves, frames, nodes, delays):
    """Return a denoiser trained on pairs that cover the curves, of which only finite ones count."""
    whole = curves[np.isfinite(curves).all(axis=1)]
    X, y, stretch = covering_pairs(args.pairs, whole, frames, nodes, delays, args.seed)
    if stretch > 1:
        print(f"Amplitudes of the training curves raised by up to {stretch:.2g} to cover yours.")
    # Amplitudes of the wide law span two decades: with one scale for all, weak curves count
    # for nothing, and their error after denoising is a third larger. The law covers what the scan
    # shows, so tissue that it lacks is rarer than the guard's default has it.
    return train(args, X, y, scale="curve", guard=0.35)
