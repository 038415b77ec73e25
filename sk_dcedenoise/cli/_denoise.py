"""Denoise measured curves with a network trained for their protocol, and fit a kinetic model.

CURVES holds concentrations in mM, one curve in each row: an .npz, .npy or .csv file. Training pairs
are drawn from a wide law on the time grid and with the AIF given, widened to the bolus delays and
amplitudes of the curves, with noise of 1 to 50 %.

Writes to DIR: curves.npz (time, noisy, denoised and fitted curves), curves.csv (denoised curves,
one in each line), parameters.csv and parameters_undenoised.csv (extended Tofts model, fitted to
denoised and to noisy curves: Ktrans in 1/min, ve, vp, delay in s) and figure.png.

Example: sk-dcedenoise denoise scan.npz --key C_mM --time t_s --aif Cp_mM --out results
"""

import time
from pathlib import Path

import numpy as np

from sk_dcedenoise.aif import NAMED_AIFS
from sk_dcedenoise.cli._arguments import add_training_arguments, number
from sk_dcedenoise.cli._read import read_aif, read_curves, read_time
from sk_dcedenoise.cli._train import train
from sk_dcedenoise.cli._write import output_folder, text_table, write_csv

_NAMES = ("Ktrans", "ve", "vp", "delay")


def add_arguments(parser):
    """Add the arguments of this command."""
    add = parser.add_argument
    add("curves", metavar="CURVES", type=Path, help="file of curves: .npz, .npy or .csv")
    add("--key", help="key of the curves in an .npz file that holds several arrays")
    add(
        "--time",
        required=True,
        help="frame times in s: a key of CURVES, a file, FILE.npz:KEY, START:STEP or T0,T1,...",
    )
    add(
        "--aif",
        required=True,
        help="plasma concentration in mM: a published AIF (parker, georgiou, weinmann, "
        "fritz_hansen, mcgrath), a key of CURVES, a file, or FILE.npz:KEY; one value per frame, "
        "or two columns: seconds and mM",
    )
    add(
        "--hematocrit",
        type=number,
        metavar="H",
        help="take the AIF as whole blood and divide it by 1 - H",
    )
    add(
        "--delay",
        type=number,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="bolus delays to train for and to fit, in s, against the AIF (default: those that the "
        "curves show)",
    )
    add_training_arguments(parser, out=None, pairs=50_000, steps=6000, seconds=180.0)


def run(args):
    """Run the command."""
    started = time.monotonic()
    curves = read_curves(args.curves, args.key, min_times=len(_NAMES) + 1)
    frames = read_time(args.time, args.curves, curves.shape[1])
    aif = read_aif(args.aif, args.curves, tuple(NAMED_AIFS))
    _check_delay(args.delay, frames)

    # What is behind takes seconds to import: not before the arguments are known to be sound.
    from sk_dcedenoise.cli import _law
    from sk_dcedenoise.plotting import empty_figure

    figure = empty_figure((10.4, 7.6))
    lead = -args.delay[0] if args.delay else _law.longest_lead(frames)
    nodes = _law.plasma_nodes(aif, frames, args.hematocrit, max(lead, 0.0))
    with output_folder(args.out) as out:
        print(f"{len(curves)} curves, {frames.size} frames from {frames[0]:g} to {frames[-1]:g} s.")
        delays = tuple(args.delay or ()) or _say_delays(_law.find_delays(curves, frames, nodes))
        X, y, stretch = _law.covering_pairs(args.pairs, curves, frames, nodes, delays, args.seed)
        if stretch > 1:
            print(
                f"Amplitudes of the training curves raised by up to {stretch:.2g} to cover yours."
            )
        # Amplitudes of the wide law span two decades: with one scale for all, weak curves count
        # for nothing, and their error after denoising is a third larger.
        denoised = train(args, X, y, scale="curve").transform(curves)
        before, after = (_fit(c, frames, nodes, delays) for c in (curves, denoised))
        _say_results(curves, denoised, before, after)
        _write(out, frames, curves, denoised, before, after)
        _draw(figure, frames, curves, denoised, before, after)
        figure.savefig(out / "figure.png", dpi=150)
    print(
        f"\nWrote curves, parameters and figure to {args.out}, {time.monotonic() - started:.0f} s."
    )


def _check_delay(delay, frames):
    """Raise if the delays given are none that this scan could show."""
    if delay is not None and not -np.ptp(frames) < delay[0] <= delay[1] < np.ptp(frames):
        raise ValueError(
            f"--delay {delay[0]:g} {delay[1]:g} was given, but expected LOW HIGH in this order, "
            f"both shorter than the scan, {np.ptp(frames):g} s."
        )


def _say_delays(found):
    """The delays found, or those of the wide law, and a sentence about them."""
    from sk_dcedenoise.cli._law import WIDE_DELAYS

    low, high = WIDE_DELAYS if found is None else found
    why = "the curves show none, so the usual ones" if found is None else "as the curves show"
    print(f"Bolus delays from {low:.1f} to {high:.1f} s against the AIF, {why}.")
    return low, high


def _fit(curves, frames, nodes, delays):
    """Parameters by name, and the fitted curves."""
    from sk_dcedenoise.fitting import ToftsTransformer

    outputs = _NAMES if delays[0] < delays[1] else _NAMES[:-1]
    tofts = ToftsTransformer(frames, nodes, delay=delays, outputs=outputs)
    columns = tofts.fit_transform(curves)
    found = dict(zip(outputs, columns.T, strict=True))
    return {"delay": np.full(len(curves), delays[0]), **found}, tofts.inverse_transform(columns)


def _say_results(curves, denoised, before, after):
    """A table of parameters, and how many curves the network does not know."""
    print("\nMedian and middle 90 % of the parameters, Ktrans in 1/min, delay in s:")
    fits = ("fit of noisy curves", before[0]), ("fit of denoised curves", after[0])
    rows = [(title, *(_middle(params[name]) for name in _NAMES)) for title, params in fits]
    print(text_table(("", *_NAMES), rows))
    removed, left = (_rms(curves - other) for other in (denoised, before[1]))
    unlike = np.mean(removed > 1.5 * left)
    share = np.sum(removed) / np.nansum(left)
    print(f"\nThe network removed {share:.2f} times what a kinetic fit leaves over.")
    if unlike > 0:
        print(
            f"In {unlike:.1%} of the curves it removed more than 1.5 times that: they are unlike "
            "its training curves;\nthere, trust parameters_undenoised.csv."
        )


def _middle(values):
    low, median, high = np.nanpercentile(values, [5, 50, 95])
    return f"{median:.3g} ({low:.2g} to {high:.2g})"


def _rms(curves):
    return np.sqrt(np.mean(curves**2, axis=1))


def _write(out, frames, curves, denoised, before, after):
    np.savez_compressed(
        out / "curves.npz", time=frames, noisy=curves, denoised=denoised, fitted=after[1]
    )
    write_csv(out / "curves.csv", [f"t={t:g}s" for t in frames], denoised)
    for name, (params, _) in (("parameters", after), ("parameters_undenoised", before)):
        write_csv(out / f"{name}.csv", _NAMES, np.column_stack([params[n] for n in _NAMES]))


def _draw(figure, frames, curves, denoised, before, after):
    from sk_dcedenoise.plotting import DenoisingDisplay, ParameterHistogramDisplay

    top, bottom = figure.subfigures(2, 1, height_ratios=[2, 1])
    panels = top.subplots(2, 4).ravel()
    for unused in panels[len(curves) :]:
        unused.remove()
    DenoisingDisplay.from_predictions(
        curves, denoised, time=frames, y_fitted=after[1], curves=8, ax=panels[: len(curves)]
    )
    before, after = ({name: params[name] for name in _NAMES} for params, _ in (before, after))
    ParameterHistogramDisplay.from_predictions(before, after, ax=bottom.subplots(1, 4))
