"""The residual CNN: weights, lengths, and what its blocks do."""

import pytest
import torch
from module_checks import ODD_LENGTHS, check_any_length, check_every_weight_learns, n_weights

from sk_dcedenoise.denoisers import DenoiserResCNN
from sk_dcedenoise.denoisers._res_cnn import ResCNNModule, _Residual


@pytest.mark.parametrize(
    ("n_times", "head", "expected"),
    [
        (32, "dense", 99_104),
        (512, "dense", 8_455_424),
        (32, "conv", 66_337),
        (512, "conv", 66_337),
    ],
)
def test_number_of_weights(n_times, head, expected):
    assert n_weights(ResCNNModule(n_times, head=head)) == expected


def test_estimator_has_as_many_weights():
    curves = torch.randn(4, 32).numpy()
    denoiser = DenoiserResCNN(max_epochs=1, device="cpu").fit(curves, curves)
    assert n_weights(denoiser.module_) == 99_104


@pytest.mark.parametrize("head", ["dense", "conv"])
@pytest.mark.parametrize("n_times", ODD_LENGTHS)
def test_any_length(n_times, head):
    def module(n_times):
        return ResCNNModule(n_times, channels=4, middle_channels=2, n_blocks=1, head=head)

    check_any_length(module, n_times)


@pytest.mark.parametrize("head", ["dense", "conv"])
def test_every_weight_learns(head):
    check_every_weight_learns(lambda: ResCNNModule(33, head=head), 33)


def test_nothing_acts_on_the_sum_of_a_block():
    # With its last normalisation at zero a block is the identity, for negative values as well.
    block = _Residual(4, 2, 5).eval()
    torch.nn.init.zeros_(block.layers[-1][1].weight)
    x = torch.randn(3, 4, 17)
    assert torch.equal(block(x), x)


def test_branches_have_three_widths_and_their_blocks():
    module = ResCNNModule(32, n_blocks=3)
    widths = [[block.layers[0][0].kernel_size[0] for block in branch] for branch in module.branches]
    assert widths == [[3] * 3, [5] * 3, [7] * 3]


def test_refuses_another_length_than_fitted():
    curves = torch.randn(20, 12).numpy()
    denoiser = DenoiserResCNN(channels=4, middle_channels=2, max_epochs=1, device="cpu")
    denoiser.fit(curves, curves)
    with pytest.raises(ValueError, match="X has 13 features, but DenoiserResCNN is expecting 12"):
        denoiser.transform(torch.randn(20, 13).numpy())


def test_refuses_an_unknown_head():
    with pytest.raises(ValueError, match="head='flat', but expected one of 'dense', 'conv'"):
        ResCNNModule(32, head="flat")
