"""The convolutional encoder-decoder: weights, depth, skips, and TensorFlow's padding."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from module_checks import (
    ODD_LENGTHS,
    check_any_length,
    check_every_weight_learns,
    n_weights,
    n_weights_on_paper,
    same_padding_matrix,
)

from sk_dcedenoise.denoisers import DenoiserEncoderDecoder
from sk_dcedenoise.denoisers._encoder_decoder import EncoderDecoderModule, _Down, _Up

PUBLISHED = 64, 128, 256, 256, 512, 512, 1024, 2048


def counted(n_down, batch_norm=True, kernel_size=15):
    """Weights layer by layer: kernel times channels, a bias, and two of a batch normalisation."""
    w = PUBLISHED[: n_down + 1]
    pairs = [(1, w[0]), *pairwise(w), (w[-1], w[-1])]
    pairs += [(b, a) for a, b in pairwise(w)]
    per_channel = 3 if batch_norm else 1
    hidden = sum(kernel_size * a * b + per_channel * b for a, b in pairs)
    return hidden + kernel_size * w[0] + 1


@pytest.mark.parametrize(
    ("n_times", "params", "expected"),
    [
        (32, {}, 4_184_065),
        (32, {"batch_norm": False}, 4_181_249),
        (32, {"width": 0.25}, 262_657),
        (32, {"width": 0.125, "n_down": 7}, 2_449_921),
        (512, {"width": 0.125}, 2_449_921),
    ],
)
def test_number_of_weights(n_times, params, expected):
    assert n_weights(EncoderDecoderModule(n_times, **params)) == expected


@pytest.mark.parametrize(
    ("n_times", "params", "expected"),
    [
        (512, {}, 156_579_841),
        (32, {"n_down": 7}, 156_579_841),
        (512, {"batch_norm": False}, 156_560_641),
        (512, {"width": 0.25}, 9_792_001),
    ],
)
def test_number_of_weights_of_the_deep_networks(n_times, params, expected):
    assert n_weights_on_paper(lambda: EncoderDecoderModule(n_times, **params)) == expected


def test_numbers_of_weights_follow_from_the_layers():
    assert counted(3) == 4_184_065
    assert counted(7) == 156_579_841
    assert counted(7, batch_norm=False) == 156_560_641


def test_estimator_has_as_many_weights():
    curves = torch.randn(4, 32).numpy()
    denoiser = DenoiserEncoderDecoder(max_epochs=1, device="cpu").fit(curves, curves)
    assert n_weights(denoiser.module_) == 4_184_065


@pytest.mark.parametrize(
    ("n_times", "n_down", "deepest"),
    [(4, 1, 2), (32, 3, 4), (64, 4, 4), (128, 5, 4), (512, 7, 4), (1024, 7, 8)],
)
def test_depth_follows_the_length(n_times, n_down, deepest):
    module = EncoderDecoderModule(n_times, width=1 / 64, kernel_size=3).eval()
    assert module.n_down == n_down
    x = torch.zeros(1, 1, n_times)
    for down in module.encoder:
        x = down(x)
    assert x.shape[-1] == deepest


@pytest.mark.parametrize("kernel_size", [2, 5, 6, 15])
@pytest.mark.parametrize("n_times", ODD_LENGTHS)
def test_any_length(n_times, kernel_size):
    def module(n_times):
        return EncoderDecoderModule(n_times, width=1 / 16, kernel_size=kernel_size)

    check_any_length(module, n_times)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_weight_learns(batch_norm):
    def module():
        return EncoderDecoderModule(33, width=0.125, batch_norm=batch_norm)

    check_every_weight_learns(module, 33)


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_every_mirror_pair_is_joined(stage):
    # With the way up cut just before a skip comes in, only that skip leads to its encoder layer.
    torch.manual_seed(0)
    module = EncoderDecoderModule(32, width=0.125, batch_norm=False)
    torch.nn.init.zeros_(module.decoder[2 - stage].conv.weight)
    module(torch.randn(4, 32)).square().sum().backward()
    assert module.encoder[stage][0].weight.grad.abs().max() > 0
    assert module.encoder[stage + 1][0].weight.grad.abs().max() == 0


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [2, 5, 15, 16])
def test_pads_as_tensorflow_does(kernel_size, stride):
    length, n_in, n_out = 12, 3, 2
    layer = {"kernel_size": kernel_size, "slope": 1.0, "batch_norm": False}
    down = _Down(n_in, n_out, stride, **layer).double()
    matrix = same_padding_matrix(down[0].weight.detach().numpy(), length, stride)
    x = np.random.default_rng(0).normal(size=(n_in, length))
    expected = (matrix @ x.ravel()).reshape(n_out, -1) + down[0].bias.detach().numpy()[:, None]
    np.testing.assert_allclose(
        down(torch.as_tensor(x)[None])[0].detach(), expected, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [2, 5, 15, 16])
def test_transposed_layers_mirror_tensorflow_s_padding(kernel_size, stride):
    length, n_in, n_out = 6, 3, 2
    layer = {"kernel_size": kernel_size, "slope": 1.0, "batch_norm": False}
    up = _Up(n_in, n_out, stride, **layer).double()
    matrix = same_padding_matrix(up.conv.weight.detach().numpy(), length * stride, stride)
    x = np.random.default_rng(0).normal(size=(n_in, length))
    expected = (matrix.T @ x.ravel()).reshape(n_out, -1) + up.conv.bias.detach().numpy()[:, None]
    np.testing.assert_allclose(
        up(torch.as_tensor(x)[None])[0].detach(), expected, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_down": 8}, "n_down=8, but expected a whole number from 1 to 7"),
        ({"n_down": 0}, "n_down=0, but expected a whole number from 1 to 7"),
        ({"kernel_size": 1}, "kernel_size=1, but expected a whole number of at least 2"),
    ],
)
def test_refuses_what_cannot_be_built(params, message):
    with pytest.raises(ValueError, match=message):
        EncoderDecoderModule(32, **params)
