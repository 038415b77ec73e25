"""The Patlak model at a known delay: linear, so its optimum in the box has a closed form."""

import torch

from sk_dcedenoise.convolution import exponential_convolution
from sk_dcedenoise.fitting._fit import Fit
from sk_dcedenoise.fitting._moments import Moments, box_optimum


class PatlakSearch:
    """Closed-form fit of ``vp Cp + Ktrans * integral of Cp``.

    Parameters
    ----------
    protocol : Protocol
        Frame times, plasma curve, weights and box.
    device : torch.device
        Where to compute, in float64.
    """

    def __init__(self, protocol, device):
        self.box = protocol.box
        self.width = 2 * len(protocol.time)
        seen = protocol.time - self.box.delay[0]
        integral = exponential_convolution(seen, 0.0, protocol.aif_time, protocol.cp)
        self.integral = torch.as_tensor(integral, device=device)
        self.plasma = torch.as_tensor(protocol.plasma_at(seen), device=device)
        self.weights = torch.as_tensor(protocol.weights, device=device)

    def __call__(self, curves, weights):
        """Fit of curves without NaN; `weights` (n_curves, n_times), or None for the protocol's."""
        if weights is None:
            m = Moments.common(curves, self.integral, self.plasma, self.weights)
        else:
            m = Moments.individual(curves, self.integral, self.plasma, weights)
        low, high = (torch.as_tensor(end).to(curves) for end in self.box.Ktrans)
        ktrans, vp, _ = box_optimum(m.yE, m.yC, m.EE, m.EC, m.CC, low, high, self.box.vp)
        ktrans, vp = ktrans[:, 0], vp[:, 0]
        return Fit(ktrans, torch.zeros_like(vp), vp, torch.full_like(vp, self.box.delay[0]))
