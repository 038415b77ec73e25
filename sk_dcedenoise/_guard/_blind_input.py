"""The input that clean curves share, found from the curves alone.

The curve of one tissue is the input, convolved with a response of three numbers: plasma, and a
leakage that decays. One curve says nothing of either, but many curves of one input say more than
there is to be known: all their numbers and the input are fitted together (blind deconvolution).
What is left open is the size of the input, and a little of what counts as plasma: tissue that
takes up the input at once cannot be told from it by its frames.

Time is counted in frames, which are taken to be evenly spaced.
"""

import numpy as np

from sk_dcedenoise.fitting import ToftsTransformer

# The input is straight between so many nodes per frame: a bolus is shorter than few frames.
PER_FRAME = 3
# Mean size of the input in that of the curves: leakage and plasma are then well below 1.
_SIZE = 10.0
# Rates per frame; a curve with a faster one is one of plasma.
_BOUNDS = {"Ktrans": (0.0, 1e3), "kep": (0.0, 4.0), "ve": (0.0, 1e6), "vp": (0.0, 1e3)}
# A first guess is the derivative of the sharpest curve, less its washout at this rate, and never
# less than a share of its top.
_WASHOUT, _LEAST = 0.02, 0.02
# What a bend of the input costs, in what is not explained yet: a stiff input is found first, and at
# last the curves decide.
_STIFFNESS = 10.0
_MOST_STEPS, _MOST_DAMPING, _STALLED, _EXPLAINED = 60, 1e3, 0.999, 1e-14
# Longest step of the logarithm of a rate.
_LONGEST = 0.5


def model_of(nodes, n_times):
    """The kinetic model with an input at `PER_FRAME` nodes per frame; a minute is a frame."""
    aif = 60.0 * np.arange(len(nodes)) / PER_FRAME, nodes
    outputs = ["Ktrans", "kep", "vp"]
    return ToftsTransformer(60.0 * np.arange(n_times), aif, bounds=_BOUNDS, outputs=outputs)


def blind_input(curves):
    """Find the input that curves share.

    Parameters
    ----------
    curves : ndarray of shape (n_curves, n_times)
        Some dozens of noiseless curves, none of them all zero.

    Returns
    -------
    nodes : ndarray of shape (PER_FRAME * (n_times - 1) + 1,)
        Input, whose size is a convention, at evenly spaced times. Whether it explains the curves
        is for the caller to see: it does not if they have different inputs or delays.

    Notes
    -----
    That the curves of several tissues give away their input was shown by Riabkov and Di Bella (IEEE
    Trans. Biomed. Eng. 49, 1318-1327, 2002) for measured ones; noiseless ones do so to all digits.
    Here by Levenberg-Marquardt steps of all numbers at once. Those of a curve meet those of others
    in the input only, so that they are eliminated curve by curve.
    """
    n_times = curves.shape[1]
    curves = curves / np.sqrt(np.mean(curves**2, axis=1, keepdims=True))
    nodes = _first_guess(curves)
    tissue = model_of(nodes, n_times).fit_transform(curves)
    tissue[:, 1] = tissue[:, 1].clip(0.25 / n_times, 1.0)
    damping = 0.01
    for _ in range(_MOST_STEPS):
        missed = _missed(curves, nodes, tissue)
        if missed < _EXPLAINED:
            break
        stiffness = _STIFFNESS * missed
        error = missed + stiffness * _bending(nodes) / n_times
        equations = _equations(curves, nodes, tissue, stiffness)
        while damping < _MOST_DAMPING:
            trial = _step(nodes, tissue, equations, damping)
            new = _missed(curves, *trial) + stiffness * _bending(trial[0]) / n_times
            if new < error:
                break
            damping *= 4
        else:
            break
        (nodes, tissue), damping = _resized(*trial), damping / 3
        if new > _STALLED * error:
            break
    return nodes


def _first_guess(curves):
    sharpness = np.abs(np.diff(curves, axis=1)).max(axis=1) / np.abs(curves).mean(axis=1)
    sharpest = curves[sharpness.argmax()]
    input_ = np.gradient(sharpest) + _WASHOUT * sharpest
    input_ = input_.clip(min=_LEAST * np.abs(input_).max())
    last = len(sharpest) - 1
    nodes = np.interp(np.arange(PER_FRAME * last + 1) / PER_FRAME, np.arange(last + 1), input_)
    return _SIZE * nodes / np.abs(nodes).mean()


def _resized(nodes, tissue):
    factor = np.abs(nodes).mean() / _SIZE
    return nodes / factor, tissue * (factor, 1.0, factor)


def _convolutions(rates, n_times):
    """Matrices of shape (n_rates, n_times, n_nodes) that convolve an input with exp(-rate t)."""
    n_nodes = PER_FRAME * (n_times - 1) + 1
    since = PER_FRAME * np.arange(n_times)[:, None] - np.arange(n_nodes)
    x = rates[:, None] / PER_FRAME
    after = np.exp(-x * np.arange(n_nodes))
    # Integrals of the decay from node to node, weighted to its end and to its start.
    late = (x - 1 + np.exp(-x)) / x**2
    early = (-np.expm1(-x) / x - late) * after[:, :-1]
    weights = late * after
    weights[:, 1:] += early
    found = np.where(since >= 0, weights[:, since.clip(min=0)], 0.0)
    # Nothing comes before the first node.
    found[:, 0, 0] = 0.0
    found[:, 1:, 0] = early[:, PER_FRAME - 1 :: PER_FRAME]
    return found / PER_FRAME


def _curves(nodes, tissue, leaked):
    ktrans, _, vp = tissue.T[:, :, None]
    return vp * nodes[::PER_FRAME] + ktrans * leaked


def _bending(nodes):
    return np.sum(np.diff(nodes, 2) ** 2) / np.sum(nodes**2)


def _missed(curves, nodes, tissue):
    """Mean square of what is not explained."""
    leaked = _convolutions(tissue[:, 1], curves.shape[1]) @ nodes
    return np.mean((curves - _curves(nodes, tissue, leaked)) ** 2)


def _equations(curves, nodes, tissue, stiffness):
    """Normal equations of all numbers: of the nodes, of each curve's own, and what couples them."""
    n_curves, n_times = curves.shape
    convolutions = _convolutions(tissue[:, 1], n_times)
    nearby = _convolutions(tissue[:, 1] * (1 + 1e-4), n_times)
    leaked, plasma = convolutions @ nodes, nodes[::PER_FRAME]
    by_log_rate = (nearby @ nodes - leaked) / 1e-4
    ktrans, _, vp = tissue.T[:, :, None]
    own = np.stack([leaked, ktrans * by_log_rate, np.broadcast_to(plasma, leaked.shape)], axis=1)
    missed = curves - _curves(nodes, tissue, leaked)
    by_nodes = ktrans[:, :, None] * convolutions
    by_nodes[:, np.arange(n_times), PER_FRAME * np.arange(n_times)] += vp
    bends = np.diff(np.eye(len(nodes)), 2, axis=0) / np.linalg.norm(nodes)
    stiffness = n_curves * stiffness * bends.T @ bends
    flat = by_nodes.reshape(-1, len(nodes))
    of_nodes = flat.T @ flat + stiffness, missed.ravel() @ flat - stiffness @ nodes
    of_tissue = own @ own.transpose(0, 2, 1), own @ missed[:, :, None]
    return *of_nodes, *of_tissue, own @ by_nodes


def _step(nodes, tissue, equations, damping):
    """Nodes and numbers after a step that is the shorter the more it is damped."""
    of_nodes, pull, of_tissue, own_pull, coupled = equations
    damped = of_tissue * (1 + damping * np.eye(3))
    damped += 1e-12 * np.trace(of_tissue, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    solved = np.linalg.solve(damped, np.concatenate([coupled, own_pull], axis=2))
    flat = coupled.reshape(-1, len(nodes))
    less = flat.T @ solved.reshape(len(flat), -1)
    matrix = of_nodes * (1 + damping * np.eye(len(nodes))) - less[:, :-1]
    change = np.linalg.solve(matrix, pull - less[:, -1])
    own = solved[:, :, -1] - solved[:, :, :-1] @ change
    ktrans, rate, vp = tissue.T
    rate = rate * np.exp(own[:, 1].clip(-_LONGEST, _LONGEST))
    return nodes + change, np.column_stack([ktrans + own[:, 0], rate, vp + own[:, 2]])
