"""Variable projection: the free optimum of a whole chunk of curves at once.

For one rate the model is linear, and what a curve gains from the response at that rate is its
projection on the part of the response that plasma cannot explain. One matrix product gives that
projection on every rung of a ladder of rates; a polynomial through the best rung and its
neighbours gives the rate between them; Ktrans and vp follow in closed form.
"""

import numpy as np
import torch

from sk_dcedenoise.fitting._climb import Climber, look_up, make_table, top_rung
from sk_dcedenoise.fitting._fit import Fit
from sk_dcedenoise.fitting._nodes import directions


class FreeSearch:
    """Fits whose optimum lies inside the box; others are marked for the searches that follow.

    Parameters
    ----------
    protocol : Protocol
        Frame times, plasma curve, weights and box.
    dtype : {"float32", "float64"}
        How exactly to compute.
    device : torch.device
        Where to compute.
    """

    def __init__(self, protocol, dtype, device):
        self.box, self.nodes = protocol.box, protocol.nodes(dtype)
        self.dtype, self.device = getattr(torch, dtype), device
        self.climb = Climber(self.nodes, self.dtype, device)
        nodes, weights = self.nodes, protocol.weights
        self.has_plasma = self.box.vp != (0.0, 0.0)
        unit, self.length, self.share = directions(
            nodes.responses, nodes.plasma, weights, orthogonal=self.has_plasma
        )
        self.energy = (weights * nodes.plasma**2).sum()
        plasma = nodes.plasma * weights / (self.energy or 1.0)
        self.basis, self.plasma = self.send(unit.T), self.send(plasma)
        with np.errstate(divide="ignore", invalid="ignore"):
            tables = [1.0 / self.length] + [self.share] * self.has_plasma
        self.table = make_table(nodes, tables, self.send)

    def send(self, values):
        """A numpy array as a tensor of this search."""
        values = np.ascontiguousarray(values)
        # torch warns of arrays that it must not write to.
        values = values if values.flags.writeable else values.copy()
        return torch.as_tensor(values, dtype=self.dtype, device=self.device)

    def __call__(self, curves):
        """Fits, and which of them (bool) are the optimum in the box."""
        gains = curves @ self.basis
        place, gain, slack = self.climb(gains, top_rung(gains))
        kep = self.nodes.kep_of(place)
        parts = look_up(self.table, place)
        ktrans = gain.mul_(parts[0])
        if self.has_plasma:
            vp = torch.addcmul(curves @ self.plasma, ktrans, parts[1], value=-1.0)
            slack = torch.minimum(slack, torch.minimum(vp - self.box.vp[0], self.box.vp[1] - vp))
        else:
            vp = torch.zeros_like(ktrans)
        slack = torch.minimum(slack, ktrans_slack(ktrans, kep, self.box))
        return Fit(ktrans, kep, vp, torch.full_like(vp, self.box.delay[0])), slack > 0


def ktrans_slack(ktrans, kep, box):
    """Distance of Ktrans from the nearest end of its range at each rate; negative outside."""
    low, high = box.ktrans_range(kep)
    return torch.minimum(ktrans - low, high - ktrans)
