"""The levels of noise behind estimates that scatter, since each is of one curve.

Of 32 frames a level can be told to one part in eight. Noise drawn at levels so blurred is of
another law than that of the pairs; what the blurring does is known, and can be undone.
"""

import numpy as np

_N_LEVELS = 1024
# Width of the classes in the logarithm, and their number at most.
_CLASS, _MOST_CLASSES = 0.01, 1024
# Few enough for levels without gaps to stay so, and enough for single ones to stand out.
_ROUNDS = 300
# Beyond this, a square is as unlikely as can be.
_FAR = 600.0


def levels_behind(seen, freedom):
    """Find the levels whose curves give such estimates.

    Their distribution is the likeliest one, without any assumption on its form; the algorithm is
    expectation maximisation.

    Parameters
    ----------
    seen : ndarray of shape (n_curves,)
        Root mean squares of the white Gaussian noise of each curve; zeros stay zeros.
    freedom : int
        Independent values in the noise of a curve: its frames, if nothing was fitted to them.

    Returns
    -------
    levels : ndarray of shape (1024,)
        Equally likely ones, increasing.

    References
    ----------
    .. [1] N. Laird, "Nonparametric maximum likelihood estimation of a mixing distribution", Journal
       of the American Statistical Association 73, 805-811, 1978.
    """
    noisy = seen[seen > 0]
    n_zeros = round(_N_LEVELS * (1 - len(noisy) / len(seen)))
    if len(noisy) == 0:
        return np.zeros(_N_LEVELS)
    at, shares = _classes(np.log(noisy))
    held = shares > 0
    above = at[held, None] - at
    likelihood = np.exp(freedom * (above - np.expm1(np.minimum(2 * above, _FAR)) / 2))
    weights = np.full(len(at), 1 / len(at))
    for _ in range(_ROUNDS):
        weights *= likelihood.T @ (shares[held] / (likelihood @ weights))
    middles = (np.arange(_N_LEVELS - n_zeros) + 0.5) / max(1, _N_LEVELS - n_zeros)
    chosen = np.searchsorted(np.cumsum(weights), middles * weights.sum())
    return np.r_[np.zeros(n_zeros), np.exp(at[chosen])]


def _classes(logs):
    """Middles of the classes, and the shares of curves in them."""
    low, high = logs.min(), logs.max()
    n_classes = int(np.clip(np.ceil((high - low) / _CLASS), 1, _MOST_CLASSES))
    counts, edges = np.histogram(logs, n_classes, range=(low, max(high, low + _CLASS)))
    return (edges[:-1] + edges[1:]) / 2, counts / counts.sum()
