"""The denoising CNN: weights, where it pools, and the length it is tied to."""

import pytest
import torch
from module_checks import ODD_LENGTHS, check_any_length, check_every_weight_learns, n_weights

from sk_dcedenoise.denoisers import DenoiserCNN
from sk_dcedenoise.denoisers._cnn import CNNModule

AS_DRAWN = {"min_length": 1}
THREE_BLOCKS = {"n_blocks": 3, "min_length": 1}


@pytest.mark.parametrize(
    ("n_times", "params", "expected"),
    [
        (32, {}, 133_700),
        (512, {}, 272_420),
        (32, AS_DRAWN, 125_636),
        (512, AS_DRAWN, 143_396),
        (32, THREE_BLOCKS, 51_440),
        (512, THREE_BLOCKS, 198_224),
    ],
)
def test_number_of_weights(n_times, params, expected):
    assert n_weights(CNNModule(n_times, **params)) == expected


@pytest.mark.parametrize(("n_times", "expected"), [(32, 133_700), (512, 272_420)])
def test_estimator_has_as_many_weights(n_times, expected):
    curves = torch.randn(4, n_times).numpy()
    denoiser = DenoiserCNN(max_epochs=1, device="cpu").fit(curves, curves)
    assert n_weights(denoiser.module_) == expected


@pytest.mark.parametrize(
    ("n_times", "n_pools", "length"),
    [(16, 0, 16), (32, 1, 8), (64, 1, 16), (128, 2, 8), (512, 3, 8), (1024, 3, 16)],
)
def test_pools_as_long_as_eight_samples_are_left(n_times, n_pools, length):
    module = CNNModule(n_times)
    assert sum(module.pooled) == n_pools
    assert module.head.in_features == 36 * length


def test_pools_after_every_block_as_drawn():
    # 512 samples become 128, 32, 8, 2, 1 and 1.
    module = CNNModule(512, min_length=1)
    assert module.pooled == [True] * 6
    assert module.head.in_features == 36


@pytest.mark.parametrize("min_length", [1, 8])
@pytest.mark.parametrize("n_times", ODD_LENGTHS)
def test_any_length(n_times, min_length):
    def module(n_times):
        return CNNModule(n_times, n_filters=4, kernel_size=5, min_length=min_length)

    check_any_length(module, n_times)


def test_pooling_averages_what_is_there_and_no_padding():
    # Blocks that pass a constant on: each pool must return it, in the last, partial window too.
    module = CNNModule(33, n_blocks=2, n_filters=1, kernel_size=1, min_length=1).eval()
    for convolution, norm, _ in module.blocks:
        torch.nn.init.ones_(convolution.weight)
        torch.nn.init.zeros_(convolution.bias)
        norm.running_var.fill_(1 - norm.eps)
    pooled = []
    module.head.register_forward_pre_hook(lambda head, inputs: pooled.append(inputs[0]))
    module(torch.full((2, 33), 3.0))
    torch.testing.assert_close(pooled[0], torch.full((2, 3), 3.0))


def test_every_weight_learns():
    check_every_weight_learns(lambda: CNNModule(33), 33)


def test_refuses_another_length_than_fitted():
    curves = torch.randn(20, 12).numpy()
    denoiser = DenoiserCNN(n_filters=4, kernel_size=3, max_epochs=1, device="cpu")
    denoiser.fit(curves, curves)
    with pytest.raises(ValueError, match="X has 9 features, but DenoiserCNN is expecting 12"):
        denoiser.transform(curves[:, :9])


def test_refuses_an_even_kernel():
    with pytest.raises(ValueError, match=r"kernel_size=4, but expected an odd .* take 3 or 5"):
        CNNModule(32, kernel_size=4)
