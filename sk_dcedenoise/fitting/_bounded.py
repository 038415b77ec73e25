"""The exact optimum inside the box, for the curves whose free optimum lies outside it.

For one rate the model is linear in Ktrans and vp, and their best values in a box have a closed
form. What is left is a function of the rate alone: smallest rung of the ladder, then a root of
its slope.
"""

import torch

from sk_dcedenoise.fitting._fit import Fit
from sk_dcedenoise.fitting._moments import Moments, box_optimum
from sk_dcedenoise.fitting._nodes import monomials

# Steps that find the root of a slope on a rung's length; half of them as a rule.
_MOST_STEPS = 26
# How close that comes, in rungs; the cost errs by the square of it.
_SETTLED = 5e-8
# Places about the first rungs where the cost is looked at as well: along the edge of ve, where
# Ktrans goes to zero with the rate, an optimum may lie at any small fraction of a rung, and the
# cost has a corner that no parabola through rungs follows.
_FINER = 2.0**0.25
_FIRST = 2.0 * _FINER ** -torch.arange(57, dtype=torch.float64)


class BoundedSearch:
    """Both Tofts models at a known delay, for curves with or without weights of their own.

    Parameters
    ----------
    protocol : Protocol
        Frame times, plasma curve, weights and box.
    device : torch.device
        Where to compute, in float64.
    """

    def __init__(self, protocol, device):
        self.nodes, self.box = protocol.nodes("float64"), protocol.box
        self.width = self.nodes.size
        self.responses = torch.as_tensor(self.nodes.responses, device=device)
        self.plasma = torch.as_tensor(self.nodes.plasma, device=device)
        self.weights = torch.as_tensor(protocol.weights, device=device)

    def __call__(self, curves, weights):
        """Fit of curves without NaN; `weights` (n_curves, n_times), or None for the protocol's."""
        if weights is None:
            moments = Moments.common(curves, self.responses, self.plasma, self.weights)
        else:
            moments = Moments.individual(curves, self.responses, self.plasma, weights)
        ktrans, place, vp = _fit_in_box(moments, self.nodes, self.box)
        kep = self.nodes.kep_of(place).clip(*self.box.kep)
        kep = torch.where(ktrans == 0, self.box.kep[0], kep)
        return Fit(ktrans, kep, vp, torch.full_like(kep, self.box.delay[0]))


def _fit_in_box(moments, nodes, box):
    """Ktrans, place in rungs and vp of the least-squares optimum in the box."""
    m = moments
    rungs = torch.arange(nodes.size, dtype=m.yE.dtype, device=m.yE.device)[nodes.inner]
    low, high = box.ktrans_range(nodes.kep_of(rungs))
    inner = [v[:, nodes.inner] for v in (m.yE, m.EE, m.EC)]
    cost = box_optimum(inner[0], m.yC, inner[1], inner[2], m.CC, low, high, box.vp)[2]
    cost = torch.cat([cost[:, :2], dips(cost)[:, 2:]], dim=1)
    first_dip, begin, end = _first_dip(m, nodes, box)
    dips_first = first_dip < cost[:, 0]
    cost[:, 0] = torch.minimum(cost[:, 0], first_dip)
    best = cost.argmin(1) + nodes.inner.start
    slope_at = _slope_function(m, nodes, box, best)
    left, right = _towards_neighbour(slope_at, best, nodes)
    dips_first &= best == nodes.inner.start
    left, right = torch.where(dips_first, begin, left), torch.where(dips_first, end, right)
    t = _root(lambda t: slope_at(t)[0], left, right)
    _, ktrans, vp = slope_at(t)
    return ktrans, best + t, vp


def dips(cost):
    """Cost on each rung, or where a parabola through a low rung and its neighbours dips to."""
    dip = cost.clone()
    left, middle, right = cost[..., :-2], cost[..., 1:-1], cost[..., 2:]
    slope, bend = right - left, right - 2.0 * middle + left
    is_low = (slope.abs() <= bend) & (bend > 0)
    dip[..., 1:-1] -= torch.where(is_low, slope * slope / (8.0 * bend), 0.0)
    return dip


def _first_dip(moments, nodes, box):
    """Lowest cost about the first rungs of each curve, and places before and beyond it."""
    first = torch.full((len(moments.yE),), nodes.inner.start, device=moments.yE.device)
    coefficients = [c[:, :, None] for c in _polynomials(moments, nodes, first)]
    place = _FIRST.to(moments.yE)
    (yE, EE, EC), _ = _horner(coefficients, place)
    low, high = box.ktrans_range(nodes.kep_of(nodes.inner.start + place))
    cost = box_optimum(yE, moments.yC, EE, EC, moments.CC, low, high, box.vp)[2]
    cost, lowest = dips(cost).min(1)
    lower = torch.where(lowest == len(place) - 1, 0.0, place[lowest] / _FINER)
    return cost, lower, place[lowest] * _FINER


def _towards_neighbour(slope_at, best, nodes):
    """The best rung and the neighbour that the cost's slope points to, as places from the best."""
    here = torch.zeros_like(best, dtype=torch.float64)
    falls = slope_at(here)[0] < 0
    left = torch.where(falls | (best == nodes.inner.start), here, -1.0)
    right = torch.where(falls & (best < nodes.inner.stop - 1), 1.0, here)
    return left, right


def _root(function, left, right):
    """Root of an increasing function between two ends, or the end that it points to (ITP)."""
    at_left, at_right = function(left), function(right)
    # A slope that does not change sign leads to an end of the ladder.
    right = torch.where(at_left >= 0, left, right)
    left = torch.where(at_right <= 0, right, left)
    for step in range(_MOST_STEPS):
        middle, half = 0.5 * (left + right), 0.5 * (right - left)
        chord = (left * at_right - right * at_left) / (at_right - at_left)
        # The chord's root, moved towards the middle and kept where bisection would be by now.
        to_middle = torch.where(chord.isfinite(), middle - chord, 0.0)
        nudge = torch.minimum(0.4 * half * half, to_middle.abs())
        leash = (_SETTLED * 2.0 ** (_MOST_STEPS - step) - half).clip(min=0.0)
        away = (to_middle.abs() - nudge).minimum(leash)
        at = middle - to_middle.sign() * away
        value = function(at)
        above, below = value >= 0, value <= 0
        right, at_right = torch.where(above, at, right), torch.where(above, value, at_right)
        left, at_left = torch.where(below, at, left), torch.where(below, value, at_left)
        if not (right - left > 2.0 * _SETTLED).any():
            break
    return 0.5 * (left + right)


def _slope_function(moments, nodes, box, best):
    """The cost's slope per rung, and the optimum there, as a function of rungs from the best."""
    coefficients = _polynomials(moments, nodes, best)
    yC, CC = moments.yC[:, 0], moments.CC[:, 0]

    def slope_at(t):
        kep = nodes.kep_of(best + t).clip(*box.kep)
        low, high = box.ktrans_range(kep)
        (yE, EE, EC), (d_yE, d_EE, d_EC) = _horner(coefficients, t)
        ktrans, vp, _ = box_optimum(yE, yC, EE, EC, CC, low, high, box.vp)
        slope = ktrans * (ktrans * d_EE + 2.0 * (vp * d_EC - d_yE))
        # Where ve is at a bound, Ktrans = ve kep moves with the rate.
        on_top = (ktrans >= high) & (high < box.Ktrans[1])
        on_floor = (ktrans <= low) & (low > box.Ktrans[0])
        moves = torch.where(on_top, box.ve[1], torch.where(on_floor, box.ve[0], 0.0))
        push = (ktrans * EE + vp * EC - yE) * moves * (kep + nodes.scale)
        return slope + 2.0 * nodes.step * push, ktrans, vp

    return slope_at


def _polynomials(moments, nodes, best):
    """Coefficients, from the constant up, of yE, EE and EC near the best rungs: (3, n_curves)."""
    rows = (moments.yE, moments.EE, moments.EC)
    near = torch.stack([_near(v, best, nodes.half) for v in rows])
    coefficients = torch.as_tensor(monomials(nodes.half)).to(near) @ near.mT
    return coefficients.transpose(0, 1).contiguous().unbind()


def _near(values, best, half):
    """Neighbourhoods (n_curves, width) of the best rungs, in rows of `values` or its only row."""
    columns = best[:, None] + torch.arange(-half, half + 1, device=best.device)
    return values[0][columns] if len(values) == 1 else values.gather(1, columns)


def _horner(coefficients, t):
    """Values and slopes of polynomials, coefficients from the constant up."""
    *rest, value = coefficients
    slope = torch.zeros_like(value)
    for c in reversed(rest):
        slope = torch.addcmul(value, slope, t)
        value = torch.addcmul(c, value, t)
    return value, slope
