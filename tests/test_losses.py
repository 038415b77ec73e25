"""The published loss against its formula."""

import numpy as np
import pytest
import torch

from sk_dcedenoise.denoisers import SSDMADLoss


@pytest.mark.parametrize("n_times", [32, 512])
def test_is_the_sum_plus_the_weighted_maximum(n_times):
    rng = np.random.default_rng(0)
    prediction, target = rng.normal(size=(2, 7, n_times))
    squared = (prediction - target) ** 2
    expected = np.mean(squared.sum(axis=1) + 50 * n_times / 512 * squared.max(axis=1))
    loss = SSDMADLoss()(torch.as_tensor(prediction), torch.as_tensor(target))
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_is_the_published_one_at_512_samples():
    # One error of 2 in a curve: 4 from the sum and 50 times 4 from the maximum.
    target = torch.zeros(1, 512)
    prediction = target.clone()
    prediction[0, 100] = 2.0
    assert SSDMADLoss()(prediction, target).item() == pytest.approx(204.0)


@pytest.mark.parametrize("n_times", [16, 32, 128])
def test_balance_of_the_two_terms_is_that_of_512_samples(n_times):
    # A curve stretched to a multiple of its frames has the same maximum and a multiple of the sum.
    torch.manual_seed(0)
    short_error = torch.randn(4, n_times, dtype=torch.float64)
    long_error = short_error.repeat_interleave(512 // n_times, dim=1)
    short = SSDMADLoss()(short_error, torch.zeros_like(short_error))
    long = SSDMADLoss()(long_error, torch.zeros_like(long_error))
    torch.testing.assert_close(long, short * 512 / n_times)


def test_weight_of_zero_is_the_sum_of_squares():
    torch.manual_seed(0)
    prediction, target = torch.randn(2, 5, 32)
    loss = SSDMADLoss(max_weight=0.0)(prediction, target)
    torch.testing.assert_close(loss, 32 * torch.nn.functional.mse_loss(prediction, target))
