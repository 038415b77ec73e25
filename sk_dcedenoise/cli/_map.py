"""Denoise a scan, fit a kinetic model, and write maps with their errors, their trust and a report.

CURVES holds concentrations in mM, or signals with --signal: a 4-D NIfTI file, or one curve in each
row of an .npz, .npy or .csv file. Without --denoiser, a network is trained for this scan, as
`denoise` does it. Voxels whose data do not bear out the network go by the data.

Writes to DIR, each map with the scan's affine and a JSON sidecar: the parameters after denoising
(Ktrans and kep in 1/min, ve and vp fractions, delay in s), the same as measured (..._undenoised),
status (0 is an optimum inside all bounds), trust (1 to 0), and of the fit to the measured curves
standard errors (..._se), residual_std (mM, an estimate of the noise) and r2. For a table, all of
these are the columns of parameters.csv. And report.html, denoiser.safetensors if one was trained,
and run.json.

Example: sk-dcedenoise map scan.nii.gz --mask tissue.nii.gz --aif artery.nii.gz --hematocrit 0.42
--out maps
"""

import time

from sk_dcedenoise.cli._arguments import (
    add_denoiser_argument,
    add_model_arguments,
    add_scan_arguments,
    add_training_arguments,
)
from sk_dcedenoise.cli._write import output_folder, settings_of


def add_arguments(parser):
    """Add the arguments of this command."""
    add_scan_arguments(parser)
    add_model_arguments(parser, errors=True)
    add_denoiser_argument(parser)
    add_training_arguments(parser, out=None, pairs=50_000, steps=6000, seconds=180.0)


def run(args):
    """Run the command."""
    started = time.monotonic()
    # What is behind takes seconds to import: not before the arguments are known to be sound.
    from sk_dcedenoise.cli._kinetics import KineticFit, parameter_names
    from sk_dcedenoise.cli._network import open_denoiser, train_for_scan
    from sk_dcedenoise.cli._report import Result, write_report
    from sk_dcedenoise.cli._run import denoise, plasma_and_delays, say_parameters, say_trust
    from sk_dcedenoise.cli._scan import open_scan
    from sk_dcedenoise.persistence import save
    from sk_dcedenoise.plotting import empty_figure

    empty_figure((1, 1))  # says at once if matplotlib is not there
    scan = open_scan(args, min_times=len(parameter_names(args.model, (0, 1))) + 1)
    denoiser = open_denoiser(args.denoiser, scan.frames) if args.denoiser else None
    settings = settings_of(args)
    with output_folder(args.out, "map", settings) as out:
        nodes, delays = plasma_and_delays(args, scan)
        settings |= {"frames": scan.frames.tolist(), "delays": delays}
        if denoiser is None:
            denoiser = train_for_scan(args, scan.curves, scan.frames, nodes, delays)
            save(denoiser, out / "denoiser.safetensors")
        kinetic = KineticFit(args.model, scan.frames, nodes, delays)
        before = kinetic.columns(scan.curves, "fitting")
        denoised, trust = denoise(denoiser, scan.curves, kinetic, before)
        after = kinetic.columns(denoised, "fitting denoised curves")
        say_parameters([("as measured", before), ("denoised", after)], kinetic.names)
        say_trust(trust)
        scan.write_parameters(out, _groups(args, kinetic, before, after, trust))
        result = Result(scan, nodes, delays, denoiser, kinetic, before, after, denoised, trust)
        write_report(out / "report.html", result, settings)
    took = time.monotonic() - started
    print(f"\nWrote maps and report.html to {args.out}, {took:.0f} s.")


def _groups(args, kinetic, before, after, trust):
    """Columns to write, with what their sidecars say."""
    parameters = [name for name in kinetic.outputs if name in (*kinetic.names, "kep")]
    of_denoised = {name: after[name] for name in (*parameters, "status")} | {"trust": trust}
    of_measured = {f"{name}_undenoised": before[name] for name in kinetic.names}
    if args.errors:
        quality = [f"{name}_se" for name in parameters] + ["residual_std", "r2"]
        of_measured |= {name: before[name] for name in quality}
    return [
        (of_denoised, {"Model": args.model, "FittedTo": "denoised curves"}),
        (of_measured, {"Model": args.model, "FittedTo": "curves as measured"}),
    ]
