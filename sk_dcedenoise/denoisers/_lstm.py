"""Denoising LSTM of Arsene, Hankins and Yin (2019)."""

import torch
from torch import nn

from sk_dcedenoise.denoisers._base import BaseDenoiser
from sk_dcedenoise.denoisers._layers import Dropout


class LSTMModule(nn.Module):
    """Two LSTM layers, each followed by a per-frame rectified layer, curves in and out.

    Parameters
    ----------
    hidden_size : int, default=140
        Units of each LSTM (per direction) and of each dense layer.
    dropout : float, default=0.0
        Share of the dense layers' outputs set to zero in training.
    bidirectional : bool, default=True
        Whether each LSTM has a second one that reads the curve backwards.
    """

    def __init__(self, hidden_size=140, dropout=0.0, bidirectional=True):
        super().__init__()
        width = hidden_size * (2 if bidirectional else 1)
        lstm = {"batch_first": True, "bidirectional": bidirectional}
        self.lstm1 = nn.LSTM(1, hidden_size, **lstm)
        self.dense1 = nn.Linear(width, hidden_size)
        self.lstm2 = nn.LSTM(hidden_size, hidden_size, **lstm)
        self.dense2 = nn.Linear(width, hidden_size)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(hidden_size, 1)

    def forward(self, curves):
        x = curves.unsqueeze(2)  # (n_curves, n_times, 1)
        x, _ = self.lstm1(x)  # (n_curves, n_times, hidden_size * directions)
        x = self.dropout(torch.relu(self.dense1(x)))  # (n_curves, n_times, hidden_size)
        x, _ = self.lstm2(x)  # (n_curves, n_times, hidden_size * directions)
        x = self.dropout(torch.relu(self.dense2(x)))  # (n_curves, n_times, hidden_size)
        return self.output(x).squeeze(2)  # (n_curves, n_times)


class DenoiserLSTM(BaseDenoiser):
    """Denoise curves with two LSTM layers.

    Each of the two recurrent layers (140 units per direction) is followed by a rectified dense
    layer that acts on every frame alike; a last dense layer returns one value per frame. With
    ``bidirectional=False`` and 32 frames or any other number, 277,621 weights.

    Parameters
    ----------
    hidden_size : int, default=140
        Units of each LSTM (per direction) and of each dense layer.
    dropout : float, default=0.0
        Share of the dense layers' outputs set to zero in training.
    bidirectional : bool, default=True
        Whether each LSTM has a second one that reads the curve backwards; False is the published
        network.
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
    max_steps : int, default=10000
        Optimiser steps, where `max_epochs` is None.
    max_seconds : float, default=None
        Wall time after which training ends, the learning rate having come down by then, and the
        guard begins to learn; the result then depends on the speed of the machine.
    gradient_clip : float, default=1.0
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
    module_ : LSTMModule
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
    **Departures from the paper.** The paper's abstract states two LSTM layers. The widths, the
    dense layers and the squared error follow the description of this network in a public
    re-implementation [2]_. The recurrent layers read both ways by default: a one-way layer sees
    only the frames before the one it denoises, and on the reference law no such estimator comes
    below 1.63 times the error of the best possible one, which is more than what a principal
    component analysis leaves (1.25). Curves are
    scaled, noise is redrawn, gradients are clipped and the learning rate follows a cosine, none of
    which the paper reports.

    References
    ----------
    .. [1] C. T. C. Arsene, R. Hankins, H. Yin, "Deep Learning Models for Denoising ECG Signals",
       27th European Signal Processing Conference (EUSIPCO), 2019.
       doi:10.23919/EUSIPCO.2019.8902833
    .. [2] https://github.com/Armos05/DCE-MRI-data-noise-reduction

    Examples
    --------
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserLSTM
    >>> X, y = make_dce_curves(200, random_state=0)
    >>> denoiser = DenoiserLSTM(hidden_size=16, max_epochs=3, random_state=0).fit(X, y)
    >>> denoiser.transform(X).shape
    (200, 32)
    """

    module = LSTMModule

    def __init__(
        self,
        *,
        hidden_size=140,
        dropout=0.0,
        bidirectional=True,
        scale="global",
        redraw_noise=True,
        guard="auto",
        criterion=nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=3e-3,
        batch_size=32,
        max_epochs=None,
        max_steps=10000,
        max_seconds=None,
        gradient_clip=1.0,
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
        self.hidden_size = hidden_size
        self.dropout = dropout
        self.bidirectional = bidirectional
