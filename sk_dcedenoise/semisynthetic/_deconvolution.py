"""How often each of many candidates is the truth behind noisy curves.

Fitted parameters scatter about the true ones, so their histogram is wider than the law of the
tissue. Expectation-maximisation finds weights that say how often each candidate occurs.
"""

import numpy as np

# Likelihoods below exp(-60) of a curve's largest are set to that, lest a curve that no other
# explains gets a likelihood of zero.
_LEAST_LOG = -60.0


def likelihoods(X, candidates):
    """Return how well each candidate explains each curve, relative to the best one.

    The noise of a curve is white, its standard deviation unknown with a prior density of 1 / sd;
    integrated out, this leaves the distance to the power of minus the number of frames.

    Parameters
    ----------
    X : ndarray of shape (n_curves, n_times)
        Noisy curves.
    candidates : ndarray of shape (n_candidates, n_times)
        Clean curves.

    Returns
    -------
    likelihoods : ndarray of shape (n_curves, n_candidates), float32
        1 for the best candidate of a curve.
    """
    # Divided by their common size, all is well within float32, whatever the units.
    size = np.abs(X).max()
    X, candidates = ((curves / size).astype(np.float32) for curves in (X, candidates))
    square = np.einsum("ij,ij->i", X, X)[:, None]
    table = X @ candidates.T
    table *= -2.0
    table += np.einsum("ij,ij->i", candidates, candidates)
    table += square
    # Where the difference of squares is rounding alone, curves do not differ in float32.
    np.maximum(table, 1e-6 * square + np.finfo(np.float32).tiny, out=table)
    np.log(table, out=table)
    table *= -X.shape[1] / 2
    table -= table.max(axis=1, keepdims=True)
    np.maximum(table, _LEAST_LOG, out=table)
    return np.exp(table, out=table)


def deconvolve(table, counts, n_iterations):
    """Return the weights under which the curves are likely, from equal ones on.

    Each step makes the curves more likely. Few steps leave the weights smooth; many end in a few
    candidates with all the weight, which is the law of most likelihood and not a credible one.

    Parameters
    ----------
    table : ndarray of shape (n_curves, n_candidates)
        As :func:`likelihoods` returns it.
    counts : ndarray of shape (n_curves,)
        How many curves each one stands for.
    n_iterations : int
        Number of steps.

    Returns
    -------
    weights : ndarray of shape (n_candidates,)
        Of sum one.
    """
    weights = np.full(table.shape[1], 1 / table.shape[1])
    share = counts / counts.sum()
    for _ in range(n_iterations):
        explained = table @ weights.astype(np.float32)
        weights *= (share / explained).astype(np.float32) @ table
        weights /= weights.sum()
    return weights
