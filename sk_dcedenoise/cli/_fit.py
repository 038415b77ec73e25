"""Fit a kinetic model to curves as they were measured, without denoising.

CURVES holds concentrations in mM, or signals with --signal: a 4-D NIfTI file, or one curve in each
row of an .npz, .npy or .csv file. Every curve is fitted, and status says how it ended: 0 is an
optimum inside all bounds, 1024 no enhancement, 2048 no fit (NaN).

Writes to DIR: for a volume one map per parameter with a JSON sidecar (Ktrans.nii.gz, ...), for a
table parameters.csv; Ktrans and kep in 1/min, ve and vp fractions, delay in s; and run.json.

Example: sk-dcedenoise fit scan.nii.gz --mask tissue.nii.gz --aif artery.nii.gz --hematocrit 0.42
--errors --out maps
"""

import time

from sk_dcedenoise.cli._arguments import add_model_arguments, add_out, add_scan_arguments
from sk_dcedenoise.cli._write import output_folder, settings_of


def add_arguments(parser):
    """Add the arguments of this command."""
    add_scan_arguments(parser)
    add_model_arguments(parser, errors=False)
    add_out(parser)


def run(args):
    """Run the command."""
    started = time.monotonic()
    from sk_dcedenoise.cli._kinetics import KineticFit, parameter_names
    from sk_dcedenoise.cli._run import plasma_and_delays, say_parameters
    from sk_dcedenoise.cli._scan import open_scan

    scan = open_scan(args, min_times=len(parameter_names(args.model, (0, 1))) + 1)
    settings = settings_of(args)
    with output_folder(args.out, "fit", settings) as out:
        nodes, delays = plasma_and_delays(args, scan)
        settings |= {"frames": scan.frames.tolist(), "delays": delays}
        kinetic = KineticFit(args.model, scan.frames, nodes, delays, errors=args.errors)
        columns = kinetic.columns(scan.curves, "fitting")
        say_parameters([("fit", columns)], kinetic.names)
        notes = {"Model": args.model, "FittedTo": "curves as measured"}
        scan.write_parameters(out, [(columns, notes)])
    print(f"\nWrote parameters to {args.out}, {time.monotonic() - started:.0f} s.")
