"""Pieces that more than one of the papers needs: padding, depth and starting weights."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from sk_dcedenoise._validation import check_whole_number


class Dropout(nn.Module):
    """Set a share of the values to zero in training, drawn from a generator of the layer's own.

    PyTorch's layer draws from the stream that the whole process shares: a fit would advance it,
    and fits in several threads would not be repeatable. A `generator` of None is that stream.
    """

    def __init__(self, share):
        super().__init__()
        self.share = share
        self.generator = None

    def forward(self, x):
        if not self.training or self.share == 0:
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.share, generator=self.generator)
        return x * kept / (1 - self.share)


def half_width(kernel_size):
    """Padding on either side that keeps the length of a curve, for an odd kernel."""
    if check_whole_number(kernel_size, "kernel_size") % 2 == 0:
        raise ValueError(
            f"kernel_size={kernel_size}, but expected an odd number, which pads both ends alike: "
            f"take {kernel_size - 1} or {kernel_size + 1}."
        )
    return kernel_size // 2


def stages(n_down, n_times, *, shortest, most):
    """Number of stride-2 stages: as given, or for "auto" what `halvings` says."""
    if n_down == "auto":
        return halvings(n_times, shortest=shortest, most=most)
    return check_whole_number(n_down, "n_down", most=most)


def halvings(n_times, *, shortest, most):
    """Number of stride-2 stages that leave at least `shortest` samples, between 1 and `most`."""
    return min(max(int(math.log2(max(n_times / shortest, 1))), 1), most)


def repeat_last_to_multiple(x, multiple):
    """Lengthen the last axis to a multiple of `multiple` by repeating the last sample.

    Zeros would draw an artificial drop into the wash-out tail.
    """
    missing = -x.shape[-1] % multiple
    return F.pad(x, (0, missing), mode="replicate") if missing else x


def start_small(module):
    """Set Glorot weights and zero biases, and shrink the weights of the last layer tenfold.

    PyTorch takes a transposed convolution's fan-in from its output channels, so with its defaults
    a last layer of many channels to one starts far too large behind a batch normalisation.
    """
    layers = [m for m in module.modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d))]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    nn.init.xavier_uniform_(layers[-1].weight, gain=0.1)
