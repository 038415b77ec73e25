"""What is lost by training without clean curves?

    python benchmarks/bench_semisynthetic.py [--steps 10000] [--only reference wide rare]

`SemiSyntheticDenoiser` sees 5,000 noisy curves and nothing else; the same network, for as many
steps, trains on pairs of the true law. Both denoise fresh curves. Three laws: the reference law,
judged by the posterior mean, which no denoiser beats; the wide law, whose bolus delay is fitted;
and the reference law with a few curves of a lesion with far stronger enhancement among them, which
shows what drawing by kinds of tissue rather than by frequency does. Networks have the guard that
`SemiSyntheticDenoiser` gives to its own: the law was learned from the scan, so that tissue which it
lacks is rarer.
"""

import argparse

import numpy as np
import torch
from _report import earlier, markdown, write

from sk_dcedenoise import denoisers
from sk_dcedenoise.baselines import (
    IdentityDenoiser,
    PCADenoiser,
    PosteriorMeanDenoiser,
    ToftsResimulator,
)
from sk_dcedenoise.datasets import add_noise, make_dce_curves, reference_law_dictionary
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.semisynthetic import SemiSyntheticDenoiser
from sk_dcedenoise.tofts import extended_tofts

TIME = 3.75 * np.arange(32)
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3)
N_CURVES, N_PAIRS, N_TEST = 5000, 20_000, 5000
DELAYS = (0.0, 15.0)
# Share of lesions, and ways to draw: by frequency alone, the defaults, all kinds alike.
LESIONS = (0.01, 0.002)
DRAWS = [
    {"stratify": 0.0, "widen": 0.0},
    {"stratify": 0.5, "widen": 0.05},
    {"stratify": 1.0, "widen": 0.05},
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="CNN")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    def network():
        kind = getattr(denoisers, f"Denoiser{arguments.network}")
        return kind(max_steps=arguments.steps, guard=0.35, random_state=0)

    for part in arguments.only:
        stem = f"semisynthetic_{part}"
        rows = {row["method"]: row for row in earlier(stem)}
        for row in PARTS[part](network, arguments):
            rows[row["method"]] = row
            table = markdown(HEADERS[part], map(_line, rows.values()))
            write(stem, list(rows.values()), table, n_curves=N_CURVES, n_pairs=N_PAIRS)


def reference(network, arguments):
    """Yield RMSE over the limit, all noise levels and each."""
    tests = [
        make_dce_curves(N_TEST // 5, noise_levels=(level,), random_state=1000 + i)
        for i, level in enumerate(LEVELS)
    ]

    def squares(denoiser):
        return np.array([np.mean((denoiser.transform(X) - y) ** 2) for X, y in tests])

    curves, _ = reference_law_dictionary()
    limit = squares(PosteriorMeanDenoiser().fit(curves, curves))

    def row(method, denoiser):
        found = squares(denoiser)
        ratios = np.sqrt([found.mean() / limit.mean(), *(found / limit)])
        return {"method": method, "rmse": float(np.sqrt(found.mean())), "ratios": list(ratios)}

    X, _ = make_dce_curves(N_CURVES, random_state=0)
    yield row("PCA, 3 components", PCADenoiser(n_components=3).fit(X))
    yield row("fit and resimulate", ToftsResimulator(ToftsTransformer(TIME)).fit(X))
    semisynthetic = _semisynthetic(network()).fit(X)
    yield row(_name("without clean curves", arguments), semisynthetic)
    semisynthetic.estimator_.set_params(guard=None)
    yield row(_name("without clean curves, without guard", arguments), semisynthetic)
    supervised = network().fit(*make_dce_curves(N_PAIRS, random_state=1))
    yield row(_name("pairs of the true law", arguments), supervised)
    supervised.set_params(guard=None)
    yield row(_name("pairs of the true law, without guard", arguments), supervised)


def wide(network, arguments):
    """Yield RMSE over that of the supervised network, in mM and relative to each curve's mean."""
    X, y, params = make_dce_curves(N_TEST, law="wide", random_state=1000, return_params=True)
    level = params.noise_level
    groups = [level < np.inf, level < 0.05, (level >= 0.05) & (level < 0.15), level >= 0.15]

    def errors(denoiser):
        square = np.mean((denoiser.transform(X) - y) ** 2, axis=1)
        relative = square / y.mean(axis=1) ** 2
        return np.sqrt([square.mean(), *(relative[group].mean() for group in groups)])

    pairs = make_dce_curves(N_PAIRS, law="wide", random_state=1)
    base = errors(network().fit(*pairs))

    def row(method, found):
        return {"method": method, "rmse": float(found[0]), "ratios": list(found / base)}

    yield row(_name("pairs of the true law", arguments), base)
    noisy, _ = make_dce_curves(N_CURVES, law="wide", random_state=0)
    semisynthetic = _semisynthetic(network(), delay=DELAYS).fit(noisy)
    yield row(_name("without clean curves", arguments), errors(semisynthetic))
    yield row("PCA, 5 components", errors(PCADenoiser(n_components=5).fit(noisy)))
    outputs = ["Ktrans", "ve", "vp", "delay"]
    fit = ToftsTransformer(TIME, delay=DELAYS, outputs=outputs)
    yield row("fit with delay and resimulate", errors(ToftsResimulator(fit).fit(noisy)))


def rare(network, arguments):
    """Yield relative errors of lesions and of the other curves."""
    X_test, y_test = _with_lesions(2000, 0.5, random_state=1000)

    def row(method, denoiser):
        square = np.mean((denoiser.transform(X_test) - y_test) ** 2, axis=1)
        relative = np.sqrt((square / y_test.mean(axis=1) ** 2).reshape(2, -1).mean(axis=1))
        return {"method": method, "rmse": float(np.sqrt(square.mean())), "ratios": list(relative)}

    yield row("none", IdentityDenoiser().fit(X_test))
    yield row("fit and resimulate", ToftsResimulator(ToftsTransformer(TIME)).fit(X_test))
    for share in LESIONS:
        X, _ = _with_lesions(N_CURVES, share, random_state=0)
        for settings in DRAWS:
            denoiser = _semisynthetic(network(), **settings).fit(X)
            words = ", ".join(f"{name}={value:g}" for name, value in settings.items())
            yield row(_name(f"lesions {share:.1%}, {words}", arguments), denoiser)


def _with_lesions(n, share, random_state):
    """Reference-law curves, the first of them replaced by lesions."""
    _, y = make_dce_curves(n, noise_levels=0, random_state=random_state)
    rng = np.random.default_rng(random_state)
    size = round(share * n)
    ranges = ((0.4, 0.8), (0.3, 0.6), (0.02, 0.06))
    y[:size] = extended_tofts(TIME, *(rng.uniform(low, high, size) for low, high in ranges))
    return add_noise(y, rng.choice(LEVELS, n), random_state=random_state), y


def _semisynthetic(network, **settings):
    settings = {"time": TIME, "n_pairs": N_PAIRS, "random_state": 0} | settings
    return SemiSyntheticDenoiser(network, **settings)


def _name(method, arguments):
    return f"{arguments.network}, {arguments.steps:,} steps, {method}"


def _line(row):
    return [row["method"], *(f"{ratio:.3f}" for ratio in row["ratios"])]


PARTS = {"reference": reference, "wide": wide, "rare": rare}
HEADERS = {
    "reference": ["RMSE / limit", "all", *(f"{level:.0%} noise" for level in LEVELS)],
    "wide": ["RMSE / supervised", "all", "all, relative", "below 5 %", "5-15 %", "above 15 %"],
    "rare": ["relative RMSE", "lesions", "other curves"],
}


if __name__ == "__main__":
    main()
