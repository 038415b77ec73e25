"""The small networks that a guard is made of, kept as arrays."""

import math
from functools import partial
from itertools import islice, pairwise

import torch
from torch.nn import functional

_LR = 3e-3
# Curves drawn at a time.
_BLOCK = 65_536


class Perceptron:
    """Hidden layers of one width, each of which adds to what the one before has found.

    Parameters
    ----------
    shift, slope : ndarray of shape (n_inputs,)
        Mean and inverse standard deviation of the inputs.
    farthest : float
        Largest of the inputs so scaled that was seen.
    layers : list of ndarray
        Weights of shape (n_in, n_out) and offsets of shape (n_out,) in turn.
    """

    def __init__(self, shift, slope, farthest, layers):
        self.shift, self.slope, self.farthest = shift, slope, farthest
        self.layers = layers

    def has_shapes_for(self, n_inputs, n_outputs):
        """Whether all arrays fit each other, and so many inputs and outputs."""
        n_hidden = len(self.layers) // 2 - 1
        if n_hidden < 1 or self.layers[0].ndim != 2:
            return False
        widths = [n_inputs, *n_hidden * [self.layers[0].shape[1]], n_outputs]
        expected = [
            shape for n_in, n_out in pairwise(widths) for shape in ((n_in, n_out), (n_out,))
        ]
        found = [v.shape for v in (self.shift, self.slope, *self.layers)]
        return found == [(n_inputs,), (n_inputs,), *expected]

    @classmethod
    def learn(
        cls, draw, loss, n_steps, batch_size, *, width, n_hidden, n_outputs, generator, n_uses=1
    ):
        """Learn from curves that are drawn anew again and again.

        Parameters
        ----------
        draw : callable
            ``draw(n_curves)`` returns inputs of shape (n_curves, n_inputs), and what `loss` needs
            beside.
        loss : callable
            Of the answer of shape (n_curves, n_outputs) and the rest of a batch.
        n_steps, batch_size : int
        width, n_hidden, n_outputs : int
            Width and number of the hidden layers, and numbers in an answer.
        generator : torch.Generator
            On the device of all these.
        n_uses : int, default=1
            How often each curve is seen, where drawing is what takes long.
        """
        n_drawn = min(math.ceil(n_steps / n_uses) * batch_size, _BLOCK)
        inputs, *_ = draw(n_drawn)
        shift, slope = inputs.mean(0), 1 / (inputs.std(0) + 1e-6)
        farthest = ((inputs - shift) * slope).abs().max()
        layers = _new_layers((len(shift), *n_hidden * [width], n_outputs), generator)
        optimizer = torch.optim.Adam(layers, lr=_LR)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
        batches = _batches(partial(draw, n_drawn), batch_size, n_uses, generator)
        with torch.enable_grad():
            for inputs, *rest in islice(batches, n_steps):
                optimizer.zero_grad()
                loss(_answer((inputs - shift) * slope, layers), *rest).backward()
                optimizer.step()
                schedule.step()
        shift, slope, *layers = (v.detach().cpu().numpy() for v in (shift, slope, *layers))
        return cls(shift, slope, farthest.item(), layers)

    def __call__(self, inputs):
        """Answer.

        Parameters
        ----------
        inputs : tensor of shape (n_curves, n_inputs)

        Returns
        -------
        answer : tensor of shape (n_curves, n_outputs)
        known : tensor of shape (n_curves,)
            1 where the inputs are among what was seen, falling to 0 beyond.
        """
        shift, slope, *layers = (
            torch.as_tensor(v).to(inputs) for v in (self.shift, self.slope, *self.layers)
        )
        inputs = (inputs - shift) * slope
        known = (self.farthest + 1 - inputs.abs().amax(1)).clamp(0.0, 1.0)
        return _answer(inputs, layers), known


def squeezed(coefficients):
    """Coefficients as inputs: large ones tell less and less, small ones are seen as they are."""
    return torch.asinh(coefficients), coefficients.clamp(-4, 4)


def _batches(draw, size, n_uses, generator):
    """Batches without end."""
    while True:
        drawn = draw()
        for _ in range(n_uses):
            order = torch.randperm(len(drawn[0]), generator=generator, device=generator.device)
            yield from zip(*(v[order].split(size) for v in drawn), strict=True)


def _new_layers(widths, generator):
    layers = []
    for n_in, n_out in pairwise(widths):
        weight = torch.randn((n_in, n_out), generator=generator, device=generator.device)
        layers += [weight / n_in**0.5, torch.zeros(n_out, device=generator.device)]
    return [layer.requires_grad_() for layer in layers]


def _answer(inputs, layers):
    first, *middle, last = zip(layers[::2], layers[1::2], strict=True)
    hidden = functional.silu(torch.addmm(first[1], inputs, first[0]))
    for weight, offset in middle:
        hidden = hidden + functional.silu(torch.addmm(offset, hidden, weight))
    return torch.addmm(last[1], hidden, last[0])
