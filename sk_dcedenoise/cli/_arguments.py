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


def number(text):
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    raise argparse.ArgumentTypeError(f"{text!r} was given, but expected a finite number")


def add_training_arguments(parser, *, out, pairs, steps, seconds):
    """The folder to write, and how long to train."""
    add = parser.add_argument
    add(
        "--out",
        type=Path,
        default=out,
        metavar="DIR",
        required=out is None,
        help="folder to write in, made if need be" + (f" (default: {out})" if out else ""),
    )
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
    add("--seed", type=seed, default=0, metavar="N", help="seed of all random numbers (default: 0)")
