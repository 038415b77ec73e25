"""What does safety outside the law have to cost inside, if one knew what may lie outside?

    python benchmarks/bench_guard_limit.py [--only found]

The posterior mean under a mixture of the reference law and another is the best that any guard could
do that expects curves of the other law in that share, with a perfect network and a perfect judge:
nothing is trained here. The other law is the one that the default guard finds, that of a
`KineticGuard` that is told bounds, one that goes past the reference law in a single parameter or in
size, or, as nobody can know, the very four laws of `bench_guard.py` that lie outside.

Outside, curves of those four laws are denoised and fitted, with noise of 10 % and more, whose level
is known: the dictionary is too thin for less noise, which does the least harm. Inside, errors are
those of `bench_denoisers.py` and `bench_parameters.py`, on the same curves, over those of the
limit: what the guard costs if all else is perfect. What counts are the shares with little harm
outside ("borne"): no cell above 1.15, and no more than five above 1.05.
"""

import argparse
from functools import cache

import numpy as np
import torch
from _reference_law import (
    BOUNDS,
    LEVELS,
    PARAMETERS,
    TIME,
    fresh_curves,
    limit,
    limit_curves,
    squared_errors,
)
from _report import earlier, markdown, write
from bench_guard import LAWS, curves_of, kept, worst
from bench_guard import PARAMETERS as FITTED
from bench_parameters import measure, squares_of

from sk_dcedenoise._guard import found_kinetics
from sk_dcedenoise.baselines import PosteriorMeanDenoiser
from sk_dcedenoise.datasets import make_dce_curves, reference_law_dictionary
from sk_dcedenoise.denoisers import KineticGuard
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts

N_OTHER = 140_000
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5)
# How far past the range of the reference law a parameter goes, and how much larger or smaller a
# curve, at most.
FACTOR, SIZE = 5.0, 20.0
# What is borne outside: the worst cell, and how many above which figure.
WORST, BETTER, N_WORSE = 1.15, 1.05, 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=OTHERS, default=list(OTHERS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = {(row["expected"], row["share"]): row for row in earlier("guard_limit")}
    for name in arguments.only:
        rows |= {(name, row["share"]): row for row in of_law(name)}
        ordered = [rows[n, share] for n in OTHERS for share in SHARES if (n, share) in rows]
        write("guard_limit", ordered, table(ordered), n_other=N_OTHER)


def table(rows):
    header = ["expected outside", "share", "worst cell", f"cells above {BETTER}", "borne"]
    header += ["in-law curve error", *PARAMETERS, "kept: curve", *FITTED]
    lines = [
        [
            row["expected"],
            row["share"],
            f"{row['worst_cell']:.2f}",
            f"{row['cells_above_1.05']} of {row['cells']}",
            "yes" if row["borne"] else "no",
            f"x {row['curve']:.3f}",
            *(f"x {row['parameters'][name]:.2f}" for name in PARAMETERS),
            *(f"{row['kept'][name]:.0%}" for name in ("curve", *FITTED)),
        ]
        for row in rows
    ]
    return markdown(header, lines)


# ---- one law -------------------------------------------------------------------------------------


def of_law(name):
    """Rows of one law that is expected, share by share."""
    others = OTHERS[name]()
    levels = [level for level in LEVELS if level >= 0.1]
    inside = {
        level: Mixture(fresh_curves(level)[0], others, LEVELS, limit_curves(level))
        for level in LEVELS
    }
    cells = {
        (law, level): Mixture(curves_of(law, level)[0], others, (level,), law_means(law, level))
        for law in LAWS
        for level in levels
    }
    least = {
        level: squares_of(limit().predict_params(fresh_curves(level)[0]), level) for level in LEVELS
    }
    for share in SHARES:
        ratios = [ratios_of(*key, cells[key](share)) for key in cells if key[0] != "reference"]
        harm = np.array([worst(ratio) for ratio in ratios])
        squares = squared_errors(lambda level, share=share: inside[level](share)).sum()
        parameters = measure(lambda level, share=share: inside[level](share), least)
        of_limit = [
            {
                "noisy": noisy_errors("reference", level),
                "bare": ratios_of("reference", level, law_means("reference", level)),
                "guarded": ratios_of("reference", level, cells["reference", level](share)),
            }
            for level in levels
        ]
        yield {
            "expected": name,
            "share": share,
            "worst_cell": harm.max(),
            "cells_above_1.05": int((harm > BETTER).sum()),
            "cells": len(harm),
            "borne": bool(harm.max() <= WORST and (harm > BETTER).sum() <= N_WORSE),
            "harm": harm.tolist(),
            "curve": float(np.sqrt(squares / squared_errors(limit_curves).sum())),
            "parameters": parameters["all"],
            "parameters_from_10_percent": parameters["from_10_percent"],
            "kept": {n: kept(of_limit, n) for n in ("curve", *FITTED)},
        }


class Mixture:
    """Posterior means of noisy curves under the reference law and another, in any share."""

    def __init__(self, noisy, others, levels, law_means):
        candidates, _ = reference_law_dictionary()
        both = np.concatenate([candidates, others])
        is_other = np.arange(len(both)) >= len(candidates)
        judge = limit_of(both, levels, {"law": 1.0 - is_other, "other": 1.0 * is_other})
        found = judge.predict_params(noisy)
        self.odds = found.other / np.maximum(found.law, 1e-300) * len(candidates) / len(others)
        self.of_law, self.of_other = law_means, limit_of(others, levels).transform(noisy)

    def __call__(self, share):
        odds = self.odds[:, None] * share / (1 - share)
        return self.of_law + odds / (1 + odds) * (self.of_other - self.of_law)


def limit_of(curves, levels, params=None):
    denoiser = PosteriorMeanDenoiser(noise_levels=levels, dtype="float32")
    return denoiser.fit(curves, curves, params=params)


@cache
def law_means(law, level):
    """Posterior means of curves of a law under the reference law alone."""
    candidates, _ = reference_law_dictionary()
    return limit_of(candidates, (level,)).transform(curves_of(law, level)[0])


@cache
def noisy_errors(law, level):
    noisy, errors = curves_of(law, level)
    return dict(zip(("curve", *FITTED), errors(noisy).tolist(), strict=True))


def ratios_of(law, level, curves):
    """Errors relative to those of the noisy curves."""
    _, errors = curves_of(law, level)
    found = zip(("curve", *FITTED), errors(curves), strict=True)
    return {name: float(error) / noisy_errors(law, level)[name] for name, error in found}


# ---- clean curves of other tissue ----------------------------------------------------------------


def of_kinetics(tissue):
    """Of a law that a guard expects, made from all curves of the reference law."""
    curves, _ = reference_law_dictionary()
    chosen = torch.as_tensor(np.random.default_rng(0).integers(len(curves), size=N_OTHER))
    draw = tissue.of(torch.as_tensor(curves))
    return some_signal(draw(chosen, torch.Generator().manual_seed(0)).numpy())


def found():
    """As the default guard finds it."""
    _, clean = make_dce_curves(1000, random_state=0)
    return of_kinetics(found_kinetics(clean, LEVELS[0] * clean.mean(axis=1)).law())


def told():
    """As a guard expects it that is told the model and `BOUNDS`."""
    return of_kinetics(KineticGuard(ToftsTransformer(TIME, bounds=BOUNDS)).other_tissue(1.0))


def one_outside():
    """With one parameter past its range, or with Ktrans and vp both scaled."""
    rng = np.random.RandomState(0)
    which = rng.randint(4, size=N_OTHER)
    params = []
    for i, (low, high) in enumerate(LAWS["reference"]):
        inside = rng.uniform(low, high, N_OTHER)
        factor = np.exp(rng.uniform(0, np.log(FACTOR), N_OTHER))
        past = np.where(rng.uniform(size=N_OTHER) < 0.5, high * factor, low / factor)
        params.append(np.where(which == i, past, inside))
    Ktrans, kep, vp = params
    scale = np.exp(rng.uniform(-np.log(SIZE), np.log(SIZE), N_OTHER))
    scale[which < 3] = 1.0
    return some_signal(extended_tofts(TIME, scale * Ktrans, scale * Ktrans / kep, scale * vp))


def four_laws():
    """Of the four laws outside, alternating."""
    rng = np.random.RandomState(0)
    ranges = np.array([ranges for law, ranges in LAWS.items() if law != "reference"])
    low, high = np.tile(ranges, (N_OTHER // len(ranges), 1, 1)).transpose(2, 1, 0)
    Ktrans, kep, vp = rng.uniform(low, high)
    return some_signal(extended_tofts(TIME, Ktrans, Ktrans / kep, vp))


def some_signal(curves):
    """Those that have any: noise is relative to the mean."""
    return curves[curves.mean(axis=1) > 1e-4]


OTHERS = {
    "found": found,
    "told bounds": told,
    "one outside": one_outside,
    "the four": four_laws,
}


if __name__ == "__main__":
    main()
