"""The denoising LSTM: weights, lengths, dropout, and which way it looks."""

import pytest
import torch
from module_checks import ODD_LENGTHS, check_any_length, check_every_weight_learns, n_weights

from sk_dcedenoise.denoisers import DenoiserLSTM
from sk_dcedenoise.denoisers._lstm import LSTMModule


def test_number_of_weights():
    assert n_weights(LSTMModule(bidirectional=False)) == 277_621


def test_number_of_weights_of_both_directions():
    # PyTorch's LSTM has 4 gates with one weight per input, one per unit, and two biases.
    def lstm(n_in, n_units):
        return 4 * n_units * (n_in + n_units + 2)

    h = 140
    dense = 2 * (2 * h * h + h) + h + 1
    assert n_weights(LSTMModule()) == 2 * lstm(1, h) + 2 * lstm(h, h) + dense


@pytest.mark.parametrize("n_times", [32, 512])
def test_published_estimator_has_as_many_weights_for_any_length(n_times):
    curves = torch.randn(4, n_times).numpy()
    denoiser = DenoiserLSTM(bidirectional=False, max_epochs=1, device="cpu").fit(curves, curves)
    assert n_weights(denoiser.module_) == 277_621


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("n_times", ODD_LENGTHS)
def test_any_length(n_times, bidirectional):
    check_any_length(lambda _: LSTMModule(hidden_size=4, bidirectional=bidirectional), n_times)


def test_every_weight_learns():
    check_every_weight_learns(lambda: LSTMModule(hidden_size=16), 33)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_only_the_bidirectional_network_looks_ahead(bidirectional):
    torch.manual_seed(0)
    module = LSTMModule(hidden_size=8, bidirectional=bidirectional).eval()
    curves = torch.randn(5, 20)
    changed = curves.clone()
    changed[:, 12:] += 1.0
    with torch.no_grad():
        difference = (module(curves) - module(changed)).abs()
    assert (difference[:, 12:] > 0).all()
    assert (difference[:, :12] > 0).all() == bidirectional
    assert (difference[:, :12] == 0).all() == (not bidirectional)


def test_dropout_acts_in_training_alone():
    torch.manual_seed(0)
    module, curves = LSTMModule(hidden_size=8, dropout=0.5), torch.randn(5, 20)
    with torch.no_grad():
        assert not torch.equal(module(curves), module(curves))
        module.eval()
        assert torch.equal(module(curves), module(curves))


def test_dropout_is_repeatable_and_leaves_the_global_stream_alone():
    X, y = torch.randn(60, 12).numpy(), torch.randn(60, 12).numpy()
    denoiser = DenoiserLSTM(
        hidden_size=8, dropout=0.4, max_epochs=2, batch_size=16, device="cpu", random_state=0
    )
    before = torch.get_rng_state()
    first = denoiser.fit(X, y).transform(X)
    torch.testing.assert_close(torch.get_rng_state(), before)
    torch.manual_seed(123)
    second = denoiser.fit(X, y).transform(X)
    assert (first == second).all()
    without = denoiser.set_params(dropout=0.0).fit(X, y).transform(X)
    assert (first != without).any()
