"""The curves that a guard learns from: those of the training law, and those that are not.

Not of the training law is other tissue, as far as the network gets it wrong, and, rarely, what is
no tissue at all. Noise has all levels of training, and some beyond.
"""

import numpy as np
import torch

from sk_dcedenoise.denoisers._noise import NoiseLaw
from sk_dcedenoise.denoisers._other_tissue import other_tissue

# Curves of each law for the comparison, at most.
_MOST_CURVES = 65536
# Noise levels looked at, relative to the least and the largest of training.
_BELOW, _ABOVE = 1 / 4, 2.0
# Share of other curves that are no tissue at all but any mixture of the directions, and its sizes.
_SHARE_ANYTHING, _ANY_SIZE = 0.05, (-1.0, 1.0)
# Tissue on which the network errs by less than this share of the variance of the noise is no other
# tissue, whatever made it; so many more curves are drawn as there are such.
_HARMLESS, _MORE = 0.3, 1.25


def both_laws(infer, clean, noise_law, view, n_curves, generator):
    """Draw curves of the training law, then about as many others.

    Parameters
    ----------
    infer : callable
        The network, from a tensor of curves to a tensor of curves.
    clean : tensor of shape (n_clean, n_times)
    noise_law : NoiseLaw
        Law of the training noise.
    view : Directions
    n_curves : int
        Of the training law; 65,536 at most.
    generator : torch.Generator
        On the device of `clean`.

    Returns
    -------
    curves : tensor of shape (n_drawn, n_times)
        Clean ones.
    noise : tensor of shape (n_drawn, n_times)
    is_other : tensor of shape (n_drawn,)
        0 for the first `n_curves`, 1 for the others.
    """
    spread = _spread(noise_law)
    n_curves = min(n_curves, _MOST_CURVES)
    n_anything = 1 + int(_SHARE_ANYTHING * n_curves)
    law = _some_of(clean, n_curves, generator)
    others = _harmful_tissue(infer, clean, spread, view, int(_MORE * n_curves), generator)
    others, noise_of_others = (v[: n_curves - n_anything] for v in others)
    anything = _some_of(clean, n_anything, generator)
    noise = [spread.draw(law, generator), noise_of_others, spread.draw(anything, generator)]
    curves = torch.cat([law, others, _anything(anything, view, generator)])
    is_other = torch.arange(len(curves), device=clean.device) >= n_curves
    return curves, torch.cat(noise), is_other.to(clean.dtype)


def _spread(noise_law):
    """The law of the noise with all levels in its range, and some beyond, alike."""
    levels = noise_law.levels[noise_law.levels > 0]
    low, high = np.log(np.quantile(levels, [0.02, 0.98]) * (_BELOW, _ABOVE))
    return NoiseLaw(np.exp(np.linspace(low, high, 256)), noise_law.exponent, noise_law.factor)


def _some_of(clean, n_curves, generator):
    chosen = torch.randint(len(clean), (n_curves,), generator=generator, device=clean.device)
    return clean.index_select(0, chosen)


def _harmful_tissue(infer, clean, spread, view, n_curves, generator):
    """Other tissue that the network gets wrong by more than a part of the noise, and the noise."""
    curves = other_tissue(_some_of(clean, n_curves, generator), generator)
    noise = spread.draw(curves, generator)
    analysis = torch.as_tensor(view.analysis).to(curves)
    wrong = (infer(curves) - curves) @ analysis[:, : view.n_signal]
    rest = noise @ analysis[:, view.n_kept :]
    harmful = wrong.square().mean(1) > _HARMLESS * rest.square().mean(1)
    return curves[harmful], noise[harmful]


def _anything(curves, view, generator):
    """Any mixture of the directions, of any size."""
    n_curves, device = len(curves), curves.device
    mixture = torch.randn((n_curves, view.n_kept), generator=generator, device=device)
    mixture = mixture.to(curves) @ torch.as_tensor(view.synthesis[: view.n_kept]).to(curves)
    low, high = _ANY_SIZE
    exponent = low + (high - low) * torch.rand((n_curves, 1), generator=generator, device=device)
    return mixture * (curves.abs().mean() * 10**exponent).to(curves)
