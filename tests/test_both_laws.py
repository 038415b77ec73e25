"""The curves that a guard learns from, and their noise."""

import numpy as np
import torch

from sk_dcedenoise._guard._both_laws import both_laws
from sk_dcedenoise._guard._directions import directions
from sk_dcedenoise._guard._other_tissue import FILTERED
from sk_dcedenoise._noise import NoiseLaw
from sk_dcedenoise.datasets import make_dce_curves

LEVEL, N_CURVES = 0.1, 4000


def drawn():
    _, clean = make_dce_curves(500, random_state=0)
    law = NoiseLaw(np.full(100, LEVEL), 0.0, None)
    clean = torch.as_tensor(clean / clean.std())
    generator = torch.Generator().manual_seed(0)
    return both_laws(clean, law, directions(clean, law), N_CURVES, generator, FILTERED), clean


def test_half_are_training_curves_and_half_are_not():
    (curves, noise, is_other), clean = drawn()
    assert curves.shape == noise.shape == (2 * N_CURVES, clean.shape[1])
    assert is_other.tolist() == [0.0] * N_CURVES + [1.0] * N_CURVES
    known = {tuple(curve) for curve in clean.tolist()}
    assert all(tuple(curve) in known for curve in curves[:N_CURVES].tolist())
    assert sum(tuple(curve) in known for curve in curves[N_CURVES:].tolist()) == 0


def test_three_in_four_have_the_noise_of_training_and_the_rest_any():
    (_, noise, is_other), _ = drawn()
    level = noise.square().mean(1).sqrt() / LEVEL
    # A level is seen to one part in eight, so that 5 standard deviations hold it.
    for law in (0, 1):
        seen = level[is_other == law]
        known = (seen > 0.6) & (seen < 1.6)
        among_any = np.log(1.6 / 0.6) / np.log(8)
        assert abs(known.double().mean() - (0.75 + 0.25 * among_any)) < 0.03
        assert seen.min() < 0.3
        assert seen.max() > 1.8
