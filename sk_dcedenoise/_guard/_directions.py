"""The directions in which clean curves live, and those that hold nothing but noise."""

from typing import NamedTuple

import numpy as np
import torch

# Directions beyond those of clean curves, at most and as a share of the frames. Three in eight are
# their next ones, the others those of curves that come so many frames earlier or later.
_MOST_SPARE, _FRAMES_PER_SPARE = 8, 4
_NEXT, _SHIFTS = 3 / 8, (-3, -2, -1, 0, 1, 2, 3)
# Sizes below this, relative to the largest, are rounding: their directions are any.
_ROUNDING = 1e-6
# With fewer frames, noise cannot be told from signal.
FEWEST_FRAMES = 8
_MOST_SHIFTED = 1000


class Directions(NamedTuple):
    """An orthogonal view of curves, in which the noise is white.

    ``curves @ analysis`` are coefficients: the first `n_signal` of the directions of clean curves,
    those up to `n_kept` of what other curves may need, then the rest from rough to smooth.
    `synthesis` is the inverse of `analysis`.
    """

    analysis: np.ndarray
    synthesis: np.ndarray
    n_signal: int
    n_kept: int


def directions(clean, noise_law):
    """Find them from clean curves and the noise that they get.

    Parameters
    ----------
    clean : tensor of shape (n_curves, n_times)
    noise_law : NoiseLaw

    Returns
    -------
    directions : Directions or None
        None where there are too few frames.
    """
    n_times = clean.shape[1]
    if n_times < FEWEST_FRAMES:
        return None
    factor = np.eye(n_times) if noise_law.factor is None else noise_law.factor
    clean = clean.double().cpu().numpy()
    quiet = noise_law.quiet_sd(clean).mean()
    whiten = np.linalg.inv(factor).T
    values, vectors = _principal(clean @ whiten)
    n_spare = min(_MOST_SPARE, n_times // _FRAMES_PER_SPARE)
    n_signal = np.count_nonzero(values > (quiet / 2) ** 2)
    n_signal = int(np.clip(n_signal, 1, n_times // 2 - n_spare))
    n_next = np.count_nonzero(values > _ROUNDING**2 * values[0]) - n_signal
    n_known = n_signal + int(np.clip(n_next, 0, _NEXT * n_spare))
    n_kept = n_signal + n_spare
    known, others = vectors[:, :n_known], vectors[:, n_known:]
    _, turn = _principal(_shifted(clean[:_MOST_SHIFTED]) @ whiten @ others)
    shifted, rest = np.split(others @ turn, [n_kept - n_known], axis=1)
    neighbours = 0.5 * (np.eye(n_times, k=1) + np.eye(n_times, k=-1))
    _, turn = np.linalg.eigh(rest.T @ neighbours @ rest)
    basis = np.hstack([known, shifted, rest @ turn])
    return Directions(whiten @ basis, basis.T @ factor.T, n_signal, n_kept)


def smoothness(rest, smooth=None):
    """Logarithm of the energy in smooth directions over that in the rough half of the rest.

    Parameters
    ----------
    rest : tensor of shape (n_curves, n_rest)
        Squared coefficients, from rough to smooth.
    smooth : tensor of shape (n_curves, n_smooth), default=None
        Those of more smooth directions, beside the smooth half of the rest.
    """
    tiny = torch.finfo(rest.dtype).tiny
    rough, half = rest.tensor_split([rest.shape[1] // 2], dim=1)
    smooth = half if smooth is None else torch.cat([half, smooth], dim=1)
    return ((smooth.mean(1) + tiny) / (rough.mean(1) + tiny)).log()


def _principal(vectors):
    """Mean squares along principal axes, falling, and the axes as columns."""
    values, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    return values[::-1], axes[:, ::-1]


def _shifted(curves):
    """Curves that come some frames earlier or later, their ends held."""
    frames = np.arange(curves.shape[1])
    return np.concatenate([curves[:, np.clip(frames - s, 0, frames[-1])] for s in _SHIFTS])
