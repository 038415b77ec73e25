"""The mean of what a curve may have been under a law: a small network's estimate.

It sees a curve through its coefficients in units of its noise, and relative to the curve's size.
"""

import torch

from sk_dcedenoise._guard._perceptron import Perceptron, squeezed

_WIDTH, _N_HIDDEN = 256, 4
# No more than this is taken out of a coefficient, in standard deviations of its noise, so that
# whatever comes, the data are not far.
_MOST_REMOVED = 3.0
# In units of its noise a curve with little noise is as hard as any, and hardly better for it: above
# this size, it counts the less.
_NOISY = 10.0
# Curves in a step; steps at least.
_BATCH, _FEWEST_STEPS = 512, 8


class LawMean:
    """What is noise in a curve, if it is of one law?

    Parameters
    ----------
    network : Perceptron
    """

    def __init__(self, network):
        self.network = network

    def has_shapes_for(self, n_kept):
        """Whether all arrays fit each other, and curves in so many directions."""
        return self.network.has_shapes_for(3 * n_kept + 2, n_kept)

    @classmethod
    def learn(cls, draw, n_kept, n_curves, generator, passes):
        """Learn from curves of the law, which are drawn anew for each pass.

        Parameters
        ----------
        draw : callable
            ``draw(n_curves)`` returns their coefficients in units of the noise, of shape
            (n_curves, n_kept), the logarithms of the noise, and what is noise in the coefficients.
        n_kept : int
        n_curves : int
            In a pass.
        generator : torch.Generator
            On the device of all these.
        passes : int
        """

        def weighed(n_drawn):
            data, level, noise = draw(n_drawn)
            weight = 1 / (1 + (_size(data) / _NOISY).square())
            return _inputs(data, level), noise, weight / weight.mean()

        def loss(answer, noise, weight):
            return ((_within(answer) - noise).square() * weight).mean()

        network = Perceptron.learn(
            weighed,
            loss,
            max(passes * n_curves // _BATCH, _FEWEST_STEPS),
            _BATCH,
            width=_WIDTH,
            n_hidden=_N_HIDDEN,
            n_outputs=n_kept,
            generator=generator,
        )
        return cls(network)

    def __call__(self, data, level):
        """Noise in the coefficients.

        Parameters
        ----------
        data : tensor of shape (n_curves, n_kept)
            Coefficients in units of the noise.
        level : tensor of shape (n_curves,)
            Logarithm of the noise.

        Returns
        -------
        removed : tensor of shape (n_curves, n_kept)
        """
        answer, known = self.network(_inputs(data, level))
        # Beyond all that was seen, nothing is known to be noise.
        return _within(answer) * known[:, None]


def _inputs(data, level):
    size = 1 + _size(data)
    return torch.cat([*squeezed(data), data / size, size.log(), level[:, None]], dim=1)


def _size(data):
    return data.square().mean(1, keepdim=True).sqrt()


def _within(answer):
    return _MOST_REMOVED * torch.tanh(answer / _MOST_REMOVED)
