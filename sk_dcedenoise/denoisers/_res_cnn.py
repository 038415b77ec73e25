"""One-dimensional residual CNN of Sun et al. (2020)."""

import torch
from torch import nn

from sk_dcedenoise._validation import check_option
from sk_dcedenoise.denoisers._base import BaseDenoiser


class ResCNNModule(nn.Module):
    """Three parallel branches of residual blocks, fused, and a dense head tied to the frames.

    Parameters
    ----------
    n_times : int
        Frames of a curve.
    channels : int, default=32
        Channels of the stem, of each block's ends and of the fused features.
    middle_channels : int, default=16
        Channels in the middle of each block.
    n_blocks : int, default=2
        Residual blocks in series in each branch.
    head : {"dense", "conv"}, default="dense"
        Dense layer over all features and frames, or one convolution of width 1.
    """

    def __init__(self, n_times, channels=32, middle_channels=16, n_blocks=2, head="dense"):
        super().__init__()
        check_option(head, "head", ("dense", "conv"))
        self.stem = _convolution(1, channels, 5)
        self.branches = nn.ModuleList(
            nn.Sequential(*(_Residual(channels, middle_channels, k) for _ in range(n_blocks)))
            for k in (3, 5, 7)
        )
        self.fuse = _convolution(3 * channels, channels, 1)
        if head == "dense":
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(channels * n_times, n_times))
        else:
            self.head = nn.Sequential(nn.Conv1d(channels, 1, 1), nn.Flatten())

    def forward(self, curves):
        x = self.stem(curves.unsqueeze(1))  # (n_curves, channels, n_times)
        x = torch.cat([branch(x) for branch in self.branches], dim=1)  # (n_curves, 3 channels, ...)
        x = self.fuse(x)  # (n_curves, channels, n_times)
        return self.head(x)  # (n_curves, n_times)


def _convolution(channels_in, channels_out, kernel_size):
    return nn.Sequential(
        nn.Conv1d(channels_in, channels_out, kernel_size, padding=kernel_size // 2),
        nn.BatchNorm1d(channels_out),
        nn.ReLU(),
    )


class _Residual(nn.Module):
    """Three convolutions, wide, narrow, wide, around an identity; nothing after the sum."""

    def __init__(self, channels, middle_channels, kernel_size):
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(channels, channels, kernel_size),
            _convolution(channels, middle_channels, kernel_size),
            _convolution(middle_channels, channels, kernel_size),
        )

    def forward(self, x):
        return x + self.layers(x)


class DenoiserResCNN(BaseDenoiser):
    """Denoise curves with parallel branches of residual convolutions.

    A stem (32 channels, 5 frames wide) feeds three branches, 3, 5 and 7 frames wide, of two
    residual blocks each: three convolutions of 32, 16 and 32 channels, with batch normalisation
    and rectifier, around an identity. A convolution of width 1 fuses the branches to 32 channels,
    and a dense layer over all channels and frames returns the curve, which ties the network to the
    number of frames it was fitted on. 99,104 weights for 32 frames, 8,455,424 for 512.

    Parameters
    ----------
    channels : int, default=32
        Channels of the stem, of each block's ends and of the fused features.
    middle_channels : int, default=16
        Channels in the middle of each block.
    n_blocks : int, default=2
        Residual blocks in series in each branch.
    head : {"dense", "conv"}, default="dense"
        Dense layer over all features and frames, or one convolution of width 1 (66,337 weights
        for any number of frames), which is not in the paper.
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
    max_steps : int, default=20000
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
    module_ : ResCNNModule
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
    **Departures from the paper.** The paper's abstract states a one-dimensional residual network
    from waveform to waveform. Its layers follow the network that a public benchmark describes as
    adapted from it [2]_; whether the middle of a block has 16 channels or 32, how the branches are
    fused and what the last layer is differ between public accounts. That benchmark divides noisy
    and clean signals by the standard deviation of the noisy one, to which ``scale="curve"`` comes
    near, and trains with ``lr=5e-5, batch_size=40, optimizer__betas=(0.5, 0.9)`` on the squared
    error. Here noise is redrawn, batch normalisation learns no statistics in the second half of
    training (``settled_norm``) and the learning rate follows a cosine as well.

    References
    ----------
    .. [1] W. Sun, Y. Su, X. Wu, X. Wu, "A novel end-to-end 1D-ResCNN model to remove artifact from
       EEG signals", Neurocomputing 404, 108-121, 2020. doi:10.1016/j.neucom.2020.04.029
    .. [2] https://github.com/ncclabsustech/EEGdenoiseNet

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserResCNN
    >>> X, y = make_dce_curves(200, random_state=0)
    >>> denoiser = DenoiserResCNN(channels=8, middle_channels=4, max_epochs=3, random_state=0)
    >>> denoiser.fit(X, y).transform(X).shape
    (200, 32)
    """

    module = ResCNNModule

    def __init__(
        self,
        *,
        channels=32,
        middle_channels=16,
        n_blocks=2,
        head="dense",
        scale="global",
        redraw_noise=True,
        guard="auto",
        criterion=nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=3e-3,
        batch_size=32,
        max_epochs=None,
        max_steps=20000,
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
        self.channels = channels
        self.middle_channels = middle_channels
        self.n_blocks = n_blocks
        self.head = head
