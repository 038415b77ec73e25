"""Concentrations from the signals of a scan, by the sequence that the user describes."""

import numpy as np

_OPTIONS = {
    "--TR": "TR",
    "--flip-angle": "flip_angle",
    "--r1": "r1",
    "--T10": "T10",
    "--baseline": "baseline",
}


def check_signal_arguments(args):
    """Raise unless the sequence is described in full, or not at all."""
    given = [option for option, name in _OPTIONS.items() if getattr(args, name) is not None]
    missing = [option for option in _OPTIONS if option not in given]
    if args.signal and missing:
        raise ValueError(
            f"--signal was given without {', '.join(missing)}, but expected all of "
            f"{', '.join(_OPTIONS)}: signals mean nothing without their sequence."
        )
    if given and not args.signal:
        raise ValueError(
            f"{given[0]} was given without --signal, but concentrations need no sequence: add "
            "--signal if CURVES are signals."
        )


def check_unit(args, unit, path):
    """Raise if a file says that it holds something else than is asked for."""
    is_concentration = unit in ("mM", "mmol/L", "mmol/l")
    if unit is not None and not args.signal and not is_concentration:
        raise ValueError(
            f"CURVES {path} are in {unit!r} by the sidecar, but expected mM: convert them, or add "
            "--signal and the sequence if they are signals."
        )
    if args.signal and is_concentration:
        raise ValueError(
            f"CURVES {path} are in {unit!r} by the sidecar, but --signal was given: leave it out."
        )


def concentrations(args, signals, T10):
    """Return mM, NaN where no concentration explains a signal; as they are, without --signal."""
    from sk_dcedenoise.signal import concentration_from_signal

    if not args.signal:
        return signals
    found = concentration_from_signal(
        signals,
        TR=args.TR,
        flip_angle=args.flip_angle,
        r1=args.r1,
        T10=T10,
        n_baseline=args.baseline,
    )
    lost = ~np.isfinite(found).all(axis=1)
    if lost.all():
        raise ValueError(
            "no curve's signals have concentrations that explain them, but expected that of most: "
            "check --TR in s, --flip-angle in degrees, --T10 in s and --baseline."
        )
    return found
