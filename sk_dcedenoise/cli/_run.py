"""What the commands on a scan share: its plasma curve, its delays, and how it is denoised."""

import numpy as np

from sk_dcedenoise.cli._kinetics import progress
from sk_dcedenoise.cli._trust import guard

_AT_ONCE = 8192


def plasma_and_delays(args, scan):
    """Return nodes of the plasma curve, and the range of delays, which is said as well."""
    from sk_dcedenoise.cli import _law

    lead = -args.delay[0] if args.delay else _law.longest_lead(scan.frames)
    nodes = _law.plasma_nodes(scan.aif, scan.frames, args.hematocrit, max(lead, 0.0))
    frames = scan.frames
    print(
        f"{len(scan.curves)} curves, {frames.size} frames from {frames[0]:g} to {frames[-1]:g} s."
    )
    if args.delay:
        return nodes, tuple(args.delay)
    whole = scan.curves[np.isfinite(scan.curves).all(axis=1)]
    return nodes, _say_delays(_law.find_delays(whole, frames, nodes), _law.WIDE_DELAYS)


def _say_delays(found, usual):
    """The delays found, or those of the wide law, and a sentence about them."""
    low, high = usual if found is None else found
    why = "the curves show none, so the usual ones" if found is None else "as the curves show"
    print(f"Bolus delays from {low:.1f} to {high:.1f} s against the AIF, {why}.")
    return low, high


def denoise(denoiser, curves, kinetic, columns, title="denoising"):
    """Return denoised curves and trust; curves with a missing frame stay as they are, trust 0.

    Parameters
    ----------
    denoiser : fitted denoiser
    curves : ndarray of shape (n_curves, n_times)
        mM.
    kinetic : KineticFit
    columns : mapping of str to ndarray of shape (n_curves,)
        Its fit of the curves.
    title : str, default="denoising"
        What the progress bar says.

    Returns
    -------
    denoised : ndarray of shape (n_curves, n_times)
    trust : ndarray of shape (n_curves,)
    """
    denoised, trust = curves.copy(), np.zeros(len(curves))
    whole = np.flatnonzero(np.isfinite(curves).all(axis=1))
    for start in progress(range(0, whole.size, _AT_ONCE), title):
        rows = whole[start : start + _AT_ONCE]
        some = {name: values[rows] for name, values in columns.items()}
        found = denoiser.transform(curves[rows])
        denoised[rows], trust[rows] = guard(denoiser, curves[rows], found, kinetic, some)
    return denoised, trust


def say_parameters(fits, names):
    """Print medians and middle 90 % of parameters, a row per fit."""
    from sk_dcedenoise.cli._write import text_table

    print("\nMedian and middle 90 % of the parameters, Ktrans in 1/min, delay in s:")
    rows = [(title, *(middle(columns[name]) for name in names)) for title, columns in fits]
    print(text_table(("", *names), rows))


def middle(values):
    """Median and middle 90 % of what is finite, as a text."""
    values = values[np.isfinite(values)]
    if not values.size:
        return "none"
    low, median, high = np.percentile(values, [5, 50, 95])
    return f"{median:.3g} ({low:.2g} to {high:.2g})"


def say_trust(trust):
    """Print the share of curves that the network can be trusted with."""
    print(
        f"\n{share_trusted(trust):.1%} of the curves are trusted; the others go by the data more "
        "than by the network."
    )


def share_trusted(trust):
    """Share of curves with a trust of at least one half."""
    return float(np.mean(trust >= 0.5))
