"""The curves that a guard learns from: those of the training law, and those that are not.

Not of the training law is other tissue and, rarely, what is no tissue at all. Noise has mostly the
levels of training, else any between them and some beyond.
"""

import numpy as np
import torch

from sk_dcedenoise._noise import NoiseLaw

# Share of noise levels that are any, and the least and the largest, relative to those of training.
SHARE_ANY, _BELOW, _ABOVE = 1 / 4, 1 / 4, 2.0
_N_LEVELS = 1024
# Share of other curves that are no tissue at all but any mixture of the directions, and its sizes.
_SHARE_ANYTHING, _ANY_SIZE = 0.05, (-1.0, 1.0)


def training_curves(clean, noise_law, generator):
    """Return what draws curves of the training law.

    Parameters
    ----------
    clean : tensor of shape (n_clean, n_times)
    noise_law : NoiseLaw
    generator : torch.Generator
        On the device of `clean`.

    Returns
    -------
    draw : callable
        ``draw(n_curves)`` returns clean curves and their noise, two tensors of shape
        (n_curves, n_times).
    """

    def draw(n_curves):
        curves = clean.index_select(0, _some_of(clean, n_curves, generator))
        return curves, noise_law.draw(curves, generator)

    return draw


def other_curves(clean, noise_law, generator, view, tissue):
    """Return what draws curves that are not of the training law.

    Parameters
    ----------
    clean, noise_law, generator
        As in :func:`training_curves`.
    view : Directions
    tissue : OtherTissue

    Returns
    -------
    draw : callable
        As that of :func:`training_curves`.
    """

    draw_tissue = tissue.of(clean)

    def draw(n_curves):
        n_anything = 1 + int(_SHARE_ANYTHING * n_curves)
        chosen, of_anything = _some_of(clean, n_curves, generator).tensor_split([-n_anything])
        anything = clean.index_select(0, of_anything)
        # As much noise as training curves would have, where that depends on their size.
        noise_of_anything = noise_law.draw(anything, generator)
        tissues, anything = draw_tissue(chosen, generator), _anything(anything, view, generator)
        noise = torch.cat([noise_law.draw(tissues, generator), noise_of_anything])
        return torch.cat([tissues, anything]), noise

    return draw


def any_level(noise_law):
    """The law of the noise, but with any level in its range, and some beyond."""
    levels = noise_law.levels[noise_law.levels > 0]
    low, high = np.log(np.quantile(levels, [0.02, 0.98]) * (_BELOW, _ABOVE))
    return _with_levels(noise_law, np.exp(np.linspace(low, high, _N_LEVELS)))


def now_and_then_any_level(noise_law):
    """The law of the noise, with any level in the share `SHARE_ANY` of curves."""
    n_any = int(SHARE_ANY * _N_LEVELS)
    trained = noise_law.levels[noise_law.levels > 0]
    parts = (trained, _N_LEVELS - n_any), (any_level(noise_law).levels, n_any)
    levels = [np.quantile(v, np.linspace(0, 1, n), method="nearest") for v, n in parts]
    return _with_levels(noise_law, np.concatenate(levels))


def _with_levels(noise_law, levels):
    return NoiseLaw(levels, noise_law.exponent, noise_law.factor)


def _some_of(clean, n_curves, generator):
    """Numbers of as many of them."""
    return torch.randint(len(clean), (n_curves,), generator=generator, device=clean.device)


def _anything(curves, view, generator):
    """Any mixture of the directions, of any size."""
    n_curves, device = len(curves), curves.device
    mixture = torch.randn((n_curves, view.n_kept), generator=generator, device=device)
    mixture = mixture.to(curves) @ torch.as_tensor(view.synthesis[: view.n_kept]).to(curves)
    low, high = _ANY_SIZE
    exponent = low + (high - low) * torch.rand((n_curves, 1), generator=generator, device=device)
    return mixture * (curves.abs().mean() * 10**exponent).to(curves)
