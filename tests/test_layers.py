"""Padding, depth, starting weights and dropout, against their definitions."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from sk_dcedenoise.denoisers._layers import (
    Dropout,
    half_width,
    halvings,
    repeat_last_to_multiple,
    stages,
    start_small,
)


@pytest.mark.parametrize("n_times", [*range(1, 70), 127, 128, 511, 512, 513, 1024, 5000])
@pytest.mark.parametrize(("shortest", "most"), [(8, 5), (4, 7)])
def test_halvings_leave_enough_and_no_more(n_times, shortest, most):
    n_down = halvings(n_times, shortest=shortest, most=most)
    assert 1 <= n_down <= most
    assert n_down == 1 or n_times / 2**n_down >= shortest
    assert n_down == most or n_times / 2 ** (n_down + 1) < shortest


def test_stages_are_as_given_or_automatic():
    assert stages("auto", 32, shortest=8, most=5) == 2
    assert stages(4, 32, shortest=8, most=5) == 4
    with pytest.raises(ValueError, match=r"n_down=2\.5, but expected a whole number from 1 to 5"):
        stages(2.5, 32, shortest=8, most=5)


@pytest.mark.parametrize("length", [1, 2, 5, 8, 9, 31])
@pytest.mark.parametrize("multiple", [1, 2, 8, 32])
def test_filling_up_repeats_the_last_sample(length, multiple):
    x = torch.randn(3, 2, length)
    full = -(-length // multiple) * multiple
    expected = np.pad(x.numpy(), [(0, 0), (0, 0), (0, full - length)], mode="edge")
    np.testing.assert_array_equal(repeat_last_to_multiple(x, multiple), expected)


def test_half_width_keeps_the_length_of_a_convolved_curve():
    for kernel_size in (1, 3, 9, 19):
        kept = np.convolve(np.ones(32 + 2 * half_width(kernel_size)), np.ones(kernel_size), "valid")
        assert len(kept) == 32
    for kernel_size in (0, 2, 16):
        with pytest.raises(ValueError, match=f"kernel_size={kernel_size}, but expected"):
            half_width(kernel_size)


def test_start_small_is_glorot_with_a_tenth_in_the_last_layer():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv1d(20, 40, 15), nn.Conv1d(40, 30, 15), nn.ConvTranspose1d(30, 1, 15)
    )
    start_small(module)
    for layer, gain in zip(module, (1.0, 1.0, 0.1), strict=True):
        fan_in_and_out = (layer.in_channels + layer.out_channels) * layer.kernel_size[0]
        limit = gain * math.sqrt(6 / fan_in_and_out)
        weight = layer.weight.detach()
        assert weight.abs().max() <= limit
        # The standard deviation of a uniform law is its limit over the square root of three.
        assert weight.std() == pytest.approx(limit / math.sqrt(3), rel=0.1)
        assert (layer.bias == 0).all()


def test_dropout_drops_the_share_and_keeps_the_mean():
    dropout = Dropout(0.3)
    dropout.generator = torch.Generator().manual_seed(0)
    x = torch.ones(200, 500)
    dropped = dropout(x)
    assert (dropped == 0).double().mean() == pytest.approx(0.3, abs=0.01)
    torch.testing.assert_close(dropped[dropped != 0].unique(), torch.tensor([1 / 0.7]))


def test_dropout_draws_from_its_own_generator():
    dropout, x = Dropout(0.5), torch.ones(10, 10)
    before, draws = torch.get_rng_state(), []
    for _ in range(2):
        dropout.generator = torch.Generator().manual_seed(3)
        draws.append(dropout(x))
    assert torch.equal(*draws)
    assert torch.equal(torch.get_rng_state(), before)
    assert dropout.eval()(x) is x
    assert Dropout(0.0)(x) is x
