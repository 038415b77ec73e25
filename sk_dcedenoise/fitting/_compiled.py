"""The searches as compiled loops: the same optima, several times as fast on the CPU."""

import math

import numpy as np
import torch

from sk_dcedenoise.fitting._climb import _ARRIVED, _FLAT, _STEPS
from sk_dcedenoise.fitting._edges import _BELOW, _MORE_TRIES, EdgeSearch
from sk_dcedenoise.fitting._fit import Fit
from sk_dcedenoise.fitting._kernels import BLOCK, edge_optima, free_optima
from sk_dcedenoise.fitting._nodes import monomials
from sk_dcedenoise.fitting._varpro import FreeSearch

# Fine places for functions of the rate alone, and terms of their series between.
_FINE, _TERMS = {np.float32: 256, np.float64: 2048}, 4


class CompiledFree:
    """`FreeSearch` in one pass over memory, tile by tile.

    Parameters
    ----------
    protocol : Protocol
        Frame times, plasma curve, weights and box.
    dtype : {"float32", "float64"}
        How exactly to compute.
    """

    def __init__(self, protocol, dtype):
        self.device = torch.device("cpu")
        free = protocol.cached(FreeSearch, dtype, self.device)
        self.send, self.box = free.send, protocol.box
        functions = [1.0 / free.length, free.share]
        self.settings = settings_of(free, _STEPS[free.dtype], functions)

    def __call__(self, curves):
        """Fits, and which of them (bool) are the optimum in the box."""
        return run(free_optima, curves, self.settings, self.box)


class CompiledEdges:
    """`EdgeSearch` in the same way, in float64.

    Parameters
    ----------
    protocol : Protocol
        Frame times, plasma curve, weights and box.
    """

    def __init__(self, protocol):
        self.device = torch.device("cpu")
        edges = protocol.cached(EdgeSearch, self.device)
        free, self.send, self.box = edges.free, edges.send, protocol.box
        functions = [1.0 / edges.norm, 1.0 / free.length, free.share]
        ladder, tolerances, ends, table = settings_of(free, edges.climb.steps, functions)
        tolerances += (1 + _MORE_TRIES, float(free.energy), float(edges.margin), _BELOW)
        per_rung = np.stack([values.numpy() for values in edges.per_rung])
        self.settings = ladder, tolerances, per_rung, ends, table

    def __call__(self, curves):
        """Fits, and which of them (bool) are the optimum in the box."""
        fit, found = run(edge_optima, curves, self.settings, self.box)
        fit.kep[fit.ktrans == 0.0] = self.box.kep[0]
        return fit, found


def run(kernel, curves, settings, box):
    """Fits of a kernel, and which of them hold."""
    values = torch.empty((3, len(curves)), dtype=curves.dtype)
    found = torch.empty(len(curves), dtype=torch.bool)
    kernel(curves.numpy(), *settings, values.numpy(), found.numpy())
    ktrans, kep, vp = values
    return Fit(ktrans, kep, vp, values.new_full((1,), box.delay[0]).expand(len(vp))), found


def settings_of(free, n_steps, functions):
    """What both kernels need: ladder, tolerances, ends of the box and table."""
    nodes, kind = free.nodes, free.plasma.numpy().dtype.type
    basis = free.basis.numpy().T
    ladder = (
        np.ascontiguousarray(np.pad(basis, ((0, 0), (0, -basis.shape[1] % BLOCK)))),
        free.plasma.numpy() * kind(free.has_plasma),
        np.arange(nodes.size, dtype=kind),
        *(np.ascontiguousarray(part, dtype=kind) for part in even_and_odd(monomials(nodes.half))),
        np.arange(2 * nodes.half + 1, dtype=kind),
    )
    table, per_rung = fine_table(nodes, functions, kind)
    centre = 0.5 * (nodes.size - 1)
    limits = (_ARRIVED[free.dtype], _FLAT[free.dtype], centre - nodes.half, centre, per_rung)
    box = (*free.box.Ktrans, *free.box.ve, *free.box.vp, free.has_plasma)
    return ladder, (n_steps, *map(kind, limits)), tuple(map(kind, box)), table


def even_and_odd(matrix):
    """From sums and differences of values around a middle to a polynomial's coefficients."""
    half = len(matrix) // 2
    return matrix[::2, half:], matrix[1::2, half + 1 :]


def fine_table(nodes, functions, kind):
    """Taylor series of functions of the rate, and of the rate itself; places per rung."""
    fine = np.linspace(0, nodes.size - 1, _FINE[kind])
    values = np.stack([*functions, nodes.kep_of(np.arange(nodes.size))], axis=1)
    series = [
        nodes.interpolate(values, fine, derivative=order) * fine[1] ** order / math.factorial(order)
        for order in range(_TERMS)
    ]
    return np.stack(series, axis=2).astype(kind), 1.0 / fine[1]
