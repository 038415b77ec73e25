"""Other tissue under the input that clean curves share, where they share one.

Nobody has told of a model or an input; both are found in the curves (see `_blind_input`). How far
other tissue may go beyond that of training is then a guess: the farther, the rarer.
"""

import numpy as np

from sk_dcedenoise._guard._blind_input import blind_input, model_of
from sk_dcedenoise._guard._directions import FEWEST_FRAMES
from sk_dcedenoise._guard._kinetic_tissue import KineticTissue, beyond

# Curves to find the input from, and to see whether it explains them.
_MOST_CURVES, _FEWEST_CURVES, _MOST_VALUES, _MOST_TESTED = 64, 16, 4_000_000, 4096
# What it may leave unexplained, in standard deviations of the quietest noise.
_MOST_MISSED = 0.1
# Most leakage or plasma of other tissue, in the largest of training.
_FARTHEST = 10.0
# A largest of training that is less than this, in mean sizes of clean curves, counts as this.
_LEAST_LARGEST = 0.1
# Faster decays, per frame, are plasma.
_FASTEST = 0.5
# Share of curves that come earlier or later, which the model does not know.
_SHARE_DELAYED = 0.1


def found_kinetics(clean, noise_sd):
    """Find them.

    Parameters
    ----------
    clean : ndarray of shape (n_curves, n_times)
        Clean curves.
    noise_sd : ndarray of shape (n_curves,)
        The least noise that each of them gets, as a standard deviation.

    Returns
    -------
    tissue : KineticTissue or None
        None where no input explains the curves: they have different delays or inputs, or are not
        of an extended Tofts model.
    """
    seen = np.flatnonzero(clean.any(axis=1) & (noise_sd > 0))
    n_times = clean.shape[1]
    n_curves = int(np.clip(_MOST_VALUES / (3 * n_times**2), _FEWEST_CURVES, _MOST_CURVES))
    if len(seen) < _FEWEST_CURVES or n_times < FEWEST_FRAMES:
        return None
    some, many = (_spread(seen, n) for n in (n_curves, _MOST_TESTED))
    nodes = blind_input(clean[some].astype(np.float64))
    model = model_of(nodes, n_times).fit(clean[many])
    tissue = model.transform(clean[many])
    missed = (model.inverse_transform(tissue) - clean[many]) / noise_sd[many, None]
    if not np.sqrt(np.mean(missed**2)) < _MOST_MISSED:
        return None
    ktrans, _, vp = np.quantile(tissue, 0.99, axis=0)
    size, input_size = np.abs(clean[many]).mean(), np.abs(nodes).mean()
    least = _LEAST_LARGEST * size / input_size
    foreign = {
        "Ktrans": beyond(0.0, _FARTHEST * max(ktrans, least / n_times)),
        "kep": beyond(0.0, _FASTEST),
        "vp": beyond(0.0, _FARTHEST * max(vp, least)),
    }
    return KineticTissue(model, foreign, np.inf, _SHARE_DELAYED)


def _spread(indices, n):
    return indices[np.linspace(0, len(indices) - 1, min(n, len(indices))).astype(int)]
