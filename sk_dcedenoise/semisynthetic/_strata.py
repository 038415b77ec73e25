"""Strata of parameter space: what is rare there is not to be trained away."""

import numpy as np

# A stratum spans a factor of two in each of these. Below the value named, a parameter cannot be
# told from none, and all is one stratum.
_FLOORS = {"Ktrans": 1e-3, "ve": 1e-2, "vp": 1e-3}


def strata(params):
    """Return the number of the stratum of each parameter set.

    Parameters
    ----------
    params : mapping of str to ndarray of shape (n,)
        Any of Ktrans (1/min), ve and vp; a delay makes no other tissue.

    Returns
    -------
    stratum : ndarray of shape (n,), int
        Counted from 0 on, without gaps.
    """
    floors = {name: low for name, low in _FLOORS.items() if name in params}
    steps = [np.floor(np.log2(np.maximum(params[k], low) / low)) for k, low in floors.items()]
    _, stratum = np.unique(np.stack(steps, axis=1), axis=0, return_inverse=True)
    return stratum.ravel()


def even_out(weights, stratum, amount, least=0.0):
    """Return weights that bring strata nearer to each other.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        How often each parameter set occurs.
    stratum : ndarray of shape (n,), int
        The stratum of each.
    amount : float
        0 leaves weights as they are, 1 makes all strata alike; between, the weight of a stratum
        goes to the power of ``1 - amount``.
    least : float, default=0.0
        Strata of less weight, relative to the sum, are not helped up.

    Returns
    -------
    weights : ndarray of shape (n,)
        Of sum one; within a stratum they keep their ratios.
    """
    weights = weights / weights.sum()
    mass = np.bincount(stratum, weights)
    lifted = np.maximum(mass, least, where=mass > 0, out=np.ones_like(mass)) ** -amount
    weights = weights * lifted[stratum]
    return weights / weights.sum()
