"""Levenberg-Marquardt steps in rate and delay, many curves at once.

Amplitudes are always the best in the box for their rate and delay. A step follows the quadratic
model of the residual in all four parameters, with amplitudes that would leave the box held at its
edge, so that it is good on either side of an edge.
"""

import torch

from sk_dcedenoise.fitting._fit import Fit
from sk_dcedenoise.fitting._moments import box_optimum

_MOST_STEPS = 30
# Values of one array of the curves that are under way; those that settle make room for others.
_POOL_VALUES = 2**16
# A step that promises less than this part of the cost is the last,
_SETTLED = 1e-8
# and so is one that had to be damped this much: the cost is not smooth in the delay.
_LEAST_DAMPING, _MOST_DAMPING = 1e-4, 1e8
# Part of the damping that goes to the rate.
_U_SHARE = 1e-4


def descend(search, curves, weights, kep, delay, delay_ends):
    """Fit from a start for each curve, and its cost.

    Parameters
    ----------
    search : DelaySearch
        Knows the design, the box and the range of Ktrans.
    curves, weights : tensor of shape (n_curves, n_times)
        Curves without NaN, and the weights of their frames.
    kep, delay : tensor of shape (n_curves,)
        Where to start, 1/min and s.
    delay_ends : tensor of shape (n_curves, 2)
        Lowest and highest delay of each curve.
    """
    start = (curves, weights, kep, delay, delay_ends)
    n_curves, pool = len(kep), max(64, _POOL_VALUES // curves.shape[1])
    state = _State.at_rows(search, start, slice(0, pool))
    begun = min(pool, n_curves)
    fit = Fit(*(torch.empty_like(kep) for _ in range(4)))
    cost = torch.empty_like(kep)
    while len(state.row):
        settled = state.step()
        done = state.row[settled]
        fit.put(done, state, settled)
        cost[done] = state.cost[settled]
        state.keep(~settled)
        room = pool - len(state.row)
        if begun < n_curves and 2 * room >= pool:
            state.join(_State.at_rows(search, start, slice(begun, begun + room)))
            begun = min(begun + room, n_curves)
    fit.kep = torch.where(fit.ktrans == 0, search.box.kep[0], fit.kep)
    return fit, cost


class _State:
    """Where the descent of a batch stands."""

    _PER_CURVE = (
        *("row", "curves", "weights", "kep", "delay", "ktrans", "vp"),
        *("cost", "products", "damping", "ends", "n_steps"),
    )

    def __init__(self, search, row, curves, weights, kep, delay, delay_ends):
        self.search, self.box, self.scale = search, search.box, search.nodes.scale
        self.row, self.curves, self.weights = row, curves, weights
        self.kep, self.delay, self.damping = kep, delay, torch.full_like(kep, 1e-3)
        self.n_steps = torch.zeros_like(row)
        kep_ends = kep.new_tensor(self.box.kep).expand_as(delay_ends)
        self.ends = torch.stack([kep_ends, delay_ends], dim=1)
        self.ktrans, self.vp, self.cost, self.products = self._evaluate(kep, delay)

    @classmethod
    def at_rows(cls, search, start, rows):
        """State of some rows at their start."""
        row = torch.arange(len(start[0]), device=start[0].device)[rows]
        return cls(search, row, *(values[rows] for values in start))

    def keep(self, rows):
        """Go on with some of the curves."""
        for name in self._PER_CURVE:
            setattr(self, name, getattr(self, name)[rows])

    def join(self, other):
        """Go on with the curves of another state as well."""
        for name in self._PER_CURVE:
            setattr(self, name, torch.cat([getattr(self, name), getattr(other, name)]))

    def step(self):
        """Try one step for each curve; returns which have settled."""
        kep, delay, promise = self._propose()
        ktrans, vp, cost, products = self._evaluate(kep, delay)
        better = cost < self.cost
        self.n_steps += 1
        settled = (promise <= _SETTLED * self.cost) | (self.damping > _MOST_DAMPING)
        settled |= self.n_steps >= _MOST_STEPS
        new = dict(kep=kep, delay=delay, ktrans=ktrans, vp=vp, cost=cost)
        for name, values in new.items():
            setattr(self, name, torch.where(better, values, getattr(self, name)))
        self.products = torch.where(better[:, None, None], products, self.products)
        self.damping = torch.where(better, 0.1 * self.damping, 10.0 * self.damping)
        self.damping = self.damping.clip(min=_LEAST_DAMPING)
        return settled

    def _evaluate(self, kep, delay):
        """Amplitudes, cost, and inner products of curve, responses, plasma and derivatives."""
        E, E_kep, E_delay, C, C_delay = self.search.design(kep, delay)
        E_u = E_kep * (kep + self.scale)[:, None]
        columns = torch.stack([self.curves, E, C, E_u, E_delay, C_delay], dim=1)
        products = (columns * self.weights[:, None]) @ columns.mT
        low, high = self.search.ktrans_range(kep)
        pairs = ((0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
        moments = (products[:, i, j].contiguous() for i, j in pairs)
        ktrans, vp, cost = box_optimum(*moments, low, high, self.box.vp)
        return ktrans, vp, products[:, 0, 0] + cost, products

    def _propose(self):
        """Next rate and delay in the box, and by how much the cost should fall."""
        low, high = self.search.ktrans_range(self.kep)
        by_u = self.box.ve[1] * (self.kep + self.scale) * self.search.has_rate
        limited = high < self.box.Ktrans[1]
        fixed = torch.stack(self._at_ends(low, high), dim=1)
        tied = limited & (self.ktrans >= high)
        aim = torch.stack([self.ktrans, self.vp], dim=1)
        steps = torch.zeros_like(aim)
        promise = torch.zeros_like(low)
        rows = torch.arange(len(low), device=low.device)
        for _ in range(3):
            rate = torch.where(tied[rows], by_u[rows], 0.0)
            steps[rows], promise[rows], new = self._solve(rows, fixed[rows], aim[rows], rate)
            # Amplitudes that leave the box are held at the edge they cross, and the step made anew.
            most = (high + by_u * limited * steps[:, 0])[rows].clip(max=self.box.Ktrans[1])
            most = torch.where(fixed[rows, 0], torch.inf, most)
            over, under = new[:, 0] > most, (new[:, 0] < low[rows]) & ~fixed[rows, 0]
            held = new[:, 1].clip(*self.box.vp)
            beyond = (new[:, 1] != held) & ~fixed[rows, 1]
            aim[rows, 0] = torch.where(
                over, high[rows], torch.where(under, low[rows], aim[rows, 0])
            )
            aim[rows, 1] = torch.where(beyond, held, aim[rows, 1])
            tied[rows] |= over & limited[rows]
            fixed[rows] |= torch.stack([over | under, beyond], dim=1)
            rows = rows[over | under | beyond]
            if not len(rows):
                break
        u = torch.log1p(self.kep / self.scale) + steps[:, 0]
        kep = (self.scale * torch.expm1(u)).clip(*self.box.kep)
        delay = (self.delay + steps[:, 1]).maximum(self.ends[:, 1, 0]).minimum(self.ends[:, 1, 1])
        return kep, delay, promise

    def _at_ends(self, low, high):
        vp_low, vp_high = self.box.vp
        fixed_ktrans = (self.ktrans <= low) | (self.ktrans >= high)
        return fixed_ktrans, (self.vp <= vp_low) | (self.vp >= vp_high)

    def _solve(self, rows, fixed, aim, ktrans_by_u):
        """Damped step in u and delay, fixed amplitudes moved to their aims and free ones best."""
        products, now = self.products[rows], torch.stack([self.ktrans, self.vp], dim=1)[rows]
        to = torch.where(fixed, aim, now)
        # Residual, derivative to u and derivative to the delay, as sums of the columns.
        vectors = products.new_zeros(len(rows), 6, 3)
        vectors[:, 0, 0] = 1.0
        vectors[:, 1:3, 0] = -to
        vectors[:, 1, 1], vectors[:, 3, 1] = ktrans_by_u, now[:, 0]
        vectors[:, 4:, 2] = now
        image = products @ vectors
        normal = vectors.mT @ image
        # Free amplitudes take their share of each; what is left counts.
        both = (~fixed).to(products)
        cross = image[:, 1:3] * both[:, :, None]
        block = products[:, 1:3, 1:3] * both[:, :, None] * both[:, None, :]
        known = block.diagonal(dim1=1, dim2=2)
        block = block + torch.diag_embed(torch.where(known > 0, 1e-14 * known, 1.0))
        shares = torch.linalg.solve_ex(block, cross)[0]
        normal = normal - cross.mT @ shares
        step, promise = self._damped(rows, normal)
        new = to + shares[:, :, 0] - (shares[:, :, 1:] @ step[:, :, None])[:, :, 0]
        new[:, 0] += ktrans_by_u * step[:, 0]
        return step, promise, new

    def _damped(self, rows, normal):
        """Step and promise from normal equations (residual, u, delay); bounds hold u and delay."""
        place = torch.stack([self.kep, self.delay], dim=1)[rows]
        low, high = self.ends[rows].unbind(2)
        slope, bend = normal[:, 0, 1:], normal[:, 1:, 1:]
        h = bend.diagonal(dim1=1, dim2=2)
        held = (place <= low) & (slope < 0) | (place >= high) & (slope > 0) | (h <= 0)
        slope = torch.where(held, 0.0, slope)
        across = torch.where(held.any(1), 0.0, bend[:, 0, 1])
        # A kink in the cost is one of the delay: damping u as much would stop both at it.
        damping = self.damping[rows, None] * h.new_tensor([_U_SHARE, 1.0])
        h = torch.where(held, 1.0, h * (1.0 + damping))
        det = h[:, 0] * h[:, 1] - across * across
        step = (h.flip(1) * slope - across[:, None] * slope.flip(1)) / det[:, None]
        step = step.nan_to_num()
        step[:, 0].clip_(-1.0, 1.0)
        return step, (slope * step).sum(1).abs()
