"""From rungs of the ladder to the top between them."""

import math

import numpy as np
import torch

from sk_dcedenoise.fitting._nodes import monomials

# Newton steps from the best rung; the error squares from one to the next.
_STEPS = {torch.float32: 2, torch.float64: 3}
# A last step longer than this (in rungs) has not arrived.
_ARRIVED = {torch.float32: 5e-2, torch.float64: 1e-3}
# A top this flat, relative to its height and in rungs, has its place decided by rounding.
_FLAT = {torch.float32: 3e-5, torch.float64: 1e-11}
# Fine places for functions of the rate alone, and terms of their series between.
_FINE = 8192
_TERMS = {torch.float32: 2, torch.float64: 3}


class Climber:
    """Newton's method on the polynomial through the best rung and its neighbours.

    Parameters
    ----------
    nodes : Nodes
        The ladder.
    dtype, device : torch.dtype, torch.device
        Of the values on it.
    more_steps : int
        Steps beyond those that a smooth, wide top takes.
    """

    def __init__(self, nodes, dtype, device, more_steps=0):
        self.size, self.half, self.width = nodes.size, nodes.half, 2 * nodes.half + 1
        self.steps = _STEPS[dtype] + more_steps
        self.arrived, self.flat = _ARRIVED[dtype], _FLAT[dtype]
        value = monomials(self.half)
        slope = value[1:] * np.arange(1, self.width)[:, None]
        rows = np.concatenate([value[::-1], slope[::-1]])
        self.to_coefficients = torch.as_tensor(rows, dtype=dtype, device=device)

    def __call__(self, values, best):
        """Top near the best rungs of `values` (n_curves, size), as `top` returns it."""
        start = self.start(best)
        return self.top(self.windows(values, start), start, best)

    def start(self, best):
        """First rung of the neighbourhood."""
        return (best - self.half).clamp_(0, self.size - self.width)

    def windows(self, values, start):
        """Neighbourhoods (n_curves, width) in `values` (n_curves, size)."""
        every = values.as_strided((values.numel() - self.width + 1, self.width), (1, 1))
        first = torch.arange(0, values.numel(), self.size, device=values.device).add_(start)
        return every.index_select(0, first)

    def top(self, near, start, best):
        """Place in rungs of the top of each neighbourhood, the height there, and a slack.

        The slack is above zero where the top lies on the ladder, is no plain and has been
        arrived at.
        """
        coefficients = self.to_coefficients @ near.T
        middle = (start + self.half).to(near.dtype)
        t, step, bend = self._newton(coefficients[self.width :], best - middle)
        height = coefficients[0]
        for c in coefficients[1 : self.width]:
            height = torch.addcmul(c, height, t)
        place = t.add_(middle)
        centre = 0.5 * (self.size - 1)
        slack = (centre - self.half) - (place - centre).abs_()
        slack = torch.minimum(slack, self.arrived - step.abs_())
        return place, height, torch.minimum(slack, bend.add_(height, alpha=self.flat).neg_())

    def _newton(self, slope_coefficients, t):
        """Place of the top relative to the middle, the last step, and the bend before it."""
        top, second, *rest, constant = slope_coefficients
        low, high = t - 1.0, t + 1.0
        for _ in range(self.steps):
            slope = torch.addcmul(second, top, t)
            bend = torch.addcmul(slope, top, t)
            for c in rest:
                slope = torch.addcmul(c, slope, t)
                bend = torch.addcmul(slope, bend, t)
            step = torch.addcmul(constant, slope, t).div_(bend)
            t = torch.sub(t, step).clamp_(low, high)
        return t, step, bend


def top_rung(values):
    """Index of the largest value of each row."""
    # On the CPU numpy's search along short rows is four times as fast as torch's.
    if values.device.type == "cpu":
        return torch.from_numpy(values.numpy().argmax(1))
    return values.argmax(1)


def make_table(nodes, columns, send):
    """Taylor series of functions of the rate at fine places, for `look_up`."""
    fine = np.linspace(0, nodes.size - 1, _FINE)
    values = np.stack(columns, axis=1)
    series = []
    for order in range(_TERMS[send(fine).dtype]):
        factor = fine[1] ** order / math.factorial(order)
        series.append(nodes.interpolate(values, fine, derivative=order) * factor)
    return 1.0 / fine[1], [[send(term[:, i]) for term in series] for i in range(len(columns))]


def look_up(table, place):
    """The table's functions at places counted in rungs."""
    per_rung, functions = table
    fine = place * per_rung
    index = fine.to(torch.int32).clamp_(0, _FINE - 1)
    off = fine.sub_(index)
    found = []
    for *low, high in functions:
        value = high.index_select(0, index)
        for term in reversed(low):
            value = torch.addcmul(term.index_select(0, index), value, off)
        found.append(value)
    return found
