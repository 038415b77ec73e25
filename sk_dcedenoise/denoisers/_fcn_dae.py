"""Fully convolutional denoising autoencoder of Chiang et al. (2019)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from sk_dcedenoise._validation import check_whole_number
from sk_dcedenoise.denoisers._base import BaseDenoiser
from sk_dcedenoise.denoisers._layers import repeat_last_to_multiple, stages, start_small


class FCNDAEModule(nn.Module):
    """Six convolutions down to a narrow code and seven transposed ones back.

    Parameters
    ----------
    n_times : int
        Frames of a curve; only the automatic depth looks at it.
    code_channels : int, default=1
        Channels of the code.
    kernel_size : int, default=16
        Width of each convolution, at least 2.
    n_down : int or "auto", default="auto"
        Stages with stride 2 on each side (the others keep the length), at most 5, which is the
        published network. ``"auto"`` leaves a code of at least 8 samples.
    """

    def __init__(self, n_times, code_channels=1, kernel_size=16, n_down="auto"):
        super().__init__()
        check_whole_number(kernel_size, "kernel_size", least=2)
        self.n_down = stages(n_down, n_times, shortest=8, most=5)
        widths = [1, 40, 20, 20, 20, 40]
        strides = [2] * self.n_down + [1] * (5 - self.n_down)
        encoder = [
            _Down(*pair, kernel_size, s) for pair, s in zip(pairwise(widths), strides, strict=True)
        ]
        widths = [code_channels, 40, 20, 20, 20, 40]
        decoder = [
            _Up(*pair, kernel_size, s)
            for pair, s in zip(pairwise(widths), strides[::-1], strict=True)
        ]
        self.encoder = nn.Sequential(*encoder, _Down(40, code_channels, kernel_size, 1))
        self.decoder = nn.Sequential(_Up(code_channels, code_channels, kernel_size, 1), *decoder)
        self.output = nn.ConvTranspose1d(40, 1, kernel_size, padding=(kernel_size - 1) // 2)
        start_small(self)

    def forward(self, curves):
        x = repeat_last_to_multiple(curves.unsqueeze(1), 2**self.n_down)  # (n_curves, 1, padded)
        x = self.encoder(x)  # (n_curves, code_channels, padded / 2**n_down)
        x = self.decoder(x)  # (n_curves, 40, padded)
        x = self.output(x)  # (n_curves, 1, padded + 1)
        return x.squeeze(1)[:, : curves.shape[1]]  # (n_curves, n_times)


class _Down(nn.Module):
    """Convolution ("same" padding as in TensorFlow), batch normalisation, ELU."""

    def __init__(self, channels_in, channels_out, kernel_size, stride):
        super().__init__()
        missing = kernel_size - stride
        self.padding = (missing // 2, missing - missing // 2)
        self.conv = nn.Conv1d(channels_in, channels_out, kernel_size, stride=stride)
        self.norm = nn.BatchNorm1d(channels_out)

    def forward(self, x):
        return F.elu(self.norm(self.conv(F.pad(x, self.padding))))


class _Up(nn.Module):
    """Transposed convolution to exactly `stride` times the length, batch normalisation, ELU."""

    def __init__(self, channels_in, channels_out, kernel_size, stride):
        super().__init__()
        self.stride = stride
        self.conv = nn.ConvTranspose1d(
            channels_in, channels_out, kernel_size, stride, padding=(kernel_size - stride) // 2
        )
        self.norm = nn.BatchNorm1d(channels_out)

    def forward(self, x):
        return F.elu(self.norm(self.conv(x)[..., : x.shape[-1] * self.stride]))


class DenoiserFCNDAE(BaseDenoiser):
    """Denoise curves with a fully convolutional autoencoder.

    Six convolutions (40, 20, 20, 20, 40 channels and those of the code, 16 frames wide) narrow the
    curve down to a code, seven transposed ones bring it back; batch normalisation and ELU follow
    all but the last. The first `n_down` stages halve the length and the last `n_down` double it.
    80,223 weights for 32 frames or any other number, whatever `n_down` is.

    Parameters
    ----------
    code_channels : int, default=1
        Channels of the code.
    kernel_size : int, default=16
        Width of each convolution, at least 2.
    n_down : int or "auto", default="auto"
        Stages with stride 2 on each side (the others keep the length), at most 5, which is the
        published network. ``"auto"`` leaves a code of at least 8 samples: 2 stages for 32 frames,
        3 for 64, 5 from 256 on.
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
    module_ : FCNDAEModule
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
    **Departures from the paper.** Channels, kernel, order within a block and the squared error are
    those of the authors' own code [2]_. It halves curves of 1024 samples five times, to a code of
    32; ``n_down=5`` restores that, but leaves a single number of 32 frames, hence the automatic
    depth. The last layer is a transposed convolution as the authors draw it (they code a plain
    one), and batch normalisation learns from the batches (in their code it never does). All
    starting weights are Glorot's, a tenth of that in the last layer. Lengths that the stages do not
    divide are filled up by repeating the last frame. The authors scale curves to 0 ... 1 and train
    with ``lr=5e-5, batch_size=32, optimizer__betas=(0.9, 0.99)``; here curves are scaled by
    `scale`, noise is redrawn, batch normalisation learns no statistics in the second half of
    training (``settled_norm``) and the learning rate follows a cosine.

    References
    ----------
    .. [1] H.-T. Chiang, Y.-Y. Hsieh, S.-W. Fu, K.-H. Hung, Y. Tsao, S.-Y. Chien, "Noise Reduction
       in ECG Signals Using Fully Convolutional Denoising Autoencoders", IEEE Access 7,
       60806-60813, 2019. doi:10.1109/ACCESS.2019.2912036
    .. [2] https://github.com/sophie091524/Noise-Reduction-in-ECG-Signals

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserFCNDAE
    >>> X, y = make_dce_curves(200, random_state=0)
    >>> denoiser = DenoiserFCNDAE(kernel_size=5, max_epochs=3, random_state=0)
    >>> denoiser.fit(X, y).transform(X).shape
    (200, 32)
    """

    module = FCNDAEModule

    def __init__(
        self,
        *,
        code_channels=1,
        kernel_size=16,
        n_down="auto",
        scale="global",
        redraw_noise=True,
        guard="auto",
        criterion=nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=3e-3,
        batch_size=32,
        max_epochs=None,
        max_steps=30000,
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
        self.code_channels = code_channels
        self.kernel_size = kernel_size
        self.n_down = n_down
