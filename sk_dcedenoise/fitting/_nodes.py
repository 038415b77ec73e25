"""Tissue responses on a ladder of rates, and polynomials between its rungs."""

import numpy as np
import torch

from sk_dcedenoise.convolution import exponential_convolution

# Lengths to try, until polynomials between the rungs are as exact as asked. Multiples of 16 suit
# matrix products.
_SIZES = (32, 48, 64, 80, 96, 128, 192)


def monomials(half):
    """Matrix from values at -half ... half to coefficients of the polynomial through them."""
    places = np.arange(-half, half + 1)
    return np.linalg.inv(np.vander(places, increasing=True).astype(float))


class Nodes:
    """Responses ``E(t; kep)`` at rates spaced evenly in ``u = log(1 + kep / scale)``.

    A few rungs at either end lie outside the range of rates, so that all rates in it have
    neighbours on both sides. At the lower end they may be negative, which the integral allows.

    Parameters
    ----------
    time : ndarray of shape (n_times,)
        Frame times less a common delay, in seconds.
    aif_time, cp : ndarray of shape (n_aif,)
        Nodes of the piecewise-linear plasma curve, s and mM.
    kep : tuple of two floats
        Lowest and highest rate, 1/min.
    size : int
        Number of rungs.
    half : int
        Neighbours on either side that a local polynomial runs through.
    """

    def __init__(self, time, aif_time, cp, kep, size, half):
        self.size, self.half, self.inner = size, half, slice(half, size - half)
        self.scale = 2.0 / max((time[-1] - aif_time[0]) / 60.0, 1e-3)
        low, high = np.log1p(np.array(kep) / self.scale)
        self.step = (high - low) / (size - 2 * half - 1)
        self.lowest = low - half * self.step
        self.plasma = np.interp(time, aif_time, cp, left=0.0)
        self._source = (time, aif_time, cp)
        self.responses = self.evaluate(np.arange(size))

    def kep_of(self, place):
        """Rate in 1/min at a place counted in rungs (an array or a tensor)."""
        u = place * self.step + self.lowest
        return (np if isinstance(u, np.ndarray) else torch).expm1(u) * self.scale

    def place_of(self, kep):
        """Place in rungs of a rate in 1/min (a tensor)."""
        return (torch.log1p(kep / self.scale) - self.lowest) / self.step

    def evaluate(self, place, time=None):
        """Exact responses of shape (n_places, n_times), at the frames or at other times (s)."""
        kep = self.kep_of(place)
        frames, aif_time, cp = self._source
        time = frames if time is None else time
        responses = exponential_convolution(time, np.maximum(kep, 0.0), aif_time, cp)
        if (kep < 0.0).any():
            responses[kep < 0.0] = self._continued(kep[kep < 0.0], time)
        return responses

    def _continued(self, kep, time):
        """Responses at slightly negative rates, where ever more seems to come back."""
        # The integral is an entire function of the rate: a polynomial through 20 positive rates
        # (times the scan's duration: up to four) goes on below zero with an error near 1e-10.
        x = -np.cos(np.pi * (np.arange(20) + 0.5) / 20)
        _, aif_time, cp = self._source
        known = exponential_convolution(time, self.scale * (1.0 + x), aif_time, cp)
        chebyshev = np.polynomial.chebyshev.chebvander
        weights = np.linalg.solve(chebyshev(x, 19).T, chebyshev(kep / self.scale - 1.0, 19).T)
        return weights.T @ known

    def interpolate(self, values, place, *, derivative=0):
        """Local polynomials through `values` (size, ...), or their slopes per rung, or bends."""
        width = 2 * self.half + 1
        start = np.clip(np.rint(place).astype(int) - self.half, 0, self.size - width)
        powers = np.vander(place - start - self.half, width, increasing=True)
        for _ in range(derivative):
            powers[:, 1:] = powers[:, :-1] * np.arange(1, width)
            powers[:, 0] = 0.0
        weights = powers @ monomials(self.half)
        return np.einsum("nm,nm...->n...", weights, values[start[:, None] + np.arange(width)])

    def excess(self, weights, tolerance):
        """How far from exact the tops of polynomials are at worst; up to one is good enough.

        `tolerance` holds two errors, of which the smaller counts: that of the rate (in u), and
        the part of the gain lost, which is what counts where the rate hardly changes the curve.
        """
        between = np.arange(self.size)[self.inner][:-1] + 0.5
        basis = directions(self.responses, self.plasma, weights)[0]
        exact = directions(self.evaluate(between), self.plasma, weights)[0]
        miss = np.linalg.norm(self.interpolate(basis, between) - exact, axis=1)
        bend = np.linalg.norm(np.diff(basis[self.inner], axis=0), axis=1) ** 2
        # A polynomial's slope errs most on a rung, by about three times its error between rungs.
        slope, bend = 3.0 * miss, np.maximum(bend, 1e-300)
        rate, gain = self.step * slope / bend, slope**2 / bend
        return np.minimum(rate / tolerance[0], gain / tolerance[1]).max()


def make_nodes(time, aif_time, cp, kep, weights, half, tolerance):
    """The shortest ladder that is exact enough, or else the longest."""
    for size in _SIZES:
        nodes = Nodes(time, aif_time, cp, kep, size, half)
        if nodes.excess(weights, tolerance) <= 1.0:
            break
    return nodes


def directions(responses, plasma, weights, *, orthogonal=True):
    """Unit vectors of the responses (less their part along plasma), their lengths and that part.

    Everything in the metric of the frame weights; a response of no length stays zero.
    """
    root = np.sqrt(weights)
    rest, plasma = responses * root, plasma * root
    share = np.zeros(len(responses))
    if orthogonal and plasma.any():
        energy = plasma @ plasma
        share = rest @ plasma / energy
        rest = rest - share[:, None] * plasma
        # Twice is enough: the second pass takes out what rounding left of the first.
        rest -= (rest @ plasma / energy)[:, None] * plasma
    length = np.linalg.norm(rest, axis=1)
    unit = np.divide(rest, length[:, None], out=np.zeros_like(rest), where=length[:, None] > 0)
    return unit * root, length, share
