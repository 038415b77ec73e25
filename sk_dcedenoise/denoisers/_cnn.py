"""Denoising CNN of Arsene, Hankins and Yin (2019)."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from sk_dcedenoise.denoisers._base import BaseDenoiser
from sk_dcedenoise.denoisers._layers import half_width


class CNNModule(nn.Module):
    """Convolution blocks with average pooling and a dense head tied to the number of frames.

    Parameters
    ----------
    n_times : int
        Frames of a curve.
    n_blocks : int, default=6
        Blocks of convolution, batch normalisation and rectifier.
    n_filters : int, default=36
        Channels of each convolution.
    kernel_size : int, default=19
        Odd width of each convolution.
    min_length : int, default=8
        A block is followed by average pooling (window 2, stride 4) as long as this leaves at least
        so many samples; 1 pools after every block, as drawn for 512 samples.
    """

    def __init__(self, n_times, n_blocks=6, n_filters=36, kernel_size=19, min_length=8):
        super().__init__()
        padding = half_width(kernel_size)
        self.blocks, self.pooled = nn.ModuleList(), []
        channels, length = 1, n_times
        for _ in range(n_blocks):
            convolution = nn.Conv1d(channels, n_filters, kernel_size, padding=padding)
            self.blocks.append(nn.Sequential(convolution, nn.BatchNorm1d(n_filters), nn.ReLU()))
            self.pooled.append(math.ceil(length / 4) >= min_length)
            length = math.ceil(length / 4) if self.pooled[-1] else length
            channels = n_filters
        self.head = nn.Linear(channels * length, n_times)

    def forward(self, curves):
        x = curves.unsqueeze(1)  # (n_curves, 1, n_times)
        for block, pooled in zip(self.blocks, self.pooled, strict=True):
            x = block(x)  # (n_curves, n_filters, length)
            if pooled:
                x = F.avg_pool1d(
                    x, 2, 4, ceil_mode=True, count_include_pad=False
                )  # (n_curves, n_filters, ceil(length / 4))
        return self.head(x.flatten(1))  # (n_curves, n_times)


class DenoiserCNN(BaseDenoiser):
    """Denoise curves with six convolutions, pooling and one dense layer.

    Each block is a convolution (36 filters, 19 frames wide), batch normalisation and a rectifier;
    average pooling (window 2, stride 4) follows a block as long as at least `min_length` samples
    are left. One dense layer turns what remains into the curve, which ties the network to the
    number of frames it was fitted on. 133,700 weights for 32 frames, 272,420 for 512.

    Parameters
    ----------
    n_blocks : int, default=6
        Blocks of convolution, batch normalisation and rectifier.
    n_filters : int, default=36
        Channels of each convolution.
    kernel_size : int, default=19
        Odd width of each convolution.
    min_length : int, default=8
        A block is followed by average pooling as long as this leaves at least so many samples; 1
        pools after every block, as drawn for 512 samples.
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
    max_steps : int, default=40000
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
    module_ : CNNModule
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
    **Departures from the paper.** The paper's abstract states six convolutional layers, pooling,
    and one fully connected layer for regression. Filters, kernel, pooling and the order in a block
    follow the drawing of this network in a public re-implementation [2]_; the squared error is
    inferred from the word regression. The drawing pools after every block, which ``min_length=1``
    restores (125,636 weights for 32 frames): taken literally, 32 samples become 8, 2 and then 1.
    The automatic rule pools after the first block of 32 frames and after the first three of 512,
    where the code of [2]_ pools too; that code stops after those three blocks (``n_blocks=3,
    min_length=1``) and rectifies twice in each, which is not followed. Curves are scaled, noise is
    redrawn, batch normalisation learns no statistics in the second half of training
    (``settled_norm``) and the learning rate follows a cosine, none of which the paper reports.

    References
    ----------
    .. [1] C. T. C. Arsene, R. Hankins, H. Yin, "Deep Learning Models for Denoising ECG Signals",
       27th European Signal Processing Conference (EUSIPCO), 2019.
       doi:10.23919/EUSIPCO.2019.8902833
    .. [2] https://github.com/Armos05/DCE-MRI-data-noise-reduction

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserCNN
    >>> X, y = make_dce_curves(200, random_state=0)
    >>> denoiser = DenoiserCNN(n_filters=8, kernel_size=5, max_epochs=3, random_state=0)
    >>> denoiser.fit(X, y).transform(X).shape
    (200, 32)
    """

    module = CNNModule

    def __init__(
        self,
        *,
        n_blocks=6,
        n_filters=36,
        kernel_size=19,
        min_length=8,
        scale="global",
        redraw_noise=True,
        guard="auto",
        criterion=nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=3e-3,
        batch_size=32,
        max_epochs=None,
        max_steps=40000,
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
        self.n_blocks = n_blocks
        self.n_filters = n_filters
        self.kernel_size = kernel_size
        self.min_length = min_length
