"""The bolus delay as one more parameter, for all models.

For one rate and one delay the best amplitudes in the box have a closed form; what is left is a
function of the rate and the delay. A coarse net of both finds its valley, and Levenberg-Marquardt
steps, exact at every rate and delay, its bottom.
"""

import numpy as np
import torch

from ..convolution import exponential_convolution
from ._descent import descend
from ._design import Design
from ._moments import Moments, box_optimum

# The net: delays at most this far apart (s), but not more than so many; every third rung.
_DELAY_STEP, _MOST_DELAYS, _RUNG_STEP = 1.0, 49, 3

# A rise within this time (s) is a jump.
_INSTANT = 1e-6


class DelaySearch:
    """Fit with the delay free in its range.

    Parameters
    ----------
    protocol : Protocol
        Frame times, plasma curve, weights, box and model.
    device : torch.device
        Where to compute, in float64.
    """

    def __init__(self, protocol, device):
        self.box, self.device = protocol.box, device
        self.design = Design(protocol, device)
        self.nodes = self.design.nodes
        self.has_rate = protocol.model != "patlak"
        self.weights = torch.as_tensor(protocol.weights, device=device)
        low, high = self.box.delay
        count = min(int(np.ceil((high - low) / _DELAY_STEP)) + 1, _MOST_DELAYS)
        self.delays = np.union1d(np.linspace(low, high, max(count, 3)), _jumps(protocol))
        rungs = np.arange(self.nodes.size)[self.nodes.inner]
        kep = self.nodes.kep_of(rungs[::_RUNG_STEP]) if self.has_rate else np.zeros(1)
        self.net_kep = torch.as_tensor(kep.clip(*self.box.kep), device=device)
        self.net = [self._responses(protocol, delay) for delay in self.delays]
        self.width = max(self.nodes.size, len(protocol.time)) // 2

    def _responses(self, protocol, delay):
        seen = protocol.time - delay
        kep = self.net_kep.cpu().numpy()
        responses = exponential_convolution(seen, kep, protocol.aif_time, protocol.cp)
        rows = np.vstack([responses, protocol.plasma_at(seen)])
        return torch.as_tensor(rows, device=self.device)

    def __call__(self, curves, weights):
        """Fit of curves without NaN; `weights` (n_curves, n_times), or None for the protocol's."""
        kep, delay = self._start(curves, weights)
        weights = self.weights.expand_as(curves) if weights is None else weights
        return descend(self, curves, weights, kep, delay)

    def _start(self, curves, weights):
        """Best rate and delay of the net."""
        low, high = self.ktrans_range(self.net_kep)
        costs, rungs = [], []
        for net in self.net:
            if weights is None:
                m = Moments.common(curves, net[:-1], net[-1], self.weights)
            else:
                m = Moments.individual(curves, net[:-1], net[-1], weights)
            cost = box_optimum(m.yE, m.yC, m.EE, m.EC, m.CC, low, high, self.box.vp)[2]
            best = cost.min(1)
            costs.append(best.values)
            rungs.append(best.indices)
        best = torch.stack(costs).argmin(0)
        rung = torch.stack(rungs).gather(0, best[None])[0]
        delays = torch.as_tensor(self.delays, device=self.device)
        return self.net_kep[rung], delays[best]

    def ktrans_range(self, kep):
        """Lowest and highest Ktrans at each rate."""
        if self.has_rate:
            return self.box.ktrans_range(kep)
        return tuple(torch.full_like(kep, end) for end in self.box.Ktrans)


def _jumps(protocol):
    """Delays on either side of which a frame sees a plasma curve that starts with a jump."""
    (low, high), (first, second) = protocol.box.delay, protocol.aif_time[:2]
    if protocol.cp[0] == 0.0 and second - first > _INSTANT:
        return []
    arrivals = protocol.time - second if protocol.cp[0] == 0.0 else protocol.time - first
    beside = np.concatenate([arrivals, arrivals + 2.0 * _INSTANT])
    return beside[(beside >= low) & (beside <= high)]
