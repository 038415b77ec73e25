"""A small network that tells curves of the training law from those of other tissue.

It sees a curve through its coefficients in units of its noise, and through what would be noise in
them if the curve were of the one law, and of the other.
"""

import numpy as np
import torch
from torch.nn import functional

from sk_dcedenoise._guard._perceptron import Perceptron, squeezed

_BATCHES_PER_PASS, _SMALLEST_BATCH, _LARGEST_BATCH = 64, 128, 512
_N_HIDDEN = 2
# To draw a curve and to see what is noise in it takes longer than to learn from it once.
_USES = 2


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
        return self.network.has_shapes_for(4 * n_kept + 1, 1)

    @classmethod
    def learn(cls, draw_training, draw_other, means, n_curves, generator, width, passes):
        """Learn from curves of both laws.

        Parameters
        ----------
        draw_training, draw_other : callable
            ``draw(n_curves)`` returns coefficients of a law's curves in units of the noise, of
            shape (n_curves, n_kept), the logarithms of the noise, and what no judge is told.
        means : sequence of LawMean
            Of both laws.
        n_curves : int
            Of both laws together, in a pass.
        generator : torch.Generator
            On the device of all these.
        width : int
            Of the hidden layers.
        passes : int
        """
        size = int(np.clip(n_curves // _BATCHES_PER_PASS, _SMALLEST_BATCH, _LARGEST_BATCH))

        def draw(n_drawn):
            n_training = n_drawn // 2
            drawn = draw_training(n_training), draw_other(n_drawn - n_training)
            data, level, _ = (torch.cat(v) for v in zip(*drawn, strict=True))
            is_other = torch.arange(n_drawn, device=data.device) >= n_training
            noise = [mean(data, level) for mean in means]
            return _inputs(data, noise, level), is_other.to(data)

        def loss(odd, is_other):
            return functional.binary_cross_entropy_with_logits(odd[:, 0], is_other)

        network = Perceptron.learn(
            draw,
            loss,
            passes * max(1, n_curves // size),
            size,
            width=width,
            n_hidden=_N_HIDDEN,
            n_outputs=1,
            generator=generator,
            n_uses=_USES,
        )
        return cls(network)

    def __call__(self, data, noise, level):
        """Logarithm of the odds against the training law, were both laws as common.

        Parameters
        ----------
        data : tensor of shape (n_curves, n_kept)
            Coefficients in units of the noise.
        noise : sequence of tensor of shape (n_curves, n_kept)
            What is noise in them by the means of both laws.
        level : tensor of shape (n_curves,)
            Logarithm of the noise.

        Returns
        -------
        odd : tensor of shape (n_curves,)
        """
        odd, _ = self.network(_inputs(data, noise, level))
        return odd[:, 0]


def _inputs(data, noise, level):
    noise = [torch.asinh(v) for v in noise]
    return torch.cat([*squeezed(data), *noise, level[:, None]], dim=1)
