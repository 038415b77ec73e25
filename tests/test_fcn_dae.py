"""The fully convolutional autoencoder: weights, depth, and TensorFlow's padding."""

import numpy as np
import pytest
import torch
from module_checks import (
    ODD_LENGTHS,
    check_any_length,
    check_every_weight_learns,
    n_weights,
    same_padding_matrix,
    strip_batch_norm,
)

from sk_dcedenoise.denoisers import DenoiserFCNDAE
from sk_dcedenoise.denoisers._fcn_dae import FCNDAEModule, _Down, _Up


@pytest.mark.parametrize("n_times", [32, 512])
@pytest.mark.parametrize(
    ("params", "expected"),
    [({}, 80_223), ({"n_down": 5}, 80_223), ({"code_channels": 4}, 84_321)],
)
def test_number_of_weights(n_times, params, expected):
    assert n_weights(FCNDAEModule(n_times, **params)) == expected


def test_estimator_has_as_many_weights():
    curves = torch.randn(4, 32).numpy()
    denoiser = DenoiserFCNDAE(max_epochs=1, device="cpu").fit(curves, curves)
    assert n_weights(denoiser.module_) == 80_223


@pytest.mark.parametrize(
    ("n_times", "n_down", "code"),
    [(8, 1, 4), (32, 2, 8), (64, 3, 8), (128, 4, 8), (512, 5, 16), (1024, 5, 32)],
)
def test_depth_follows_the_length(n_times, n_down, code):
    module = FCNDAEModule(n_times).eval()
    assert module.n_down == n_down
    assert module.encoder(torch.zeros(1, 1, n_times)).shape == (1, 1, code)


def test_published_depth_leaves_one_number_of_32_frames():
    module = FCNDAEModule(32, n_down=5).eval()
    assert module.encoder(torch.zeros(1, 1, 32)).shape == (1, 1, 1)


@pytest.mark.parametrize("kernel_size", [2, 5, 16])
@pytest.mark.parametrize("n_times", ODD_LENGTHS)
def test_any_length(n_times, kernel_size):
    check_any_length(lambda n_times: FCNDAEModule(n_times, kernel_size=kernel_size), n_times)


@pytest.mark.parametrize("n_down", [1, 5])
def test_any_depth(n_down):
    check_any_length(lambda n_times: FCNDAEModule(n_times, n_down=n_down, kernel_size=5), 40)


def test_every_weight_learns():
    check_every_weight_learns(lambda: FCNDAEModule(33), 33)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [2, 5, 15, 16])
def test_pads_as_tensorflow_does(kernel_size, stride):
    length, n_in, n_out = 12, 3, 2
    down = strip_batch_norm(_Down(n_in, n_out, kernel_size, stride)).double()
    matrix = same_padding_matrix(down.conv.weight.detach().numpy(), length, stride)
    x = np.random.default_rng(0).normal(size=(n_in, length))
    expected = (matrix @ x.ravel()).reshape(n_out, -1) + down.conv.bias.detach().numpy()[:, None]
    expected = np.where(expected > 0, expected, np.expm1(expected))
    np.testing.assert_allclose(
        down(torch.as_tensor(x)[None])[0].detach(), expected, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [2, 5, 15, 16])
def test_transposed_layers_mirror_tensorflow_s_padding(kernel_size, stride):
    # A transposed convolution is the transpose of the convolution that leads the other way.
    length, n_in, n_out = 6, 3, 2
    up = strip_batch_norm(_Up(n_in, n_out, kernel_size, stride)).double()
    matrix = same_padding_matrix(up.conv.weight.detach().numpy(), length * stride, stride)
    x = np.random.default_rng(0).normal(size=(n_in, length))
    expected = (matrix.T @ x.ravel()).reshape(n_out, -1) + up.conv.bias.detach().numpy()[:, None]
    expected = np.where(expected > 0, expected, np.expm1(expected))
    np.testing.assert_allclose(
        up(torch.as_tensor(x)[None])[0].detach(), expected, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_down": 6}, "n_down=6, but expected a whole number from 1 to 5"),
        ({"n_down": "deep"}, "n_down='deep', but expected a whole number from 1 to 5"),
        ({"kernel_size": 1}, "kernel_size=1, but expected a whole number of at least 2"),
    ],
)
def test_refuses_what_cannot_be_built(params, message):
    with pytest.raises(ValueError, match=message):
        FCNDAEModule(32, **params)
