"""The deep recurrent network: weights, lengths, and which way it looks."""

import pytest
import torch
from module_checks import ODD_LENGTHS, check_any_length, check_every_weight_learns, n_weights

from sk_dcedenoise.denoisers import DenoiserDRNN
from sk_dcedenoise.denoisers._drnn import DRNNModule


@pytest.mark.parametrize(("bidirectional", "expected"), [(False, 25_537), (True, 46_785)])
def test_number_of_weights(bidirectional, expected):
    assert n_weights(DRNNModule(bidirectional=bidirectional)) == expected


@pytest.mark.parametrize("n_times", [32, 512])
def test_published_estimator_has_as_many_weights_for_any_length(n_times):
    curves = torch.randn(4, n_times).numpy()
    denoiser = DenoiserDRNN(bidirectional=False, max_epochs=1, device="cpu").fit(curves, curves)
    assert n_weights(denoiser.module_) == 25_537


@pytest.mark.parametrize("n_dense", [0, 1, 4])
def test_dense_layers_are_counted(n_dense):
    hidden = 8
    lstm = 4 * (hidden * (1 + hidden) + 2 * hidden)
    dense = n_dense * (hidden * hidden + hidden)
    module = DRNNModule(hidden_size=hidden, n_dense=n_dense, bidirectional=False)
    assert n_weights(module) == lstm + dense + hidden + 1


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("n_times", ODD_LENGTHS)
def test_any_length(n_times, bidirectional):
    check_any_length(lambda _: DRNNModule(hidden_size=4, bidirectional=bidirectional), n_times)


def test_every_weight_learns():
    check_every_weight_learns(lambda: DRNNModule(hidden_size=16), 33)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_only_the_bidirectional_network_looks_ahead(bidirectional):
    torch.manual_seed(0)
    module = DRNNModule(hidden_size=8, bidirectional=bidirectional).eval()
    curves = torch.randn(5, 20)
    changed = curves.clone()
    changed[:, 12:] += 1.0
    with torch.no_grad():
        difference = (module(curves) - module(changed)).abs()
    assert (difference[:, 12:] > 0).all()
    assert (difference[:, :12] > 0).all() == bidirectional
    assert (difference[:, :12] == 0).all() == (not bidirectional)
