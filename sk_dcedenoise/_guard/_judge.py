"""A small network that tells curves of the training law from those of other tissue.

It sees a curve through its coefficients in units of its noise, and what the denoiser removed from
them.
"""

import numpy as np
import torch
from torch.nn import functional

from sk_dcedenoise._guard._perceptron import Perceptron, squeezed

_BATCHES_PER_PASS, _SMALLEST_BATCH, _LARGEST_BATCH = 64, 128, 512
_N_HIDDEN = 2


class Judge:
    """How much likelier is a curve under the law of other tissue than under that of training?

    Parameters
    ----------
    network : Perceptron
    """

    def __init__(self, network):
        self.network = network

    def has_shapes_for(self, n_kept):
        """Whether all arrays fit each other, and curves in so many directions."""
        return self.network.has_shapes_for(3 * n_kept + 1, 1)

    @classmethod
    def learn(cls, data, removed, level, is_other, generator, width, passes):
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
        generator : torch.Generator
            On the device of all these.
        width : int
            Of the hidden layers.
        passes : int
            Over all curves.
        """
        inputs = _inputs(data, removed, level)
        n_curves = len(inputs)
        size = int(np.clip(n_curves // _BATCHES_PER_PASS, _SMALLEST_BATCH, _LARGEST_BATCH))

        def batches():
            while True:
                rows = torch.randint(
                    n_curves, (size,), generator=generator, device=generator.device
                )
                yield inputs[rows], is_other[rows]

        def loss(odd, is_other):
            return functional.binary_cross_entropy_with_logits(odd[:, 0], is_other)

        network = Perceptron.learn(
            batches(),
            loss,
            n_steps=passes * max(1, n_curves // size),
            width=width,
            n_hidden=_N_HIDDEN,
            n_outputs=1,
            sample=inputs,
            generator=generator,
        )
        return cls(network)

    def __call__(self, data, removed, level):
        """Logarithm of the odds against the training law, were both laws as common.

        Returns
        -------
        odd : tensor of shape (n_curves,)
        """
        odd, _ = self.network(_inputs(data, removed, level))
        return odd[:, 0]


def _inputs(data, removed, level):
    return torch.cat([*squeezed(data), torch.asinh(removed), level[:, None]], dim=1)
