"""What the tests of the seven networks ask of every module."""

import numpy as np
import torch
from torch import nn

ODD_LENGTHS = (1, 2, 3, 5, 9, 13, 21, 31, 33, 65)


def n_weights(module):
    """Number of trainable weights."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)


def n_weights_on_paper(make_module):
    """Number of trainable weights of a module too large to hold: it is built without memory."""
    with torch.device("meta"):
        return n_weights(make_module())


def check_any_length(make_module, n_times):
    """A module gives curves of the length it gets, in training and in use, and all of it learns."""
    torch.manual_seed(0)
    module, curves = make_module(n_times), torch.randn(6, n_times)
    for training in (True, False):
        module.train(training)
        denoised = module(curves)
        assert denoised.shape == curves.shape
        assert torch.isfinite(denoised).all()
        module.zero_grad()
        # Weighted at random: the plain sum of a normalised layer has no gradient at all.
        (denoised * torch.randn(curves.shape)).sum().backward()
        for name, weight in module.named_parameters():
            assert weight.grad is not None, name
            assert torch.isfinite(weight.grad).all(), name


def check_every_weight_learns(make_module, n_times):
    """Some curve moves every array of weights of a module."""
    torch.manual_seed(0)
    module = make_module().train()
    denoised = module(torch.randn(16, n_times))
    (denoised * torch.randn(denoised.shape)).sum().backward()
    for name, weight in module.named_parameters():
        assert weight.grad.abs().max() > 0, name


def same_padding_matrix(weight, length, stride):
    """Matrix of a convolution with TensorFlow's "same" padding, from (in, length) to (out, ...).

    The rule as TensorFlow documents it: ``ceil(length / stride)`` outputs, and the zeros that these
    need are put half to the left, the odd one to the right.
    """
    n_out, n_in, kernel_size = weight.shape
    n_windows = -(-length // stride)
    padding = max((n_windows - 1) * stride + kernel_size - length, 0)
    matrix = np.zeros((n_out, n_windows, n_in, length))
    for window in range(n_windows):
        for k in range(kernel_size):
            position = window * stride + k - padding // 2
            if 0 <= position < length:
                matrix[:, window, :, position] += weight[:, :, k]
    return matrix.reshape(n_out * n_windows, n_in * length)


def strip_batch_norm(module):
    """Replace every batch normalisation by the identity."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d):
            setattr(module, name, nn.Identity())
        else:
            strip_batch_norm(child)
    return module
