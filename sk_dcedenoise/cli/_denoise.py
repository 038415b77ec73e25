"""Denoise measured curves with a network trained for their protocol, and fit a kinetic model.

CURVES holds concentrations in mM, or signals with --signal: a 4-D NIfTI file, or one curve in each
row of an .npz, .npy or .csv file. Without --denoiser, training pairs are drawn from a wide law on
the time grid and with the AIF given, with the bolus delays, amplitudes and noise of the curves.
Curves that do not bear out the network go by the data.

Writes to DIR, for a table: curves.npz (time, noisy, denoised and fitted curves), curves.csv
(denoised curves, one in each line), parameters.csv and parameters_undenoised.csv (fitted to
denoised and to noisy curves: Ktrans in 1/min, ve, vp, delay in s; trust). For a volume:
denoised.nii.gz and trust.nii.gz; `map` writes maps of the parameters. And in any case figure.png,
and run.json with settings and versions.

Example: sk-dcedenoise denoise scan.npz --key C_mM --time t_s --aif Cp_mM --out results
"""

import time

import numpy as np

from sk_dcedenoise.cli._arguments import (
    add_denoiser_argument,
    add_model_arguments,
    add_scan_arguments,
    add_training_arguments,
)
from sk_dcedenoise.cli._write import output_folder, settings_of, write_csv


def add_arguments(parser):
    """Add the arguments of this command."""
    add_scan_arguments(parser)
    add_model_arguments(parser, errors=False)
    add_denoiser_argument(parser)
    add_training_arguments(parser, out=None, pairs=50_000, steps=6000, seconds=180.0)


def run(args):
    """Run the command."""
    started = time.monotonic()
    # What is behind takes seconds to import: not before the arguments are known to be sound.
    from sk_dcedenoise.cli._kinetics import KineticFit, parameter_names
    from sk_dcedenoise.cli._network import open_denoiser, train_for_scan
    from sk_dcedenoise.cli._run import denoise, plasma_and_delays, say_parameters, say_trust
    from sk_dcedenoise.cli._scan import open_scan
    from sk_dcedenoise.plotting import empty_figure

    scan = open_scan(args, min_times=len(parameter_names(args.model, (0, 1))) + 1)
    denoiser = open_denoiser(args.denoiser, scan.frames) if args.denoiser else None
    figure = empty_figure((10.4, 7.6))
    settings = settings_of(args)
    with output_folder(args.out, "denoise", settings) as out:
        nodes, delays = plasma_and_delays(args, scan)
        settings |= {"frames": scan.frames.tolist(), "delays": delays}
        curves = scan.curves
        denoiser = denoiser or train_for_scan(args, curves, scan.frames, nodes, delays)
        kinetic = KineticFit(args.model, scan.frames, nodes, delays)
        before = kinetic.columns(curves, "fitting")
        denoised, trust = denoise(denoiser, curves, kinetic, before)
        after = kinetic.columns(denoised, "fitting denoised curves") | {"trust": trust}
        fits = ("fit of noisy curves", before), ("fit of denoised curves", after)
        say_parameters(fits, kinetic.names)
        say_trust(trust)
        fitted = kinetic.curves(after)
        scan.write_curves(out, denoised)
        if scan.mask is None:
            _write_table(args, out, scan, kinetic, (before, after), denoised, fitted)
        else:
            scan.write_parameters(out, [({"trust": trust}, {})])
        _draw(figure, scan, denoised, fitted, [f[1] for f in fits], kinetic.names)
        figure.savefig(out / "figure.png", dpi=150)
    print(f"\nWrote curves and figure to {args.out}, {time.monotonic() - started:.0f} s.")


def _write_table(args, out, scan, kinetic, fits, denoised, fitted):
    np.savez_compressed(
        out / "curves.npz", time=scan.frames, noisy=scan.curves, denoised=denoised, fitted=fitted
    )
    names = kinetic.outputs if args.errors else kinetic.names
    for stem, columns in zip(("parameters_undenoised", "parameters"), fits, strict=True):
        chosen = [*names, *(["trust"] if "trust" in columns else [])]
        table = np.column_stack([columns[name] for name in chosen])
        write_csv(out / f"{stem}.csv", chosen, table)


def _draw(figure, scan, denoised, fitted, fits, names):
    from sk_dcedenoise.plotting import DenoisingDisplay, ParameterHistogramDisplay

    top, bottom = figure.subfigures(2, 1, height_ratios=[2, 1])
    panels = top.subplots(2, 4).ravel()
    whole = np.isfinite(denoised).all(axis=1) & np.isfinite(fitted).all(axis=1)
    n_panels = min(8, np.count_nonzero(whole))
    for unused in panels[n_panels:]:
        unused.remove()
    DenoisingDisplay.from_predictions(
        scan.curves[whole],
        denoised[whole],
        time=scan.frames,
        y_fitted=fitted[whole],
        curves=8,
        ax=panels[:n_panels],
    )
    before, after = ({name: columns[name] for name in names} for columns in fits)
    axes = bottom.subplots(1, len(names))
    ParameterHistogramDisplay.from_predictions(before, after, ax=axes)
