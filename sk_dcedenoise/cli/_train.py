"""Train a denoiser for a scan's protocol, and save it for other scans of the same protocol.

CURVES, its times, its AIF and its delays say what to train for, as in `denoise`. The file serves
every scan with the same frame times, and an AIF like this one: `denoise` and `map` take it with
--denoiser.

Writes to DIR: denoiser.safetensors, history.png with the loss, and run.json.

Example: sk-dcedenoise train scan.nii.gz --aif artery.nii.gz --hematocrit 0.42 --out protocol
"""

import time

from sk_dcedenoise.cli._arguments import add_scan_arguments, add_training_arguments
from sk_dcedenoise.cli._write import output_folder, settings_of


def add_arguments(parser):
    """Add the arguments of this command."""
    add_scan_arguments(parser)
    add_training_arguments(parser, out=None, pairs=50_000, steps=12_000, seconds=360.0)


def run(args):
    """Run the command."""
    started = time.monotonic()
    from sk_dcedenoise.cli._network import train_for_scan
    from sk_dcedenoise.cli._run import plasma_and_delays
    from sk_dcedenoise.cli._scan import open_scan
    from sk_dcedenoise.persistence import save
    from sk_dcedenoise.plotting import TrainingHistoryDisplay, empty_figure

    scan = open_scan(args, min_times=5)
    figure, settings = empty_figure((4.5, 3.2)), settings_of(args)
    with output_folder(args.out, "train", settings) as out:
        nodes, delays = plasma_and_delays(args, scan)
        settings |= {"frames": scan.frames.tolist(), "delays": delays}
        denoiser = train_for_scan(args, scan.curves, scan.frames, nodes, delays)
        save(denoiser, out / "denoiser.safetensors")
        TrainingHistoryDisplay.from_estimator(denoiser, ax=figure.subplots())
        figure.savefig(out / "history.png", dpi=150)
    took = time.monotonic() - started
    print(f"\nWrote {args.out / 'denoiser.safetensors'}, {took:.0f} s.")
