"""The plain non-linear filter: weights, lengths, and how far it sees."""

import pytest
import torch
from module_checks import ODD_LENGTHS, check_any_length, check_every_weight_learns, n_weights

from sk_dcedenoise.denoisers import DenoiserVanillaNL, SSDMADLoss
from sk_dcedenoise.denoisers._vanilla_nl import VanillaNLModule


def test_number_of_weights():
    per_layer = [640, 36_928, 18_464, 9_248, 4_624, 2_320, 145]
    module = VanillaNLModule()
    convolutions = [layer for layer in module.layers if isinstance(layer, torch.nn.Conv1d)]
    assert [n_weights(layer) for layer in convolutions] == per_layer
    assert n_weights(module) == 72_369


@pytest.mark.parametrize("n_times", [32, 512])
def test_estimator_has_as_many_weights_for_any_length(n_times):
    curves = torch.randn(4, n_times).numpy()
    denoiser = DenoiserVanillaNL(max_epochs=1, device="cpu").fit(curves, curves)
    assert n_weights(denoiser.module_) == 72_369


@pytest.mark.parametrize("n_times", ODD_LENGTHS)
def test_any_length(n_times):
    check_any_length(lambda _: VanillaNLModule(width=0.125), n_times)


def test_every_weight_learns():
    check_every_weight_learns(lambda: VanillaNLModule(), 33)


def test_a_frame_sees_28_frames_on_either_side():
    torch.manual_seed(0)
    module = VanillaNLModule().double()
    curve = torch.randn(1, 101, dtype=torch.float64, requires_grad=True)
    module(curve)[0, 50].backward()
    seen = curve.grad[0].nonzero().ravel()
    assert (seen.min(), seen.max()) == (50 - 28, 50 + 28)


def test_published_training_is_an_argument_away():
    X, y = torch.randn(40, 32).numpy(), torch.randn(40, 32).numpy()
    denoiser = DenoiserVanillaNL(
        width=0.125, criterion=SSDMADLoss, criterion__max_weight=10.0, max_epochs=1, device="cpu"
    ).fit(X, y)
    assert denoiser.criterion_.max_weight == 10.0


def test_refuses_an_even_kernel():
    with pytest.raises(ValueError, match=r"kernel_size=8, but expected an odd .* take 7 or 9"):
        VanillaNLModule(kernel_size=8)
