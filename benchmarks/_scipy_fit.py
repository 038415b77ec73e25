"""Kinetic fits curve by curve, as they are usually written with scipy, with care for speed.

The forward model is exact for the same piecewise-linear plasma curve as the library's, and its
recursion runs in compiled code (`scipy.signal.lfilter`).
"""

import numpy as np
from scipy.optimize import curve_fit, least_squares
from scipy.signal import lfilter

# Starts of the reference optimum: (Ktrans as a share of the most that kep allows, kep, vp).
STARTS = ((0.1, 0.3, 0.01), (0.1, 1.5, 0.02), (0.3, 6.0, 0.1), (0.5, 30.0, 0.01))
EXACTLY = {"xtol": 1e-13, "ftol": 1e-13, "gtol": 1e-13, "max_nfev": 300}


class Scipy:
    """Extended Tofts with a plasma curve on an even grid.

    Parameters
    ----------
    time : ndarray of shape (n_times,)
        Frame times, s.
    aif_time, cp : ndarray of shape (n_nodes,)
        Even grid from 0, s, and plasma concentration on it, mM.
    """

    def __init__(self, time, aif_time, cp):
        self.time, self.aif_time, self.cp = time, aif_time, cp
        self.step = aif_time[1] / 60.0
        self.rise = np.append(np.diff(cp), 0.0) / self.step
        self.minutes = aif_time / 60.0

    def basis(self, kep, delay=0.0):
        """Response and plasma at the frames."""
        flat, ramp = _unit_integrals(kep * self.step)
        decay = np.exp(-kep * self.step)
        weights = [self.step * ramp, self.step * (flat - ramp)]
        state = lfilter(weights, [1.0, -decay], self.cp)
        state -= weights[0] * self.cp[0] * np.exp(-kep * self.minutes)
        seen = self.time - delay
        node = np.clip((seen / self.aif_time[1]).astype(int), 0, len(self.cp) - 1)
        ahead = np.maximum(seen - self.aif_time[node], 0.0) / 60.0
        flat, ramp = _unit_integrals(kep * ahead)
        start, rise = self.cp[node], self.rise[node] * ahead
        response = np.exp(-kep * ahead) * state[node] + ahead * (start * flat + rise * ramp)
        arrived = seen >= 0.0
        return response * arrived, (start + rise) * arrived

    def curve(self, ktrans, kep, vp, delay=0.0):
        """Tissue curve."""
        response, plasma = self.basis(kep, delay)
        return ktrans * response + vp * plasma

    def curve_fit(self, curve):
        """One start, bounded: what most scripts do."""

        def model(_, ktrans, ve, vp):
            return self.curve(ktrans, ktrans / ve, vp)

        box = ([0.0, 1e-3, 0.0], [5.0, 1.0, 1.0])
        ktrans, ve, vp = curve_fit(model, self.time, curve, (0.1, 0.3, 0.02), bounds=box)[0]
        return ktrans, ktrans / ve, vp

    def least_squares(self, curve, starts=STARTS[1:2], delays=None, **settings):
        """Lowest sum of squares from some starts, and its (Ktrans, kep, vp[, delay])."""
        known = np.isfinite(curve)
        size = np.linalg.norm(curve[known]) or 1.0

        def miss(p):
            ktrans = p[0] * min(5.0, p[1])
            return (self.curve(ktrans, *p[1:])[known] - curve[known]) / size

        low, high, scale = [0.0, 0.0, 0.0], [1.0, 50.0, 1.0], [0.1, 1.0, 0.01]
        if delays is not None:
            low, high, scale = [*low, delays[0]], [*high, delays[-1]], [*scale, 2.0]
            starts = [(*start, delay) for start in starts for delay in delays[1:-1]]
        found = [
            least_squares(miss, start, bounds=(low, high), x_scale=scale, **settings)
            for start in starts
        ]
        best = min(found, key=lambda one: one.cost)
        ktrans = best.x[0] * min(5.0, best.x[1])
        return 2.0 * best.cost * size**2, (ktrans, *best.x[1:])

    def sums_of_squares(self, curves, parameters):
        """Sum of squares over the valid frames, for (Ktrans, kep, vp[, delay]) of each curve."""
        miss = np.array([self.curve(*p) for p in parameters]) - curves
        return np.nansum(miss**2, axis=1)

    def murase(self, curves):
        """Linear least squares of all curves at once (Murase 2004); no bounds."""
        step = np.diff(self.time, prepend=self.time[0]) / 60.0
        before = np.roll(curves, 1, axis=1)
        running = np.cumsum(step * (curves + before) / 2.0, axis=1)
        area, plasma = self.basis(0.0)
        design = np.stack(np.broadcast_arrays(area, -running, plasma), axis=2)
        normal = design.transpose(0, 2, 1) @ design
        both, kep, vp = np.linalg.solve(normal, design.transpose(0, 2, 1) @ curves[:, :, None]).T[0]
        return np.column_stack([both - kep * vp, kep, vp])


def _unit_integrals(x):
    """Integrals over u from 0 to 1 of exp(-x (1 - u)) and u exp(-x (1 - u))."""
    x = np.asarray(x)
    safe = np.where(x < 1e-3, 1.0, x)
    flat = np.where(x < 1e-3, 1 - x / 2 + x**2 / 6 - x**3 / 24, -np.expm1(-safe) / safe)
    ramp = np.where(x < 1e-3, 0.5 - x / 6 + x**2 / 24 - x**3 / 120, (1 - flat) / safe)
    return flat, ramp
