"""Model curves and their derivatives at rates and delays that differ from curve to curve."""

import math

import numpy as np
import torch

from sk_dcedenoise.fitting._nodes import monomials

# Bins in which to look up the last node before a frame.
_BINS = 4096
# Up to this, rate times step, an integral is summed as a series of so many terms.
_SERIES_BELOW = 0.3
_SERIES_TERMS = 8


class Design:
    """Responses, plasma and their derivatives, exact for a piecewise-linear plasma curve.

    The response at a node of the plasma curve is interpolated on the ladder of rates; from the
    last node before a frame to the frame it is in closed form.

    Parameters
    ----------
    protocol : Protocol
        Frame times, plasma curve and ladder.
    device : torch.device
        Where to compute, in float64.
    """

    def __init__(self, protocol, device):
        def send(values):
            return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float64), device=device)

        self.nodes = protocol.nodes("float64")
        self.frames = send(protocol.time / 60.0)
        self.node_time = send(protocol.aif_time / 60.0)
        self.cp = send(protocol.cp)
        slope = np.diff(protocol.cp) / np.diff(protocol.aif_time / 60.0)
        self.slope = send(np.append(slope, 0.0))
        states = self.nodes.evaluate(np.arange(self.nodes.size), protocol.aif_time)
        self.states = send(states.T)
        self.to_coefficients = send(monomials(self.nodes.half))
        self._make_bins(protocol.aif_time / 60.0, device)

    def _make_bins(self, node_time, device):
        """Even bins over the plasma curve: the last node before each, and the most nodes in one."""
        edges = np.linspace(node_time[0], node_time[-1], _BINS + 1)
        last = np.maximum(np.searchsorted(node_time, edges, side="right") - 1, 0)
        self.bin_start, self.per_bin = float(edges[0]), _BINS / float(edges[-1] - edges[0])
        self.first_in_bin = torch.as_tensor(last, device=device)
        self.most_in_bin = int(np.diff(last).max(initial=0))
        self.next_time = torch.cat([self.node_time[1:], self.node_time.new_tensor([torch.inf])])

    def _last_node(self, seen):
        """Last node of the plasma curve before each time (0 if none); quicker than bisection."""
        place = ((seen - self.bin_start) * self.per_bin).clip_(0, _BINS).long()
        node = self.first_in_bin[place]
        for _ in range(self.most_in_bin):
            node += seen >= self.next_time[node]
        return node

    def __call__(self, kep, delay):
        """Rows for each pair of rate (1/min) and delay (s).

        Returns
        -------
        response, by_kep, by_delay : tensor of shape (n_curves, n_times)
            Response in mM min, its derivative to kep and to the delay.
        plasma, plasma_by_delay : tensor of shape (n_curves, n_times)
            Plasma concentration in mM and its derivative to the delay.
        """
        # A place to look things up also for curves without an answer.
        kep, delay = kep.nan_to_num(), delay.nan_to_num()
        seen = self.frames - delay[:, None] / 60.0
        node = self._last_node(seen)
        node_time, start, slope = (
            table.index_select(0, node.view(-1)).view_as(seen)
            for table in (self.node_time, self.cp, self.slope)
        )
        arrived = (seen >= self.node_time[0]).to(seen)
        start, slope = start * arrived, slope * arrived
        ahead, rate = (seen - node_time).clip_(min=0.0), kep[:, None]
        state, state_by_kep = self._states(kep, node)
        flat, ramp, third, decay = _unit_integrals(rate * ahead)
        rise = slope * ahead
        response = decay * state + ahead * (start * flat + rise * ramp)
        by_kep = decay * (state_by_kep - ahead * state)
        by_kep += ahead * ahead * (start * (ramp - flat) + rise * (2.0 * third - ramp))
        plasma = start + rise
        by_delay = (rate * response - plasma) / 60.0
        return response, by_kep, by_delay, plasma, slope / -60.0

    def _states(self, kep, node):
        """Responses at the plasma curve's nodes and their derivatives to kep."""
        nodes, width = self.nodes, 2 * self.nodes.half + 1
        place = nodes.place_of(kep)
        start = (place.round().long() - nodes.half).clip(0, nodes.size - width)
        powers = (place - start - nodes.half)[:, None] ** torch.arange(width, device=kep.device)
        slopes = torch.zeros_like(powers)
        slopes[:, 1:] = powers[:, :-1] * torch.arange(1, width, device=kep.device)
        weights = torch.stack([powers, slopes], dim=2).mT @ self.to_coefficients
        windows = self.states.as_strided((self.states.numel() - width + 1, width), (1, 1))
        place = (node * nodes.size).add_(start[:, None]).view(-1)
        near = windows.index_select(0, place).view(*node.shape, width)
        both = near @ weights.mT
        return both[..., 0], both[..., 1] / (nodes.step * (kep[:, None] + nodes.scale))


def _unit_integrals(x):
    """Integrals over v from 0 to 1 of exp(-x (1 - v)) times 1, v and v**2 / 2, and exp(-x)."""
    third = torch.full_like(x, 1.0 / math.factorial(_SERIES_TERMS + 3))
    for order in range(_SERIES_TERMS + 2, 2, -1):
        third = third.mul_(x).neg_().add_(1.0 / math.factorial(order))
    # Each from the next: in this direction small rates lose no digits, and large ones do.
    ramp = 0.5 - x * third
    flat = 1.0 - x * ramp
    decay = 1.0 - x * flat
    large = x > _SERIES_BELOW
    if large.any():
        y = x[large]
        decay[large] = torch.exp(-y)
        flat[large] = (1.0 - decay[large]) / y
        ramp[large] = (1.0 - flat[large]) / y
        third[large] = (0.5 - ramp[large]) / y
    return flat, ramp, third, decay
