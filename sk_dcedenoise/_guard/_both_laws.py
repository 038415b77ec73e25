"""The curves that a guard learns from: those of the training law, and those that are not.

Not of the training law is other tissue and, rarely, what is no tissue at all. Noise has mostly the
levels of training, else any between them and some beyond.
"""

import numpy as np
import torch

from sk_dcedenoise._noise import NoiseLaw

# Share of noise levels that are any, and the least and the largest, relative to those of training.
_SHARE_ANY, _BELOW, _ABOVE = 1 / 4, 1 / 4, 2.0
_N_LEVELS = 1024
# Share of other curves that are no tissue at all but any mixture of the directions, and its sizes.
_SHARE_ANYTHING, _ANY_SIZE = 0.05, (-1.0, 1.0)


def both_laws(clean, noise_law, view, n_curves, generator, tissue):
    """Draw curves of the training law, then as many others.

    Parameters
    ----------
    clean : tensor of shape (n_clean, n_times)
    noise_law : NoiseLaw
        Law of the training noise.
    view : Directions
    n_curves : int
        Of the training law; no more than `tissue` says.
    generator : torch.Generator
        On the device of `clean`.
    tissue : OtherTissue
        Law of the others.

    Returns
    -------
    curves : tensor of shape (2 * n_curves, n_times)
        Clean ones.
    noise : tensor of shape (2 * n_curves, n_times)
    is_other : tensor of shape (2 * n_curves,)
        0 for the first `n_curves`, 1 for the others.
    """
    spread = _spread(noise_law)
    n_curves = min(n_curves, tissue.most_curves)
    n_anything = 1 + int(_SHARE_ANYTHING * n_curves)
    law, others = (_some_of(clean, n_curves, generator) for _ in range(2))
    others, anything = others.tensor_split([-n_anything])
    noise_of_anything = spread.draw(anything, generator)
    others, anything = tissue.draw(others, generator), _anything(anything, view, generator)
    noise = [spread.draw(law, generator), spread.draw(others, generator), noise_of_anything]
    is_other = torch.arange(2 * n_curves, device=clean.device) >= n_curves
    return torch.cat([law, others, anything]), torch.cat(noise), is_other.to(clean.dtype)


def _spread(noise_law):
    """The law of the noise, with any level in its range, and some beyond, in a share of curves."""
    levels = noise_law.levels[noise_law.levels > 0]
    low, high = np.log(np.quantile(levels, [0.02, 0.98]) * (_BELOW, _ABOVE))
    n_any = int(_SHARE_ANY * _N_LEVELS)
    trained = np.quantile(levels, np.linspace(0, 1, _N_LEVELS - n_any), method="nearest")
    levels = np.r_[trained, np.exp(np.linspace(low, high, n_any))]
    return NoiseLaw(levels, noise_law.exponent, noise_law.factor)


def _some_of(clean, n_curves, generator):
    chosen = torch.randint(len(clean), (n_curves,), generator=generator, device=clean.device)
    return clean.index_select(0, chosen)


def _anything(curves, view, generator):
    """Any mixture of the directions, of any size."""
    n_curves, device = len(curves), curves.device
    mixture = torch.randn((n_curves, view.n_kept), generator=generator, device=device)
    mixture = mixture.to(curves) @ torch.as_tensor(view.synthesis[: view.n_kept]).to(curves)
    low, high = _ANY_SIZE
    exponent = low + (high - low) * torch.rand((n_curves, 1), generator=generator, device=device)
    return mixture * (curves.abs().mean() * 10**exponent).to(curves)
