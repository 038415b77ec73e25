"""Vanilla non-linear filter of Romero et al. (2021), the DeepFilter paper's baseline."""

from itertools import pairwise

import torch
from torch import nn

from sk_dcedenoise.denoisers._base import BaseDenoiser
from sk_dcedenoise.denoisers._layers import half_width


class VanillaNLModule(nn.Module):
    """Seven plain convolutions, curves in and out.

    Parameters
    ----------
    width : float, default=1.0
        Multiplies the published channels 64, 64, 32, 32, 16, 16.
    kernel_size : int, default=9
        Odd width of each convolution.
    """

    def __init__(self, width=1.0, kernel_size=9):
        super().__init__()
        channels = [1, *(max(int(width * full), 1) for full in (64, 64, 32, 32, 16, 16))]
        layers, padding = [], half_width(kernel_size)
        for before, after in pairwise(channels):
            layers += [nn.Conv1d(before, after, kernel_size, padding=padding), nn.ReLU()]
        layers += [nn.Conv1d(channels[-1], 1, kernel_size, padding=padding)]
        self.layers = nn.Sequential(*layers)

    def forward(self, curves):
        x = curves.unsqueeze(1)  # (n_curves, 1, n_times)
        x = self.layers(x)  # (n_curves, 1, n_times)
        return x.squeeze(1)  # (n_curves, n_times)


class DenoiserVanillaNL(BaseDenoiser):
    """Denoise curves with seven plain convolutions.

    Convolutions 9 frames wide with 64, 64, 32, 32, 16, 16 and 1 channels, a rectifier after all but
    the last; no pooling, no normalisation, no skips. Each frame of the result sees 28 frames on
    either side. 72,369 weights for 32 frames or any other number.

    Parameters
    ----------
    width : float, default=1.0
        Multiplies the published channels 64, 64, 32, 32, 16, 16.
    kernel_size : int, default=9
        Odd width of each convolution.
    scale : {"global", "curve", None}, default="global"
        What curves are divided by before the network and multiplied by after it: one factor for
        the training set, each curve's own root mean square (the result then follows any change of
        units exactly, and every curve weighs alike in the loss), or nothing.
    redraw_noise : bool, default=True
        Whether every pass over the training curves gets fresh noise, by the law learned from
        ``X - y`` (level, dependence on amplitude, correlation in time), instead of that of X.
    guard : "auto", float, KineticGuard or None, default="auto"
        How likely a curve is, before it is seen, to be of other tissue than the training curves.
        What the network takes out of a curve, mixed with what a small network of the guard's own
        would, is weighed by the probability, told by another that has seen both, that the curve is
        of the training law; the rest is the data, with the noise outside the space of curves taken
        out. More is safer, less keeps more of the network; None hands out the network's output as
        it is. "auto" is 0.15 where one input is found to explain the clean curves by the extended
        Tofts model, so that other tissue is known, and else 0.65. A :class:`KineticGuard` is told a
        model and bounds. May be set after `fit`, too.
    criterion : type or instance of torch.nn.Module, default=torch.nn.MSELoss
        Loss of two arrays of shape (n_curves, n_times).
    optimizer : type of torch.optim.Optimizer, default=torch.optim.Adam
        Its parameters are reached as ``optimizer__weight_decay`` and so on.
    lr : float, default=3e-3
        Peak of the learning rate, which rises linearly and falls along half a cosine to zero.
    batch_size : int, default=32
        Curves per optimiser step.
    max_epochs : int, default=None
        Passes over the training curves; None takes as many as `max_steps` steps need.
    max_steps : int, default=30000
        Optimiser steps, where `max_epochs` is None.
    max_seconds : float, default=None
        Wall time after which training ends, the learning rate having come down by then, and the
        guard begins to learn; the result then depends on the speed of the machine.
    gradient_clip : float, default=None
        Largest norm of the gradient; None for no limit.
    validation_fraction : float, default=0.1
        Share of the pairs, drawn at random, that picks the best weights; 0 keeps the last.
    patience : int, default=None
        Epochs without a relative improvement of 1e-4 on the validation pairs after which training
        stops; None trains to the end.
    callbacks : list of skorch.callbacks.Callback, default=None
        Added to the default ones, which are named ``learning_rate``, ``settled_norm``,
        ``best_weights``, ``progress``, ``epoch_timer`` and ``print_log``;
        ``callbacks__learning_rate=None`` takes one out.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights that are there.
    device : str, default="auto"
        Device as torch spells it; ``"auto"`` takes the accelerator if there is one.
    mixed_precision : bool, default=False
        Whether layers compute in bfloat16; weights, loss and output stay float32. For devices that
        are quicker at it, as GPUs are; others are slower.
    compile : bool, default=False
        Whether torch compiles the network, which takes up to a minute at the first batch of a kind
        and a C++ compiler; ``compile__backend`` and so on are passed to it.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, split, shuffling and noise; None takes one from the system. No global
        random state is read or changed.
    verbose : int, default=0
        1 shows a progress bar, 2 a line per epoch as well.
    **skorch_params : dict
        Further parameters of :class:`skorch.NeuralNet` with a double underscore, such as
        ``optimizer__weight_decay`` or ``callbacks__early_stopping__patience``.

    Attributes
    ----------
    module_ : VanillaNLModule
        The trained network.
    history_ : skorch.history.History
        Losses and times, one row per epoch.
    n_iter_ : int
        Epochs run.
    scale_ : float
        The one factor.
    noise_law_ : NoiseLaw
        Law of the noise in the training pairs.
    guard_ : Guard or None
        What tells training curves from others; None where there are too few frames to tell, or no
        noise.
    unit_map_ : UnitMap
        Frame-wise map from the units of X to those of y.
    n_features_in_ : int
        Number of frames of a curve.
    feature_names_in_ : ndarray of shape (n_times,)
        Names of the frames, where X was a DataFrame.

    Notes
    -----
    **Departures from the paper.** Layers and their number of weights are those of the
    authors' own code [2]_, where this network is the plain non-linear baseline that the proposed
    one is compared with. The authors train on the sum of squares plus 50 times the largest squared
    difference, on curves of 512 samples; here the default is the squared error, by which the result
    is judged. ``criterion=SSDMADLoss, lr=1e-3, batch_size=128`` restores the published training
    (see :class:`~sk_dcedenoise.denoisers.SSDMADLoss`, which keeps the balance of its two terms for
    any number of frames). Curves are scaled, noise is redrawn and the learning rate follows a
    cosine, none of which that code does.

    References
    ----------
    .. [1] F. P. Romero, D. C. Pinol, C. R. Vazquez-Seisdedos, "DeepFilter: an ECG baseline wander
       removal filter using deep learning techniques", Biomed. Signal Process. Control 70, 102992,
       2021. arXiv:2101.03423
    .. [2] https://github.com/fperdigon/DeepFilter

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserVanillaNL
    >>> X, y = make_dce_curves(200, random_state=0)
    >>> denoiser = DenoiserVanillaNL(width=0.25, max_epochs=3, random_state=0)
    >>> denoiser.fit(X, y).transform(X).shape
    (200, 32)
    """

    module = VanillaNLModule

    def __init__(
        self,
        *,
        width=1.0,
        kernel_size=9,
        scale="global",
        redraw_noise=True,
        guard="auto",
        criterion=nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=3e-3,
        batch_size=32,
        max_epochs=None,
        max_steps=30_000,
        max_seconds=None,
        gradient_clip=None,
        validation_fraction=0.1,
        patience=None,
        callbacks=None,
        warm_start=False,
        device="auto",
        mixed_precision=False,
        compile=False,
        random_state=None,
        verbose=0,
        **skorch_params,
    ):
        super().__init__(
            scale=scale,
            redraw_noise=redraw_noise,
            guard=guard,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            batch_size=batch_size,
            max_epochs=max_epochs,
            max_steps=max_steps,
            max_seconds=max_seconds,
            gradient_clip=gradient_clip,
            validation_fraction=validation_fraction,
            patience=patience,
            callbacks=callbacks,
            warm_start=warm_start,
            device=device,
            mixed_precision=mixed_precision,
            compile=compile,
            random_state=random_state,
            verbose=verbose,
            **skorch_params,
        )
        self.width = width
        self.kernel_size = kernel_size
