"""Kinds of arguments, and those that several commands share."""

import argparse
import math
from pathlib import Path


def positive_integer(text):
    """A whole number above zero."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} was given, but expected a whole number above zero")


def seed(text):
    """A whole number that seeds random numbers."""
    if text.isascii() and text.isdigit() and int(text) < 2**32:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"{text!r} was given, but expected a whole number from 0 to 4294967295"
    )


def positive_number(text):
    """A finite number above zero."""
    value = number(text)
    if value > 0:
        return value
    raise argparse.ArgumentTypeError(f"{text!r} was given, but expected a number above zero")


def non_negative_number(text):
    """A finite number of at least zero."""
    value = number(text)
    if value >= 0:
        return value
    raise argparse.ArgumentTypeError(f"{text!r} was given, but expected a number of at least zero")


def number(text):
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    raise argparse.ArgumentTypeError(f"{text!r} was given, but expected a finite number")


def add_out(parser, *, out=None):
    """The folder to write."""
    parser.add_argument(
        "--out",
        type=Path,
        default=out,
        metavar="DIR",
        required=out is None,
        help="folder to write, made if need be; an earlier run's is replaced"
        + (f" (default: {out})" if out else ""),
    )


def add_seed(parser):
    """The seed."""
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="seed of all random numbers (default: 0)"
    )


def add_training_arguments(parser, *, out, pairs, steps, seconds):
    """The folder to write, and how long to train."""
    add_out(parser, out=out)
    add = parser.add_argument
    add(
        "--pairs",
        type=positive_integer,
        default=pairs,
        metavar="N",
        help=f"pairs of curves to train on (default: {pairs})",
    )
    add(
        "--steps",
        type=positive_integer,
        default=steps,
        metavar="N",
        help=f"training ends after so many steps (default: {steps}) ...",
    )
    add(
        "--seconds",
        type=positive_number,
        default=seconds,
        metavar="S",
        help=f"... or after so many seconds, if that is sooner (default: {seconds})",
    )
    add_seed(parser)


def add_scan_arguments(parser):
    """What was measured: curves, mask, times, signal or concentration, AIF and delays."""
    add = parser.add_argument
    add("curves", metavar="CURVES", type=Path, help="scan: .nii, .nii.gz, .npz, .npy or .csv")
    add("--key", help="key of the curves in an .npz file that holds several arrays")
    add(
        "--mask",
        type=Path,
        metavar="FILE",
        help="NIfTI mask of the voxels wanted (default: all that vary over time)",
    )
    add(
        "--time",
        help="frame times in s: a key of CURVES, a file, FILE.npz:KEY, START:STEP or T0,T1,... "
        "(default: those of a NIfTI file's header or sidecar)",
    )
    add(
        "--aif",
        required=True,
        help="plasma concentration in mM: a published AIF (parker, georgiou, weinmann, "
        "fritz_hansen, mcgrath), a key of CURVES, a file, or FILE.npz:KEY; one value per frame, "
        "or two columns: seconds and mM; or a NIfTI mask of an artery in the scan",
    )
    add(
        "--artery-voxels",
        type=positive_integer,
        metavar="N",
        help="of the artery's mask, take the N voxels with the highest peak (default: all)",
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
    _add_signal_arguments(parser.add_argument_group("signals instead of concentrations"))


def _add_signal_arguments(group):
    add = group.add_argument
    add("--signal", action="store_true", help="CURVES are spoiled gradient echo signals")
    add("--TR", type=positive_number, metavar="S", help="repetition time in s")
    add("--flip-angle", type=positive_number, metavar="DEG", help="flip angle in degrees")
    add("--r1", type=positive_number, metavar="R", help="relaxivity in 1/s/mM")
    add("--T10", metavar="T", help="T1 before contrast in s: a number, a map, a file or a key")
    add("--T10-blood", type=positive_number, metavar="S", help="that of the artery's voxels")
    add("--baseline", type=positive_integer, metavar="N", help="number of frames before the bolus")


def add_model_arguments(parser, *, errors):
    """What to fit."""
    add = parser.add_argument
    add(
        "--model",
        choices=("extended_tofts", "tofts", "patlak"),
        default="extended_tofts",
        help="kinetic model to fit (default: extended_tofts)",
    )
    add(
        "--errors",
        action=argparse.BooleanOptionalAction,
        default=errors,
        help=f"standard errors, residuals and R2 as well (default: {'yes' if errors else 'no'})",
    )


def add_denoiser_argument(parser):
    """A denoiser at hand."""
    parser.add_argument(
        "--denoiser",
        type=Path,
        metavar="FILE",
        help="a denoiser that `train`, `map` or persistence.save wrote, for these frames and this "
        "AIF (default: one is trained)",
    )
