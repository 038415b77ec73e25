"""The bolus delay as one more parameter, for all models.

For one rate and one delay the best amplitudes in the box have a closed form; what is left is a
function of the rate and the delay. A coarse net of both finds its valley, and Levenberg-Marquardt
steps, exact at every rate and delay, its bottom.
"""

import numpy as np
import torch

from ..convolution import exponential_convolution
from ._bounded import dips
from ._descent import descend
from ._design import Design
from ._moments import Moments, box_optimum

# The net: delays at most this far apart (s), but not more than so many; every third rung.
_DELAY_STEP, _MOST_DELAYS, _RUNG_STEP = 1.0, 49, 3

# How many jumps of the cost a descent may cross.
_MOST_CROSSINGS = 3
# A rise within this time (s) is a jump, and what comes this much later comes after it.
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
        jumps = _jumps(protocol)
        self.delays = np.union1d(np.linspace(low, high, max(count, 3)), [jumps, jumps + _INSTANT])
        self.delays = self.delays[self.delays <= high]
        self.jumps = torch.as_tensor(jumps, device=device)
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
        ends = self._pieces(delay)
        fit, cost = descend(self, curves, weights, kep, delay, ends)
        rows = torch.arange(len(cost), device=cost.device)
        for _ in range(_MOST_CROSSINGS if len(self.jumps) else 0):
            # A descent that ends at a jump goes on behind it, if that is lower in the end.
            delay = self._behind_jump(fit.delay[rows], ends[rows])
            rows = rows[~delay.isnan()]
            if not len(rows):
                break
            delay = delay[~delay.isnan()]
            new_ends = self._pieces(delay)
            other, new = descend(self, curves[rows], weights[rows], fit.kep[rows], delay, new_ends)
            lower = new < cost[rows]
            rows = rows[lower]
            fit.put(rows, other.rows(lower))
            cost[rows], ends[rows] = new[lower], new_ends[lower]
        return fit

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
            best = dips(cost).min(1)
            costs.append(best.values)
            rungs.append(best.indices)
        best = torch.stack(costs).argmin(0)
        rung = torch.stack(rungs).gather(0, best[None])[0]
        delays = torch.as_tensor(self.delays, device=self.device)
        return self.net_kep[rung], delays[best]

    def _behind_jump(self, delay, ends):
        """Where a piece goes on across the end at which it stands; NaN inside it."""
        low, high = ends.unbind(1)
        left = torch.where((delay <= low) & (low > self.box.delay[0]), low - _INSTANT, torch.nan)
        return torch.where((delay >= high) & (high < self.box.delay[1]), high + _INSTANT, left)

    def _pieces(self, delay):
        """Ends (n_curves, 2) of the range around each delay in which the cost has no jump."""
        low, high = (self.jumps.new_tensor([end]) for end in self.box.delay)
        after = torch.searchsorted(self.jumps, delay)
        return torch.stack(
            [
                torch.cat([low, self.jumps + _INSTANT])[after],
                torch.cat([self.jumps, high])[after],
            ],
            dim=1,
        )

    def ktrans_range(self, kep):
        """Lowest and highest Ktrans at each rate."""
        if self.has_rate:
            return self.box.ktrans_range(kep)
        return tuple(torch.full_like(kep, end) for end in self.box.Ktrans)


def _jumps(protocol):
    """Delays within range at which a frame sees the start of a plasma curve that starts at once."""
    (low, high), (first, second) = protocol.box.delay, protocol.aif_time[:2]
    if protocol.cp[0] != 0.0:
        arrivals = protocol.time - first
    elif second - first < _INSTANT:
        arrivals = protocol.time - second
    else:
        return np.zeros(0)
    return arrivals[(arrivals >= low) & (arrivals < high)]
