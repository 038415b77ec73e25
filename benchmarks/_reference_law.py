"""Fresh curves of the reference law, the limit on them, and networks trained on pairs of it."""

from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from _clock import Clock

from sk_dcedenoise import denoisers, persistence
from sk_dcedenoise.baselines import PosteriorMeanDenoiser
from sk_dcedenoise.datasets import make_dce_curves, reference_law_dictionary
from sk_dcedenoise.denoisers import KineticGuard
from sk_dcedenoise.fitting import ToftsTransformer

TIME = 3.75 * np.arange(32)
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3)
# Of each level. Few curves decide what a guard costs: of 1,000, a standard error of half a percent.
N_CURVES = 5_000
# Of these, the first are enough where a limit takes a tenth of a second a curve.
N_ONE_WAY = 1_000
NAMES = [name.removeprefix("Denoiser") for name in denoisers.__all__ if "Denoiser" in name]
# The recurrent ones as published see no frame later than the one they put out.
ONE_WAY = {
    f"{name}, one-way": partial(getattr(denoisers, f"Denoiser{name}"), bidirectional=False)
    for name in ("DRNN", "LSTM")
}
PARAMETERS = ("Ktrans", "kep", "vp", "ve")
# All tissue that may be met, as far as a user may know: three to six times past the law; and as a
# user may say who knows little.
BOUNDS = {"Ktrans": (0.0, 0.6), "kep": (0.0, 6.0), "vp": (0.0, 0.12), "ve": (0.0, 100.0)}
WIDE_BOUNDS = {"Ktrans": (0.0, 2.0), "kep": (0.0, 10.0), "vp": (0.0, 0.5), "ve": (0.0, 100.0)}


@cache
def fresh_curves(level):
    """Noisy curves of a level, their clean ones, and their parameters."""
    seed = 1000 + LEVELS.index(level)
    return make_dce_curves(N_CURVES, noise_levels=(level,), random_state=seed, return_params=True)


@cache
def limit():
    """Posterior mean over all candidates of the law."""
    curves, params = reference_law_dictionary()
    return PosteriorMeanDenoiser(dtype="float32").fit(curves, curves, params=params)


@cache
def limit_curves(level):
    """What the limit makes of the fresh curves of a level."""
    return limit().transform(fresh_curves(level)[0])


def one_way_limit_curves(level):
    """The same of the first of them, with each frame told from those up to it alone.

    No causal network is better.
    """
    candidates = torch.from_numpy(limit().dictionary_).float()
    sd = torch.tensor(LEVELS)[:, None] * candidates.mean(dim=1)
    law = candidates.T.contiguous(), 0.5 / sd.square(), sd.log()
    return np.array([_one_way(x, *law) for x in fresh_curves(level)[0][:N_ONE_WAY].tolist()])


def _one_way(x, frames, precision, log_sd):
    """Posterior mean of each frame of a curve given the frames up to it."""
    log_weight, means = torch.zeros_like(precision), []
    for value, candidates in zip(x, frames, strict=True):
        log_weight.addcmul_(precision, (candidates - value).square(), value=-1).sub_(log_sd)
        weight = torch.exp(log_weight - log_weight.max()).sum(dim=0)
        means.append(float(weight @ candidates / weight.sum()))
    return means


def squared_errors(denoise, n_curves=N_CURVES):
    """Mean squared error of fresh curves after ``denoise(level)``, level by level, of the first."""
    few = slice(n_curves)
    return np.array(
        [np.mean((denoise(level)[few] - fresh_curves(level)[1][few]) ** 2) for level in LEVELS]
    )


def trained(name, n_pairs, folder):
    """Return a network with its defaults, trained on so many pairs; kept in a folder if given."""
    kind = ONE_WAY[name] if name in ONE_WAY else getattr(denoisers, f"Denoiser{name}")

    def make():
        return kind(random_state=0).fit(*make_dce_curves(n_pairs, random_state=0))

    stem = name.replace(", ", "_")
    return _kept(f"{stem}_{n_pairs}", folder, make).set_params(guard=kind().guard)


def kinetic(name, n_pairs, folder, bounds=BOUNDS):
    """Return the same network with a guard that knows the kinetic model and these bounds."""
    guard = KineticGuard(ToftsTransformer(TIME, bounds=bounds))

    def make():
        network = trained(name, n_pairs, folder).set_params(guard=guard)
        return network.fit_guard(make_dce_curves(n_pairs, random_state=0)[1])

    suffix = "kinetic_wide" if bounds is WIDE_BOUNDS else "kinetic"
    return _kept(f"{name}_{n_pairs}_{suffix}", folder, make).set_params(guard=guard)


def _kept(stem, folder, make):
    """What `make` returns, or what it once returned and a file in the folder holds."""
    if folder is None:
        return make()
    path = Path(folder) / f"{stem}.sdd"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with Clock() as clock:
            network = make()
        print(f"{stem} learned in {clock.elapsed[1]:.0f} CPU s")
        persistence.save(network, path)
    return persistence.load(path)
