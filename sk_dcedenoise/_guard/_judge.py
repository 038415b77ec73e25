"""A small network that tells curves of the training law from those of other tissue.

It sees a curve through its coefficients in units of its noise, and what the denoiser removed from
them, and answers two questions: how much likelier the curve is under the law of other tissue than
under that of training, and what is noise in it if it is of other tissue.
"""

from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional

_LR = 3e-3
_BATCHES_PER_PASS, _SMALLEST_BATCH, _LARGEST_BATCH = 64, 128, 512
# No more than this is taken out of a coefficient of other tissue, in standard deviations of its
# noise, so that whatever comes, the data are not far.
_MOST_REMOVED = 3.0


class Judge:
    """Two hidden layers, as arrays.

    Parameters
    ----------
    shift, slope : ndarray of shape (n_inputs,)
        Mean and inverse standard deviation of the inputs.
    farthest : float
        Largest of the inputs so scaled that was seen.
    layers : list of ndarray
        Weights of shape (n_in, n_out) and offsets of shape (n_out,), three of each in turn.
    """

    def __init__(self, shift, slope, farthest, layers):
        self.shift, self.slope, self.farthest = shift, slope, farthest
        self.layers = layers

    def has_shapes_for(self, n_kept):
        """Whether all arrays fit each other, and curves in so many directions."""
        n_inputs = 3 * n_kept + 1
        found = [v.shape for v in (self.shift, self.slope, *self.layers)]
        if len(found) != 8 or found[3] == ():
            return False
        width = found[3][0]
        return found == [
            (n_inputs,),
            (n_inputs,),
            (n_inputs, width),
            (width,),
            (width, width),
            (width,),
            (width, 1 + n_kept),
            (1 + n_kept,),
        ]

    @classmethod
    def learn(cls, data, removed, level, is_other, noise, generator, width, passes):
        """Learn from curves of both laws.

        Parameters
        ----------
        data : tensor of shape (n_curves, n_kept)
            Coefficients in units of the noise.
        removed : tensor of shape (n_curves, n_kept)
            What the denoiser took out of them.
        level : tensor of shape (n_curves,)
            Logarithm of the noise.
        is_other : tensor of shape (n_curves,)
            1 for other tissue, 0 for curves of the training law.
        noise : tensor of shape (n_curves, n_kept)
            What there is to take out.
        generator : torch.Generator
            On the device of all these.
        width : int
            Of the hidden layers.
        passes : int
            Over all curves.
        """
        inputs = _inputs(data, removed, level)
        shift, slope = inputs.mean(0), 1 / (inputs.std(0) + 1e-6)
        inputs = (inputs - shift) * slope
        layers = _new_layers((inputs.shape[1], width, width, 1 + data.shape[1]), generator)

        def loss(rows):
            odd, removed = _answer(inputs[rows], layers)
            other = is_other[rows]
            of_noise = (removed - noise[rows]).square().mean(1)
            of_law = functional.binary_cross_entropy_with_logits(odd, other)
            return of_law + (of_noise * other).mean()

        _train(layers, loss, len(inputs), passes, generator)
        shift, slope, *layers = (v.detach().cpu().numpy() for v in (shift, slope, *layers))
        return cls(shift, slope, inputs.abs().max().item(), layers)

    def __call__(self, data, removed, level):
        """Answer both questions.

        Returns
        -------
        odd : tensor of shape (n_curves,)
            Logarithm of the odds against the training law, were both as common.
        removed : tensor of shape (n_curves, n_kept)
            Noise in the coefficients, if the tissue is another.
        """
        shift, slope, *layers = (
            torch.as_tensor(v).to(data) for v in (self.shift, self.slope, *self.layers)
        )
        inputs = (_inputs(data, removed, level) - shift) * slope
        odd, removed = _answer(inputs, layers)
        # Beyond all that was seen, nothing is known to be noise.
        known = (self.farthest + 1 - inputs.abs().amax(1, keepdim=True)).clamp(0.0, 1.0)
        return odd, removed * known


def _inputs(data, removed, level):
    # Large coefficients tell less and less; small ones are to be removed as they are.
    parts = (torch.asinh(data), data.clamp(-4, 4), torch.asinh(removed), level[:, None])
    return torch.cat(parts, dim=1)


def _new_layers(widths, generator):
    layers = []
    for n_in, n_out in pairwise(widths):
        weight = torch.randn((n_in, n_out), generator=generator, device=generator.device)
        layers += [weight / n_in**0.5, torch.zeros(n_out, device=generator.device)]
    return [layer.requires_grad_() for layer in layers]


def _answer(inputs, layers):
    first, first_offset, second, second_offset, last, last_offset = layers
    hidden = functional.silu(torch.addmm(first_offset, inputs, first))
    hidden = functional.silu(torch.addmm(second_offset, hidden, second))
    answer = torch.addmm(last_offset, hidden, last)
    return answer[:, 0], _MOST_REMOVED * torch.tanh(answer[:, 1:] / _MOST_REMOVED)


def _train(layers, loss, n_curves, passes, generator):
    batch = int(np.clip(n_curves // _BATCHES_PER_PASS, _SMALLEST_BATCH, _LARGEST_BATCH))
    n_steps = passes * max(1, n_curves // batch)
    optimizer = torch.optim.Adam(layers, lr=_LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    with torch.enable_grad():
        for _ in range(n_steps):
            rows = torch.randint(n_curves, (batch,), generator=generator, device=generator.device)
            optimizer.zero_grad()
            loss(rows).backward()
            optimizer.step()
            schedule.step()
