"""What a fit needs to know about a scan, worked out once."""

import numpy as np

from sk_dcedenoise.aif import plasma_curve
from sk_dcedenoise.fitting._nodes import make_nodes

# Neighbours of a rung in a local polynomial; tolerated errors of the rate (as log(1 + kep / scale))
# and, where the rate hardly changes the curve, of the gain.
_LADDERS = {"float32": (3, (1e-5, 1e-9)), "float64": (5, (2e-7, 1e-12))}


# Parameters of each model, as its result names them.
PARAMETERS = {
    "extended_tofts": ("Ktrans", "ve", "vp"),
    "tofts": ("Ktrans", "ve"),
    "patlak": ("Ktrans", "vp"),
}


class Protocol:
    """Frame times, plasma curve, frame weights and box of one scan.

    Parameters
    ----------
    time : ndarray of shape (n_times,)
        Frame times, s.
    aif, hematocrit
        As in :func:`sk_dcedenoise.aif.plasma_curve`.
    model : {"extended_tofts", "tofts", "patlak"}
        Kinetic model.
    box : Box
        Bounds of the parameters.
    weights : ndarray of shape (n_times,)
        Weight of each frame.
    """

    def __init__(self, time, aif, hematocrit, model, box, weights):
        self.time, self.model, self.box, self.weights = time, model, box, weights
        self.aif_time, self.cp = _covering_plasma(aif, time, hematocrit, min(0.0, box.delay[0]))
        self.fits_delay = box.delay[0] < box.delay[1]
        rate, plasma = model != "patlak", box.vp[0] < box.vp[1]
        names = ("Ktrans",) + ("ve", "kep") * rate + ("vp",) * plasma + ("delay",) * self.fits_delay
        self.fitted, self.n_params = names, len(names) - rate
        self._cache = {}

    @property
    def possible_outputs(self):
        """Names that a user may choose columns from."""
        names = PARAMETERS[self.model] + ("kep",) * (self.model != "patlak")
        names += ("delay",) * self.fits_delay
        return (*names, *(f"{name}_se" for name in names), "residual_std", "r2", "status")

    def plasma_at(self, seconds):
        """Plasma concentration, zero before the curve begins."""
        return np.interp(seconds, self.aif_time, self.cp, left=0.0)

    def sees_contrast(self):
        """Which frames (bool) can show contrast agent at all, at the shortest delay."""
        seen = self.time - self.box.delay[0]
        present = np.flatnonzero(self.cp)
        if not len(present):
            return np.zeros(len(seen), dtype=bool)
        return (seen > self.aif_time[max(present[0] - 1, 0)]) | (self.plasma_at(seen) != 0.0)

    def nodes(self, dtype):
        """The ladder of rates for a number type, at the common delay."""
        return self.cached(_ladder, dtype)

    def cached(self, make, *settings):
        """``make(protocol, *settings)``, kept for the next time."""
        key = (make, *settings)
        if key not in self._cache:
            self._cache[key] = make(self, *settings)
        return self._cache[key]

    def __getstate__(self):
        # What is kept can be made again, and belongs to one machine's devices.
        return self.__dict__ | {"_cache": {}}


def _ladder(protocol, dtype):
    seen = protocol.time - protocol.box.delay[0]
    half, tolerance = _LADDERS[dtype]
    kep, weights = protocol.box.kep, protocol.weights
    return make_nodes(seen, protocol.aif_time, protocol.cp, kep, weights, half, tolerance)


def _covering_plasma(aif, time, hematocrit, earliest):
    """Nodes of the plasma curve; a formula is asked beyond the last frame for negative delays."""
    asked = time
    if earliest < 0.0 and (isinstance(aif, str) or callable(aif)):
        asked = np.append(time, time[-1] - earliest)
    aif_time, cp = plasma_curve(aif, asked, hematocrit=hematocrit)
    if aif_time[-1] < time[-1] - earliest - 1e-9 * abs(time[-1]):
        raise ValueError(
            f"delay reaches down to {earliest:g} s, which asks for the AIF at "
            f"{time[-1] - earliest:g} s, but it ends at {aif_time[-1]:g} s: raise the lowest delay "
            "or give a longer AIF as (aif_time, values)."
        )
    return aif_time, cp
