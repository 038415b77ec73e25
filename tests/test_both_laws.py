"""The curves that a guard learns from, and their noise."""

import numpy as np
import torch

from sk_dcedenoise._guard._both_laws import (
    any_level,
    now_and_then_any_level,
    other_curves,
    training_curves,
)
from sk_dcedenoise._guard._directions import directions
from sk_dcedenoise._guard._other_tissue import FILTERED
from sk_dcedenoise._noise import NoiseLaw
from sk_dcedenoise.datasets import make_dce_curves

LEVEL, N_CURVES = 0.1, 4000
LAW = NoiseLaw(np.full(100, LEVEL), 0.0, None)


def clean_curves():
    _, clean = make_dce_curves(500, random_state=0)
    return torch.as_tensor(clean / clean.std())


def drawn(make, noise_law=LAW, *arguments):
    """Clean curves, others that are drawn from them, and the noise of these."""
    clean = clean_curves()
    draw = make(clean, noise_law, torch.Generator().manual_seed(0), *arguments)
    curves, noise = draw(N_CURVES)
    assert curves.shape == noise.shape == (N_CURVES, clean.shape[1])
    return clean, curves, noise


def tissue():
    return directions(clean_curves(), LAW), FILTERED


def levels_of(noise):
    return noise.square().mean(1).sqrt() / LEVEL


def test_training_curves_are_those_of_training():
    clean, curves, noise = drawn(training_curves)
    known = {tuple(curve) for curve in clean.tolist()}
    assert all(tuple(curve) in known for curve in curves.tolist())
    # A level is seen to one part in eight, so that 5 standard deviations hold it.
    assert ((levels_of(noise) - 1).abs() < 5 / 8).all()


def test_others_are_not():
    clean, curves, _ = drawn(other_curves, LAW, *tissue())
    known = {tuple(curve) for curve in clean.tolist()}
    assert not any(tuple(curve) in known for curve in curves.tolist())


def test_any_level_is_from_a_quarter_to_twice_those_of_training():
    levels = any_level(LAW).levels / LEVEL
    np.testing.assert_allclose([levels.min(), levels.max()], [0.25, 2.0])
    # Evenly in the logarithm: so is the middle.
    np.testing.assert_allclose(np.median(levels), np.sqrt(0.25 * 2.0), rtol=1e-2)


def test_three_in_four_have_the_noise_of_training_and_the_rest_any():
    for make, arguments in ((training_curves, ()), (other_curves, tissue())):
        _, _, noise = drawn(make, now_and_then_any_level(LAW), *arguments)
        seen = levels_of(noise)
        known = (seen > 0.6) & (seen < 1.6)
        among_any = np.log(1.6 / 0.6) / np.log(8)
        assert abs(known.double().mean() - (0.75 + 0.25 * among_any)) < 0.03
        assert seen.min() < 0.3
        assert seen.max() > 1.8
