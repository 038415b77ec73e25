"""How near to the limit where bolus delay and AIF amplitude are unknown: the laws of practice?

    python benchmarks/bench_wide.py [--pairs 200000] [--steps 40000] [--models DIR]

Wide law: log-uniform Ktrans 0.003-0.6, ve 0.03-0.8, vp 0.0005-0.12; delay up to 12 s, AIF
amplitude +-20 %, noise 1-50 %. Hard law: parameters of the reference law, delay and amplitude as
above, 10 % noise. DenoiserCNN is trained on pairs of each. The limit is the posterior mean over
400,000 curves of the law, the noise known. Errors of curves are relative to each curve's mean;
errors of the fit are those of log Ktrans, fitted with the delay (Ktrans held within three times the
law's range, so that Ktrans = 0 has a logarithm too).
"""

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from _report import markdown, write

from sk_dcedenoise import persistence
from sk_dcedenoise.baselines import PCADenoiser, PosteriorMeanDenoiser
from sk_dcedenoise.datasets import add_noise, make_dce_curves
from sk_dcedenoise.denoisers import DenoiserCNN, KineticGuard
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts

TIME = 3.75 * np.arange(32)
LEVELS = {"wide": (0.05, 0.1, 0.2, 0.3, 0.5), "hard": (0.1,)}
N_FRESH = 1000
N_DICTIONARY = 400_000
# The model's Ktrans is that of the AIF as it is; of the amplitude nothing is known.
KTRANS = 0.001, 1.8
FIT = ToftsTransformer(TIME, outputs=["Ktrans", "ve", "vp", "delay"], delay=(0.0, 12.0))
# What a guard may know of other tissue: three times the range of the wide law.
BOUNDS = {"Ktrans": (0.0, 1.8), "kep": (0.0, 60.0), "vp": (0.0, 0.36)}
KINETIC = KineticGuard(ToftsTransformer(TIME, delay=(0.0, 12.0), bounds=BOUNDS))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--laws", nargs="+", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--models", help="folder of trained networks, read and written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for law in arguments.laws:
        network = trained(law, arguments)
        expert = kinetic(law, arguments)
        dictionary = draw(law, N_DICTIONARY, seed=2)[0]
        rows += [measure(law, level, network, expert, dictionary) for level in LEVELS[law]]
    methods = list(rows[0]["curve"])
    header = ["law", "noise", *methods, "SNR gain of the network, limit (dB)"]
    lines = [
        [row["law"], f"{row['level']:.0%}"]
        + [f"{row['curve'][name]:.3f}" for name in methods]
        + [f"{row['gain']:.2f}, {row['limit_gain']:.2f}"]
        for row in rows
    ]
    settings = {"pairs": arguments.pairs, "steps": arguments.steps, "network": "CNN"}
    write("wide", rows, markdown(header, lines), **settings)
    methods = list(rows[0]["log_Ktrans"])
    lines = [
        [row["law"], f"{row['level']:.0%}", *(f"{row['log_Ktrans'][m]:.2f}" for m in methods)]
        for row in rows
    ]
    write("wide_fit", rows, markdown(["law", "noise", *methods], lines), **settings)


def draw(law, n_curves, seed):
    """Clean curves of a law and their Ktrans."""
    if law == "wide":
        _, clean, params = make_dce_curves(
            n_curves, law="wide", noise_levels=0, random_state=seed, return_params=True
        )
        return clean, params.Ktrans
    rng = np.random.RandomState(seed)
    params = make_dce_curves(n_curves, random_state=rng, return_params=True)[2]
    delay, amplitude = rng.uniform(0, 12, n_curves), rng.uniform(0.8, 1.2, n_curves)
    chunks = np.array_split(np.arange(n_curves), max(1, n_curves // 20_000))
    clean = [extended_tofts(TIME, *(params[p][i] for p in ("Ktrans", "ve", "vp")), delay=delay[i])
             for i in chunks]  # fmt: skip
    return amplitude[:, None] * np.concatenate(clean), params.Ktrans


def trained(law, arguments):
    """Return a network trained on pairs of the law."""
    path = Path(arguments.models) / f"CNN_{law}.sdd" if arguments.models else None
    if path is not None and path.exists():
        return persistence.load(path)
    clean, _ = draw(law, arguments.pairs, seed=0)
    rng = np.random.RandomState(1)
    levels = np.exp(rng.uniform(np.log(0.01), np.log(0.5), len(clean)))
    levels = levels if law == "wide" else np.full(len(clean), 0.1)
    noisy = add_noise(clean, levels, random_state=rng)
    network = DenoiserCNN(scale="curve", max_steps=arguments.steps, random_state=0)
    network.fit(noisy, clean)
    if path is not None:
        persistence.save(network, path)
    return network


def kinetic(law, arguments):
    """Return the same network with a guard that knows the kinetic model."""
    network = copy.deepcopy(trained(law, arguments))
    return network.set_params(guard=KINETIC).fit_guard(draw(law, arguments.pairs, seed=0)[0])


def measure(law, level, network, expert, dictionary):
    """Errors of curves and of the fit after each method, on fresh curves."""
    clean, Ktrans = draw(law, N_FRESH, seed=3)
    noisy = add_noise(clean, np.full(N_FRESH, level), random_state=4)
    limit = PosteriorMeanDenoiser(noise_levels=(level,), dtype="float32")
    fitted = FIT.fit(noisy)
    curves = {
        "noisy": noisy,
        "limit": limit.fit(dictionary, dictionary).transform(noisy),
        "CNN": network.set_params(guard=None).transform(noisy),
        "CNN, guarded": network.set_params(guard=DenoiserCNN().guard).transform(noisy),
        "CNN, kinetic guard": expert.transform(noisy),
        "Tofts fit with delay": fitted.inverse_transform(fitted.transform(noisy)),
        "PCA, best rank": best_pca(noisy, clean, dictionary),
    }

    def relative(denoised):
        return float(
            np.sqrt(np.mean(((denoised - clean) / clean.mean(axis=1, keepdims=True)) ** 2))
        )

    def error_of_fit(denoised):
        found = np.clip(fitted.transform(denoised)[:, 0], *KTRANS)
        return float(np.sqrt(np.mean(np.log(found / Ktrans) ** 2)))

    errors = {name: relative(denoised) for name, denoised in curves.items()}
    return {
        "law": law,
        "level": level,
        "curve": errors,
        "over_limit": errors["CNN"] / errors["limit"],
        "gain": 20 * np.log10(errors["noisy"] / errors["CNN"]),
        "limit_gain": 20 * np.log10(errors["noisy"] / errors["limit"]),
        "log_Ktrans": {f"fit on {name}": error_of_fit(curves[name]) for name in list(curves)[:5]},
        "fell_back": float(network.fell_back(noisy).mean()),
    }


def best_pca(noisy, clean, dictionary):
    """Denoised by the rank that does best on these very curves: a bound on what PCA can do."""
    some = dictionary[:20_000]
    tries = [PCADenoiser(n_components=n).fit(some, some).transform(noisy) for n in range(2, 9)]
    return min(
        tries, key=lambda found: np.mean(((found - clean) / clean.mean(1, keepdims=True)) ** 2)
    )


if __name__ == "__main__":
    main()
