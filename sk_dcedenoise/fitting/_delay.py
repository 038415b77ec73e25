"""The bolus delay as one more parameter, for all models.

For one rate and one delay the best amplitudes in the box have a closed form; what is left is a
function of the rate and the delay. A coarse net of both finds its valley, and Levenberg-Marquardt
steps, exact at every rate and delay, its bottom.
"""

import numpy as np
import torch

from sk_dcedenoise.convolution import exponential_convolution
from sk_dcedenoise.fitting._climb import top_rung
from sk_dcedenoise.fitting._descent import descend
from sk_dcedenoise.fitting._design import Design

# The net: delays at most this far apart (s), but not more than so many; every third rung.
_DELAY_STEP, _MOST_DELAYS, _RUNG_STEP = 1.0, 49, 2

# Curves go through the net in blocks with so many values.
_NET_VALUES = 2**17
# Larger curves start as if they were this large (mM), lest their squares overflow in float32.
_LARGE = 1e15
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
        self.design = protocol.cached(Design, device)
        self.nodes = self.design.nodes
        self.has_rate = protocol.model != "patlak"
        self.weights = torch.as_tensor(protocol.weights, device=device)
        low, high = self.box.delay
        count = min(int(np.ceil((high - low) / _DELAY_STEP)) + 1, _MOST_DELAYS)
        jumps = _jumps(protocol)
        self.delays = np.union1d(np.linspace(low, high, max(count, 3)), [jumps, jumps + _INSTANT])
        self.delays = self.delays[self.delays <= high]
        self.jumps = torch.as_tensor(jumps, device=device)
        self.delay_nodes = torch.as_tensor(self.delays, device=device)
        rungs = np.arange(self.nodes.size)[self.nodes.inner]
        kep = self.nodes.kep_of(rungs[::_RUNG_STEP]) if self.has_rate else np.zeros(1)
        self.net_kep = torch.as_tensor(kep.clip(*self.box.kep), device=device)
        self._cast_net(protocol, device)
        # A chunk is worked on in smaller parts, and its own curves are all that it keeps.
        self.width = max(4, len(protocol.time) // 8)

    def _cast_net(self, protocol, device):
        """Responses (n_delays, n_rates, n_times) and plasma (n_delays, n_times) of the net."""
        kep, responses, plasma = self.net_kep.cpu().numpy(), [], []
        for delay in self.delays:
            seen = protocol.time - delay
            responses.append(exponential_convolution(seen, kep, protocol.aif_time, protocol.cp))
            plasma.append(protocol.plasma_at(seen))
        # For a start float32 will do.
        kind = dict(dtype=torch.float32, device=device)
        self.net = torch.as_tensor(np.array(responses), **kind)
        self.net_plasma = torch.as_tensor(np.array(plasma), **kind)

    def __call__(self, curves, weights):
        """Fit of curves without NaN; `weights` (n_curves, n_times), or None for the protocol's."""
        kep, delay = self._starts(curves, weights)
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

    def _starts(self, curves, weights):
        """Best rate and delay of the net, for blocks of curves."""
        step = max(64, _NET_VALUES // self.net[..., 0].numel())
        blocks = [slice(i, i + step) for i in range(0, len(curves), step)]
        own = [self.weights[None] if weights is None else weights[block] for block in blocks]
        starts = [self._start(curves[b], w) for b, w in zip(blocks, own, strict=True)]
        return tuple(torch.cat(values) for values in zip(*starts, strict=True))

    def _start(self, curves, weights):
        low, high = self.ktrans_range(self.net_kep.float())
        E, C, w = self.net, self.net_plasma, weights.float()
        curves = curves.clip(-_LARGE, _LARGE).float() * w
        yE, yC = self._products(curves, E), self._products(curves, C)[..., None]
        EE, EC = self._products(w, E * E), self._products(w, E * C[:, None])
        CC = self._products(w, C * C)[..., None]
        # vp as if Ktrans were free, and Ktrans for that vp: good enough to find the valley.
        information = EE * CC - EC * EC
        inverse = torch.where(information > 1e-6 * EE * CC, 1.0 / information, 0.0)
        vp = (yC * (EE * inverse) - yE * (EC * inverse)).clip_(*self.box.vp)
        rest = yE.sub_(vp * EC)
        ktrans = (rest * (1.0 / EE)).maximum(low).minimum(high)
        cost = (ktrans * EE).sub_(2.0 * rest).mul_(ktrans) + vp * (CC * vp).sub_(2.0 * yC)
        rung, dip = _lowest(cost.nan_to_num_(nan=torch.inf))
        best = dip.argmin(1, keepdim=True)
        return self.net_kep[rung.gather(1, best)[:, 0]], self.delay_nodes[best[:, 0]]

    @staticmethod
    def _products(rows, net):
        """Sums over frames: (n_rows, *net.shape[:-1])."""
        return (rows @ net.flatten(0, -2).T).view(-1, *net.shape[:-1])

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


def _lowest(cost):
    """Best rung for each delay, and how low a parabola through it and its neighbours dips."""
    n_rungs = cost.shape[-1]
    rung = top_rung(-cost.view(-1, n_rungs)).view(cost.shape[:-1])
    if n_rungs < 3:
        return rung, cost.amin(-1)
    middle = rung.clip(1, n_rungs - 2)
    left, centre, right = (cost.gather(-1, (middle + k)[..., None])[..., 0] for k in (-1, 0, 1))
    slope, bend = right - left, right - 2.0 * centre + left
    is_low = (slope.abs() <= bend) & (bend > 0)
    return rung, cost.amin(-1) - torch.where(is_low, slope * slope / (8.0 * bend), 0.0)


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
