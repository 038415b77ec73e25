"""The networks to be timed, and what they are timed against: plain loops, and stock skorch.

All train and use a copy of the very module that the estimator built. The loops are as fast as they
are when written with care: whole tensors on the device, one shuffle per epoch, batches as slices,
one read-back of the losses per epoch, the fused optimizer, inference mode.
"""

import copy

import numpy as np
import torch
from skorch import NeuralNet

from sk_dcedenoise import denoisers


class LinearModule(torch.nn.Module):
    """One matrix: so little work that everything around it shows."""

    def __init__(self, n_times):
        super().__init__()
        self.linear = torch.nn.Linear(n_times, n_times)

    def forward(self, curves):
        return self.linear(curves)


class DenoiserLinear(denoisers.DenoiserVanillaNL):
    """A network of 1,056 weights for 32 frames; `width` and `kernel_size` mean nothing here."""

    module = LinearModule


DENOISERS = {"Linear": DenoiserLinear} | {
    name.removeprefix("Denoiser"): getattr(denoisers, name)
    for name in denoisers.__all__
    if name.startswith("Denoiser")
}


def built(name, X, y, device):
    """Return an estimator after one short epoch, so that its module is there."""
    # The guard is work that the rivals do not do.
    params = {"redraw_noise": False, "validation_fraction": 0, "guard": None, "random_state": 0}
    return DENOISERS[name](device=device, max_epochs=1, **params).fit(X[:256], y[:256])


def bare_fit(estimator, X, y, *, batch_size, n_epochs, clock):
    """Train with a plain loop, with the estimator's optimizer, learning rate and clipping."""
    module = copy.deepcopy(estimator.module_).train()
    device = estimator.device_
    X, y = (torch.as_tensor(curves, dtype=torch.float32, device=device) for curves in (X, y))
    criterion = torch.nn.MSELoss()
    fused = device.type in ("cpu", "cuda")
    optimizer = estimator.optimizer(module.parameters(), lr=estimator.lr, fused=fused)
    with clock:
        for _ in range(n_epochs):
            order = torch.randperm(len(X), device=device)
            X_shuffled, y_shuffled = X.index_select(0, order), y.index_select(0, order)
            losses = []
            for start in range(0, len(X), batch_size):
                batch = slice(start, start + batch_size)
                optimizer.zero_grad()
                loss = criterion(module(X_shuffled[batch]), y_shuffled[batch])
                loss.backward()
                if estimator.gradient_clip is not None:
                    torch.nn.utils.clip_grad_norm_(module.parameters(), estimator.gradient_clip)
                optimizer.step()
                losses.append(loss.detach())
            float(torch.stack(losses).mean())


def bare_transform(estimator, X, *, batch_size, scale=1.0):
    """Denoise float32 curves with a plain loop, into one array; unscaled if `scale` is 1."""
    module, device = estimator.module_.eval(), estimator.device_
    out = np.empty_like(X)
    curves, result = torch.from_numpy(X), torch.from_numpy(out)
    with torch.inference_mode():
        for start in range(0, len(X), batch_size):
            batch = curves[start : start + batch_size].to(device)
            denoised = module(batch) if scale == 1 else module(batch / scale) * scale
            result[start : start + batch_size] = denoised
    return out


def stock_net(estimator, *, batch_size, n_epochs, **params):
    """Return skorch's own net around the module, with its defaults but for the split.

    Its split would train on four fifths of the curves and validate on the rest: other work.
    """
    return NeuralNet(
        copy.deepcopy(estimator.module_),
        criterion=torch.nn.MSELoss,
        optimizer=estimator.optimizer,
        lr=estimator.lr,
        batch_size=batch_size,
        max_epochs=n_epochs,
        iterator_train__shuffle=True,
        train_split=None,
        device=str(estimator.device_),
        verbose=0,
        **params,
    )
