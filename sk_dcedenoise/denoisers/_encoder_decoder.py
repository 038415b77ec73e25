"""Convolutional encoder-decoder with symmetric skips of Fotiadou et al. (2020)."""

import torch
import torch.nn.functional as F
from torch import nn

from sk_dcedenoise._validation import check_whole_number
from sk_dcedenoise.denoisers._base import BaseDenoiser
from sk_dcedenoise.denoisers._layers import repeat_last_to_multiple, stages, start_small

WIDTHS = (64, 128, 256, 256, 512, 512, 1024, 2048)


class EncoderDecoderModule(nn.Module):
    """Strided convolutions down and transposed ones up, the mirror layers joined by sums.

    Parameters
    ----------
    n_times : int
        Frames of a curve; only the automatic depth looks at it.
    n_down : int or "auto", default="auto"
        Stages with stride 2 on each side, 1 to 7. ``"auto"`` leaves at least 4 samples.
    width : float, default=1.0
        Multiplies the published numbers of channels.
    kernel_size : int, default=15
        Width of each convolution, at least 2.
    slope : float, default=0.01
        Slope of the leaky rectifiers below zero.
    batch_norm : bool, default=True
        Whether each layer but the last is followed by batch normalisation.
    """

    def __init__(
        self, n_times, n_down="auto", width=1.0, kernel_size=15, slope=0.01, batch_norm=True
    ):
        super().__init__()
        check_whole_number(kernel_size, "kernel_size", least=2)
        self.n_down = stages(n_down, n_times, shortest=4, most=7)
        w = [max(int(width * full), 1) for full in WIDTHS[: self.n_down + 1]]
        layer = {"kernel_size": kernel_size, "slope": slope, "batch_norm": batch_norm}
        self.encoder = nn.ModuleList([_Down(1, w[0], 1, **layer)])
        self.encoder += [_Down(w[i], w[i + 1], 2, **layer) for i in range(self.n_down)]
        self.middle = _Up(w[-1], w[-1], 1, **layer)
        self.decoder = nn.ModuleList(
            _Up(w[i + 1], w[i], 2, **layer) for i in reversed(range(self.n_down))
        )
        self.output = nn.ConvTranspose1d(w[0], 1, kernel_size, padding=(kernel_size - 1) // 2)
        start_small(self)

    def forward(self, curves):
        x = repeat_last_to_multiple(curves.unsqueeze(1), 2**self.n_down)  # (n_curves, 1, padded)
        skips = []
        for down in self.encoder:
            x = down(x)  # (n_curves, channels, padded / 2**stage)
            skips.append(x)
        x = self.middle(skips.pop())  # (n_curves, deepest channels, padded / 2**n_down)
        for up in self.decoder:
            x = up(x) + skips.pop()  # (n_curves, channels, twice the length)
        x = self.output(x)  # (n_curves, 1, padded), one more for an even kernel
        return x.squeeze(1)[:, : curves.shape[1]]  # (n_curves, n_times)


class _Down(nn.Sequential):
    """Convolution with "same" padding as in TensorFlow, batch normalisation, leaky rectifier."""

    def __init__(self, channels_in, channels_out, stride, *, kernel_size, slope, batch_norm):
        super().__init__(
            nn.Conv1d(channels_in, channels_out, kernel_size, stride=stride),
            nn.BatchNorm1d(channels_out) if batch_norm else nn.Identity(),
            nn.LeakyReLU(slope),
        )
        missing = kernel_size - stride
        self.padding = (missing // 2, missing - missing // 2)

    def forward(self, x):
        return super().forward(F.pad(x, self.padding))


class _Up(nn.Module):
    """Transposed convolution to exactly `stride` times the length, normalisation, rectifier."""

    def __init__(self, channels_in, channels_out, stride, *, kernel_size, slope, batch_norm):
        super().__init__()
        self.stride = stride
        self.conv = nn.ConvTranspose1d(
            channels_in, channels_out, kernel_size, stride, padding=(kernel_size - stride) // 2
        )
        self.norm = nn.BatchNorm1d(channels_out) if batch_norm else nn.Identity()
        self.slope = slope

    def forward(self, x):
        x = self.conv(x)[..., : x.shape[-1] * self.stride]
        return F.leaky_relu(self.norm(x), self.slope)


class DenoiserEncoderDecoder(BaseDenoiser):
    """Denoise curves with a convolutional encoder-decoder and symmetric skips.

    A convolution (64 channels, 15 frames wide) and `n_down` strided ones (128, 256, 256, 512, 512,
    1024, 2048 channels, as far as needed) lead down; a transposed convolution of stride 1 and
    `n_down` of stride 2 lead back up, each sum of the latter with its mirror layer feeding the
    next. Batch normalisation and a leaky rectifier follow all but the last layer. 4,184,065
    weights for 32 frames, 156,579,841 for 512 (626 MB): there, take a `width` below 1.

    Parameters
    ----------
    n_down : int or "auto", default="auto"
        Stages with stride 2 on each side, 1 to 7. ``"auto"`` leaves at least 4 samples: 3 stages
        for 32 frames, 4 for 64, 7 from 512 on.
    width : float, default=1.0
        Multiplies the published numbers of channels.
    kernel_size : int, default=15
        Width of each convolution, at least 2.
    slope : float, default=0.01
        Slope of the leaky rectifiers below zero.
    batch_norm : bool, default=True
        Whether each layer but the last is followed by batch normalisation.
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
    lr : float, default=1e-3
        Peak of the learning rate, which rises linearly and falls along half a cosine to zero.
    batch_size : int, default=32
        Curves per optimiser step.
    max_epochs : int, default=None
        Passes over the training curves; None takes as many as `max_steps` steps need.
    max_steps : int, default=4500
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
    module_ : EncoderDecoderModule
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
    **Departures from the paper.** The paper's abstract states a fully convolutional
    encoder-decoder, trained end to end, with symmetric skips between corresponding convolutional
    and transposed layers. Channels, kernel, strides, batch normalisation and rectifier follow the
    drawing of this network in a public re-implementation [2]_; its code has no batch normalisation
    (``batch_norm=False``), adds the skips after the rectifier, as here, and is not followed where
    it rectifies twice, forbids negative output and feeds the second layer with the raw curve. The
    drawing halves 512 samples seven times; ``n_down=7`` restores that for any length, with
    156,579,841 weights, and the automatic depth gives it from 512 samples on. All starting weights
    are Glorot's, a tenth of that in the last layer. Lengths that the stages do not divide are
    filled up by repeating the last frame. Curves are scaled, noise is redrawn, the loss is the
    squared error, batch normalisation learns no statistics in the second half of training
    (``settled_norm``) and the learning rate follows a cosine, none of which the abstract reports.

    References
    ----------
    .. [1] E. Fotiadou, T. Konopczynski, J. Hesser, R. Vullings, "End-to-end trained
       encoder-decoder convolutional neural network for fetal electrocardiogram signal denoising",
       Physiol. Meas., 2020. doi:10.1088/1361-6579/ab69b9
    .. [2] https://github.com/Armos05/DCE-MRI-data-noise-reduction

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserEncoderDecoder
    >>> X, y = make_dce_curves(200, random_state=0)
    >>> denoiser = DenoiserEncoderDecoder(width=0.125, kernel_size=5, max_epochs=3, random_state=0)
    >>> denoiser.fit(X, y).transform(X).shape
    (200, 32)
    """

    module = EncoderDecoderModule

    def __init__(
        self,
        *,
        n_down="auto",
        width=1.0,
        kernel_size=15,
        slope=0.01,
        batch_norm=True,
        scale="global",
        redraw_noise=True,
        guard="auto",
        criterion=nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=32,
        max_epochs=None,
        max_steps=4_500,
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
        self.n_down = n_down
        self.width = width
        self.kernel_size = kernel_size
        self.slope = slope
        self.batch_norm = batch_norm
