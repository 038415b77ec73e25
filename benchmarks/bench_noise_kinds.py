"""Does it matter for denoising what kind of noise it is?

    python benchmarks/bench_noise_kinds.py [--network CNN] [--pairs 100000] [--models DIR]

A network with its defaults, trained on pairs with white noise, denoises fresh curves of the
reference law with noise of four kinds, each of the same variance but the last: white; correlated
from frame to frame by 0.5 (AR(1)); Rician, as magnitude images have it; and white with one frame in
fifty struck by noise five times as strong. 1,000 curves a kind and level.
"""

import argparse

import numpy as np
import torch
from _reference_law import LEVELS, NAMES, trained
from _report import markdown, place, record
from bench_guard import FIT, PARAMETERS, worst

from sk_dcedenoise.datasets import add_noise, make_dce_curves

CORRELATION, STRUCK, STRENGTH = 0.5, 0.02, 5.0


def white(clean, level, rng):
    return add_noise(clean, level, random_state=rng)


def rician(clean, level, rng):
    return add_noise(clean, level, noise="rician", random_state=rng)


def correlated(clean, level, rng):
    noise = white(clean, level, rng) - clean
    fresh = np.sqrt(1 - CORRELATION**2)
    for t in range(1, clean.shape[1]):
        noise[:, t] = CORRELATION * noise[:, t - 1] + fresh * noise[:, t]
    return clean + noise


def spikes(clean, level, rng):
    noise = white(clean, level, rng) - clean
    return clean + noise * np.where(rng.uniform(size=clean.shape) < STRUCK, STRENGTH, 1.0)


KINDS = {"white": white, "AR(1), 0.5": correlated, "Rician": rician, "white with spikes": spikes}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NAMES, default="CNN")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--models", help="folder of trained networks, read and written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = trained(arguments.network, arguments.pairs, arguments.models)
    rows = [measure(network, kind, level) for kind in KINDS for level in LEVELS]
    record("noise_kinds", rows, network=arguments.network, pairs=arguments.pairs)
    for stem, of in (("curves", lambda errors: errors["curve"]), ("parameters", worst)):
        text = table(rows, of)
        place(f"noise_kinds_{stem}", text)
        print(text)


def measure(network, kind, level):
    """Errors after denoising relative to those before, without and with the guard."""
    rng = np.random.RandomState([list(KINDS).index(kind), int(100 * level)])
    _, clean, params = make_dce_curves(1000, random_state=rng, return_params=True)
    noisy = KINDS[kind](clean, level, rng)
    truth = np.column_stack([getattr(params, name) for name in PARAMETERS])
    fit = FIT.fit(noisy)

    def errors(curves):
        of_parameters = np.sqrt(np.mean((fit.transform(curves) - truth) ** 2, axis=0))
        return np.r_[np.sqrt(np.mean((curves - clean) ** 2)), of_parameters]

    before, share, row = errors(noisy), network.guard, {"noise": kind, "level": level}
    for key, guard in (("bare", None), ("guarded", share)):
        after = errors(network.set_params(guard=guard).transform(noisy)) / before
        row[key] = dict(zip(("curve", *PARAMETERS), after.tolist(), strict=True))
    return row | {"fell_back": float(network.fell_back(noisy).mean())}


def table(rows, of):
    """Markdown table of a measure, without the guard and with it."""
    header = ["noise", *(f"{level:.0%} noise" for level in LEVELS)]
    cells = {kind: [] for kind in KINDS}
    for row in rows:
        cells[row["noise"]].append(f"{of(row['bare']):.2f} → {of(row['guarded']):.2f}")
    return markdown(header, [[kind, *found] for kind, found in cells.items()])


if __name__ == "__main__":
    main()
