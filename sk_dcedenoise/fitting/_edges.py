"""Variable projection along the edges of the box, for curves whose free optimum lies outside.

For one rate the amplitudes that are best in the box are the free ones, or they lie on an edge:
vp at its lower bound, Ktrans at the most that ve allows, or both. On each edge the gain of a
curve is a smooth function of the rate again, known on the ladder from two projections: that on the
part of the response that plasma cannot explain, and that on the whole response.
"""

import numpy as np
import torch

from sk_dcedenoise.fitting._climb import Climber, look_up, make_table, top_rung
from sk_dcedenoise.fitting._fit import Fit
from sk_dcedenoise.fitting._varpro import FreeSearch

# Rungs on either side of the best that belong to the same top.
_SAME_TOP = 2
# Further climbs, along other edges.
_MORE_TRIES = 2
# A projection this much below zero on all rungs (relative to its size) is below it between them.
_BELOW = 0.01


class EdgeSearch:
    """Second search, for the curves that `FreeSearch` has marked; it marks what it leaves.

    Parameters
    ----------
    protocol : Protocol
        Frame times, plasma curve, weights and box.
    device : torch.device
        Where to compute, in float64: tops along the edge of ve are narrow and steep.
    """

    def __init__(self, protocol, device):
        free = protocol.cached(FreeSearch, "float64", device)
        self.free, self.nodes, self.box = free, free.nodes, free.box
        self.send, self.device = free.send, device
        self.climb = Climber(self.nodes, free.dtype, free.device, more_steps=4)
        self.norm = norm = np.sqrt(free.length**2 + free.energy * free.share**2)
        most = self.nodes.kep_of(np.arange(self.nodes.size)) * self.box.ve[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            along, across = free.length / norm, free.energy * free.share / norm
            asks = free.share / free.length
            tables = [1.0 / norm, 1.0 / free.length, free.share]
        self.table = make_table(self.nodes, tables, free.send)
        # Per rung: how the whole response adds up from its part and plasma, the most Ktrans in
        # units of either projection, and the plasma that the part displaces.
        per_rung = (along, across, most * free.length, most * norm, asks)
        self.per_rung = [free.send(values) for values in per_rung]
        # float32 can tell which rung is best; what it cannot tell is left to the next search.
        self.rough = [values.float() for values in self.per_rung]
        # By how much, relatively, a gain between rungs may exceed that on the rungs.
        unit = free.basis.T.cpu().numpy()
        self.margin = 0.25 * (np.diff(unit, axis=0) ** 2).sum(axis=1).max()

    def __call__(self, curves):
        """Fits, and which of them (bool) are the optimum in the box."""
        part = curves @ self.free.basis
        excess = self._excess(curves)
        best, is_highest, zero, edges = self._scan(part.float(), excess.float()[:, None])
        start = self.climb.start(best)
        near = self.climb.windows(part, start)
        fit, holds, edges = self._climb_edge(near, start, best, excess, edges)
        # An optimum beside an edge may have its best rung beyond it: climb again along the edges
        # that the first top asks for.
        for _ in range(_MORE_TRIES):
            rows = torch.nonzero(~holds)[:, 0]
            if len(rows):
                lanes = (v[rows] for v in (near, start, best, excess, edges))
                other, holds[rows], edges[rows] = self._climb_edge(*lanes)
                fit.put(rows, other)
        fit.ktrans[zero], fit.kep[zero] = 0.0, self.box.kep[0]
        fit.vp[zero] = self.box.vp[0] + excess[zero].clip(min=0.0)
        return fit, (holds & is_highest | zero) & (fit.vp <= self.box.vp[1])

    def _excess(self, curves):
        """Plasma that would explain most of a curve on its own, above the lower bound of vp."""
        if self.free.has_plasma:
            return (curves @ self.free.plasma).sub_(self.box.vp[0])
        return -torch.ones_like(curves[:, 0])

    def _scan(self, part, excess):
        """Best rung, whether no other top rivals it, whether there is no leakage, and edges."""
        along, across, most, most_whole, asks = self.rough
        whole = torch.addcmul(part * along, excess, across)
        asked = torch.where(excess > 0, part, whole)[:, self.nodes.inner]
        zero = asked.amax(1) < _BELOW * asked.amin(1)
        zero &= self.box.Ktrans[0] == 0.0 and self.box.ve[0] == 0.0
        x = part.clip(min=0.0).minimum(most)
        above = (2.0 * part).sub_(x).mul_(x).addcmul_(excess, excess, value=self.free.energy)
        above.masked_fill_(x * asks > excess, 0.0)
        x = whole.clip(min=0.0).minimum(most_whole)
        floor = (2.0 * whole).sub_(x).mul_(x)
        gain = torch.maximum(above, floor)
        best = top_rung(gain)
        row = best[:, None]
        rival = self._first_top(part, whole, excess)
        rival = rival >= (1.0 - self.margin) * gain.gather(1, row)[:, 0]
        # Near that edge, the climb finds its top.
        rival &= best > self.nodes.inner.start + _SAME_TOP
        above, floor, part, whole = (v.gather(1, row)[:, 0] for v in (above, floor, part, whole))
        held = floor >= above
        capped = torch.where(held, whole > most_whole[best], part > most[best])
        is_highest = self._is_highest(gain, row) & ~rival
        return best, is_highest, zero, torch.stack([held, capped], dim=1)

    def _first_top(self, part, whole, excess):
        """Most that can be gained along the edge of ve where it is crossed by the second rung.

        Ktrans goes to zero with the rate there, and a top at any small fraction of a rung shows on
        neither rung.
        """
        first = self.nodes.inner.start
        _, _, most, most_whole, asks = self.rough
        part, whole, excess = part[:, first], whole[:, first], excess[:, 0]
        above = (part > most[first]) & (part < most[first + 1]) & (part * asks[first] <= excess)
        floor = (whole > most_whole[first]) & (whole < most_whole[first + 1])
        above = torch.where(above, part**2 + self.free.energy * excess**2, 0.0)
        return torch.where(floor, torch.maximum(above, whole**2), above)

    def _is_highest(self, gain, row):
        """Whether no other top comes so close that the rungs cannot tell which is higher."""
        highest = gain.gather(1, row)[:, 0]
        near = row + torch.arange(-_SAME_TOP, _SAME_TOP + 1, device=gain.device)
        others = gain.scatter(1, near.clip(0, self.nodes.size - 1), 0.0).amax(1)
        return others < (1.0 - self.margin) * highest

    def _climb_edge(self, near, start, best, excess, edges):
        """Top of each neighbourhood along an edge of the box.

        `edges` (n_curves, 2) says whether vp is at its lower and ve at its upper bound. Returns
        the fits, whether they are optima in the box, and the edges that the tops ask for.
        """
        held, capped = edges.unbind(1)
        columns = start[:, None] + torch.arange(near.shape[1], device=near.device)
        along, across, most, most_whole = (v[columns] for v in self.per_rung[:4])
        near = torch.where(held[:, None], near * along + excess[:, None] * across, near)
        most = torch.where(held[:, None], most_whole, most)
        near = torch.where(capped[:, None], most * (2.0 * near - most), near)
        place, height, slack = self.climb.top(near, start, best)
        kep = self.nodes.kep_of(place)
        by_norm, by_length, share = look_up(self.table, place)
        scale = torch.where(held, by_norm, by_length)
        most, ktrans = kep * self.box.ve[1], height * scale
        # Along the edge of ve, height = x (2 asked - x) in units where x is Ktrans at the edge.
        asked = torch.where(capped, 0.5 * (ktrans * scale / most + most), ktrans)
        ktrans = torch.where(capped, most, ktrans)
        above = torch.addcmul(excess, ktrans, share, value=-1.0)
        vp = torch.where(held, self.box.vp[0], self.box.vp[0] + above)
        wanted = torch.stack([above <= 0, asked >= most], dim=1)
        low, high = self.box.ktrans_range(kep)
        holds = (slack > 0) & (wanted == edges).all(1)
        holds &= (ktrans > 0) & (ktrans >= low) & (ktrans <= high)
        return Fit(ktrans, kep, vp, torch.full_like(vp, self.box.delay[0])), holds, wanted
