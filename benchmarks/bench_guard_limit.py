"""What does safety outside the law have to cost inside, if one knew what may lie outside?

    python benchmarks/bench_guard_limit.py

The posterior mean under a mixture of the reference law and another is the best that any guard could
do that expects curves of the other law in that share: nothing is trained here. The other law is a
wide kinetic one, one that goes past the reference law in a single parameter or in size, that of
`KineticGuard`, where each parameter is of the reference law or anything within bounds, or, as
nobody can know, the very four laws of `bench_guard.py` that lie outside. Curves are fitted, inside
the reference law and in those four. "none" is the unguarded limit, against which the gain that is
kept inside the law is counted.
"""

import numpy as np
import torch
from _reference_law import BOUNDS, LEVELS, TIME
from _report import markdown, write
from bench_guard import LAWS, PARAMETERS, curves_of

from sk_dcedenoise.baselines import PosteriorMeanDenoiser
from sk_dcedenoise.datasets import reference_law_dictionary
from sk_dcedenoise.denoisers import KineticGuard
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts

# Ranges of the wide law: Ktrans and kep in 1/min, vp. A quarter of its curves are weak ones.
WIDE = ((0.0, 0.6), (0.05, 6.0), (0.0, 0.12))
N_OTHER = 70_000
# How far past the range of the reference law a parameter goes, and how much larger or smaller a
# curve, at most.
FACTOR, SIZE = 5.0, 20.0


def main():
    torch.set_num_threads(1)
    wide, one, four, kinetic = wide_curves(), one_outside(), four_laws(), of_kinetic_guard()
    # The reference law stands so many times in the dictionary beside the other.
    mixtures = {
        "none": (wide[:0], 1),
        "wide, 25 %": (wide, 3),
        "wide, 50 %": (wide, 1),
        "one outside, 10 %": (one[::3], 6),
        "one outside, 25 %": (one, 6),
        "kinetic guard, 10 %": (kinetic[::3], 6),
        "kinetic guard, 25 %": (kinetic, 6),
        "the four, 10 %": (four[::3], 3),
        "the four, 25 %": (four, 3),
    }
    levels = [level for level in LEVELS if level >= 0.1]
    rows = [measure(name, *mixtures[name], level) for name in mixtures for level in levels]
    alone = {row["level"]: row for row in rows if row["expected"] == "none"}
    lines = []
    for row in rows:
        base = alone[row["level"]]
        row["kept"] = {
            name: (1 - row["inside"][name]) / (1 - base["inside"][name]) for name in row["inside"]
        }
        kept = (f"{row['kept'][name]:.0%}" for name in ("curve", *PARAMETERS))
        outside = (f"{max(row[law].values()):.2f}" for law in list(LAWS)[1:])
        lines.append([row["expected"], f"{row['level']:.0%}", *kept, *outside])
    header = ["expected outside", "noise", "kept: curve", *PARAMETERS, *(list(LAWS)[1:])]
    write("guard_limit", rows, markdown(header, lines), n_other=N_OTHER)


def measure(name, others, copies, level):
    """Errors relative to those of noisy curves, law by law."""
    denoiser = limit(others, copies, level)
    row = {"expected": name, "level": level}
    for law in LAWS:
        noisy, errors = curves_of(law, level)
        ratios = errors(denoiser.transform(noisy)) / errors(noisy)
        found = dict(zip(("curve", *PARAMETERS), ratios.tolist(), strict=True))
        row["inside" if law == "reference" else law] = found
    return row


def limit(others, copies, level):
    """Posterior mean under the mixture, the level of noise known."""
    curves, _ = reference_law_dictionary()
    curves = np.concatenate([*[curves] * copies, others])
    denoiser = PosteriorMeanDenoiser(noise_levels=(level,), dtype="float32")
    return denoiser.fit(curves, curves)


def wide_curves():
    """Clean curves of the wide law."""
    rng = np.random.RandomState(0)
    Ktrans, kep, vp = (rng.uniform(low, high, N_OTHER) for low, high in WIDE)
    weak = np.where(rng.uniform(size=N_OTHER) < 0.25, np.exp(rng.uniform(-4, 0, N_OTHER)), 1.0)
    curves = extended_tofts(TIME, weak * Ktrans, weak * Ktrans / kep, weak * vp)
    return curves[curves.mean(axis=1) > 1e-4]


def one_outside():
    """Clean curves with one parameter past its range, or with Ktrans and vp both scaled."""
    n_curves = 2 * N_OTHER
    rng = np.random.RandomState(0)
    which = rng.randint(4, size=n_curves)
    params = []
    for i, (low, high) in enumerate(LAWS["reference"]):
        inside = rng.uniform(low, high, n_curves)
        factor = np.exp(rng.uniform(0, np.log(FACTOR), n_curves))
        past = np.where(rng.uniform(size=n_curves) < 0.5, high * factor, low / factor)
        params.append(np.where(which == i, past, inside))
    Ktrans, kep, vp = params
    scale = np.exp(rng.uniform(-np.log(SIZE), np.log(SIZE), n_curves))
    scale[which < 3] = 1.0
    return extended_tofts(TIME, scale * Ktrans, scale * Ktrans / kep, scale * vp)


def of_kinetic_guard():
    """Clean curves of other tissue as a guard expects it that knows the model and `BOUNDS`."""
    curves, _ = reference_law_dictionary()
    rng = np.random.default_rng(0)
    guard = KineticGuard(ToftsTransformer(TIME, bounds=BOUNDS))
    return guard.draw(curves[rng.integers(len(curves), size=2 * N_OTHER)], rng)


def four_laws():
    """Clean curves of the four laws outside, alternating."""
    rng = np.random.RandomState(0)
    ranges = np.array([ranges for law, ranges in LAWS.items() if law != "reference"])
    low, high = np.tile(ranges, (N_OTHER // len(ranges), 1, 1)).transpose(2, 1, 0)
    Ktrans, kep, vp = rng.uniform(low, high)
    return extended_tofts(TIME, Ktrans, Ktrans / kep, vp)


if __name__ == "__main__":
    main()
