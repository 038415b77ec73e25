"""Clean curves of a protocol, from kinetic parameters."""

import numpy as np

from sk_dcedenoise.tofts import extended_tofts


class Simulator:
    """Turns parameters into clean curves; called like a function.

    Parameters
    ----------
    time : ndarray of shape (n_times,)
        Frame times in s.
    aif_time : ndarray of shape (n_nodes,)
        Nodes of the plasma curve in s.
    plasma : ndarray of shape (n_nodes,)
        The plasma curve in mM.
    delay : float
        Bolus delay in s, for parameters that have none of their own.
    """

    def __init__(self, time, aif_time, plasma, delay):
        self.time = time
        self.aif_time = aif_time
        self.plasma = plasma
        self.delay = delay

    def __call__(self, params):
        """Return curves, (n, n_times), for a mapping of names to arrays of shape (n,).

        Without "ve" nothing returns from the tissue, without "vp" there is no plasma in it.
        """
        ve, vp = params.get("ve", np.inf), params.get("vp", 0.0)
        delay = params.get("delay", self.delay)
        aif = self.aif_time, self.plasma
        return extended_tofts(self.time, params["Ktrans"], ve, vp, aif=aif, delay=delay)
