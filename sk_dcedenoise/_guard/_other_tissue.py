"""Curves of tissue that the training law does not hold, made from the curves that it does.

Tissue is a linear, time-invariant filter of the arterial input: its curve is the convolution of the
input with a response. So a filter turns the curve of one tissue into that of another under the same
input, without knowing the input or the model. ``(s + zero) / (s + pole)`` will do: a Tofts curve
with the rate `zero` becomes one with the rate `pole`, a fast pole brings out the vessels, a slow
one leakage. A delay and another amplitude are filters too.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

# Rates of the filters: the slowest per scan, the fastest zero and pole per frame.
_SLOWEST, _FASTEST_ZERO, _FASTEST_POLE = 1 / 4, 0.5, 4.0
# Mean sizes, in those of clean curves, and the share that comes some frames earlier or later.
_SIZES = 0.1, 3.0
_SHARE_DELAYED, _MOST_FRAMES = 0.1, 3.0


class OtherTissue(NamedTuple):
    """A law of other tissue, how a guard learns it, and how far it goes by it.

    ``of(clean)`` takes clean curves, a tensor of shape (n_clean, n_times), and returns what draws
    others from some of them: ``draw(chosen, generator)`` makes a curve of other tissue for each
    number in the tensor `chosen`. Unless the user says, `share` of all curves are expected to be of
    it. A judge with hidden layers of this `width`, and what learns the means of the laws, see in
    each of so many `passes` `most_curves` new ones, but no more than the share `of_training` of the
    curves that the training has passed. Of what may be noise in the signal of a curve of other
    tissue the share `taken_out` is taken out. A curve that fewer training curves than the share
    `not_of_law` are as far from as it is, is not of the training law, whatever its odds.
    """

    of: Callable
    share: float
    most_curves: int
    of_training: float
    width: int
    passes: int
    taken_out: float
    not_of_law: float


def filtered(clean, generator):
    """Return a curve of other tissue for each clean one.

    Parameters
    ----------
    clean : tensor of shape (n_curves, n_times)
    generator : torch.Generator
        On the device of `clean`.

    Returns
    -------
    curves : tensor of shape (n_curves, n_times)
    """
    n_times = clean.shape[1]

    def log_uniform(low, high):
        low, high = torch.tensor([low, high], dtype=clean.dtype).log().tolist()
        return _uniform(low, high, clean, generator).exp()

    zero = log_uniform(_SLOWEST / n_times, _FASTEST_ZERO)
    pole = log_uniform(_SLOWEST / n_times, _FASTEST_POLE)
    curves = clean + (zero - pole) * _decayed(clean, pole)
    is_delayed = _uniform(0.0, 1.0, curves, generator) < _SHARE_DELAYED
    curves = torch.where(is_delayed, delayed(curves, generator), curves)
    return curves * (log_uniform(*_SIZES) * clean.abs().mean() / _mean_size(curves))


def delayed(curves, generator):
    """Return curves that come up to three frames earlier or later.

    Parameters
    ----------
    curves : tensor of shape (n_curves, n_times)
    generator : torch.Generator
        On the device of `curves`.

    Returns
    -------
    curves : tensor of shape (n_curves, n_times)
        Straight between frames, their ends held.
    """
    last = curves.shape[1] - 1
    frames = _uniform(-_MOST_FRAMES, _MOST_FRAMES, curves, generator)
    at = (torch.arange(last + 1, device=curves.device) - frames).clamp(0, last)
    before = at.floor().clamp(max=last - 1).long()
    return torch.lerp(curves.gather(1, before), curves.gather(1, before + 1), at - before)


def _uniform(low, high, curves, generator):
    unit = torch.rand((len(curves), 1), generator=generator, device=curves.device)
    return low + (high - low) * unit.to(curves.dtype)


def _decayed(curves, rate):
    """Convolution with ``exp(-rate t)``, exact for curves that are straight between frames."""
    kept = torch.exp(-rate)
    # Integrals of the decay over a frame, weighted to its start and to its end.
    late = (rate - 1 + kept) / rate.square()
    early = (1 - kept) / rate - late
    decayed = torch.zeros_like(curves)
    for t in range(1, curves.shape[1]):
        before, now = curves[:, t - 1 : t], curves[:, t : t + 1]
        decayed[:, t : t + 1] = kept * decayed[:, t - 1 : t] + early * before + late * now
    return decayed


def _mean_size(curves):
    return curves.abs().mean(dim=1, keepdim=True) + torch.finfo(curves.dtype).tiny


# A fit can do with scatter, and not with the bias of a law that is a guess: half is left in.
FILTERED = OtherTissue(
    lambda clean: lambda chosen, generator: filtered(clean.index_select(0, chosen), generator),
    share=0.65,
    most_curves=65_536,
    of_training=0.2,
    width=96,
    passes=24,
    taken_out=0.5,
    not_of_law=0.01,
)
