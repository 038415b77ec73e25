"""How a denoiser trains: whole tensors on the device, batches as slices, one read-back an epoch."""

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer
from skorch.dataset import Dataset
from skorch.utils import to_numpy

from sk_dcedenoise._validation import check_fraction, check_positive, check_whole_number
from sk_dcedenoise.denoisers._batches import (
    CurvePairs,
    OrderedBatches,
    TrainingBatches,
    curves_at_a_time,
    widest_layer,
)
from sk_dcedenoise.denoisers._layers import Dropout
from sk_dcedenoise.denoisers._skorch import PlainNet
from sk_dcedenoise.denoisers._training import (
    BestWeights,
    Budget,
    EpochTable,
    LearningRateSchedule,
    SettledNorm,
    TrainingProgress,
)


class CurveNet(PlainNet):
    """Training of all denoisers; see :class:`BaseDenoiser` for their face to the user."""

    @property
    def _default_callbacks(self):
        return [
            ("epoch_timer", EpochTimer()),
            ("learning_rate", LearningRateSchedule()),
            ("settled_norm", SettledNorm()),
            ("best_weights", BestWeights(patience=self.patience)),
            ("progress", TrainingProgress()),
            ("print_log", EpochTable()),
        ]

    def _check_training_params(self):
        check_fraction(self.validation_fraction, "validation_fraction")
        check_whole_number(self.batch_size, "batch_size")
        for name in ("max_epochs", "patience"):
            if getattr(self, name) is not None:
                check_whole_number(getattr(self, name), name)
        check_whole_number(self.max_steps, "max_steps")
        for name in ("max_seconds", "gradient_clip"):
            if getattr(self, name) is not None:
                check_positive(getattr(self, name), name)
        if self.patience is not None and self.validation_fraction == 0:
            raise ValueError(
                f"patience={self.patience} with validation_fraction=0, but expected pairs to "
                "judge the weights by: set a validation_fraction above 0 or patience=None."
            )

    def _check_monitors(self, valid):
        for name, callback in self.callbacks_ if valid is None else ():
            if str(getattr(callback, "monitor", None)).startswith("valid_"):
                raise ValueError(
                    f"The callback {name!r} monitors {callback.monitor!r}, but there are no "
                    f"validation pairs with validation_fraction={self.validation_fraction}: raise "
                    "it, give more curves, or monitor 'train_loss'."
                )

    def get_split_datasets(self, X, y=None, **fit_params):
        """Split pairs at random into tensors for training and validation, on the device."""
        order = self.rng_.permutation(len(X))
        n_valid = int(self.validation_fraction * len(X))
        parts = order[n_valid:], order[:n_valid]
        train, valid = (CurvePairs(*map(self._tensor, (X[i], y[i]))) for i in parts)
        return train, valid if n_valid else None

    def _tensor(self, curves):
        return torch.as_tensor(curves, dtype=torch.float32, device=self.device_)

    def get_iterator(self, dataset, training=False):
        """Batches as slices of whole tensors; skorch's loader collates curve by curve."""
        if not training:
            return OrderedBatches(dataset, self._at_a_time())
        return TrainingBatches(dataset, self.batch_size, self._generator(), self._noise_law())

    def initialize(self):
        super().initialize()
        if hasattr(self, "n_features_in_"):
            self._measure_module()
        return self

    def _measure_module(self):
        # Once, and not at each use: a pass through the module takes as long as a thousand curves.
        self.values_per_curve_ = widest_layer(self.module_, self.n_features_in_, self.device_)

    def _at_a_time(self):
        return curves_at_a_time(self.values_per_curve_, self.device_)

    def _generator(self):
        return torch.Generator(self.device_).manual_seed(int(self.rng_.randint(2**31)))

    def _noise_law(self):
        return None

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Train on arrays that are in the network's units already."""
        self.check_training_readiness()
        if not hasattr(self, "values_per_curve_"):
            self._measure_module()  # initialised before the length of curves was known
        train, valid = self.get_split_datasets(X, y)
        self._check_monitors(valid)
        batches = self.get_iterator(train, training=True)
        valid_batches = self.get_iterator(valid) if valid is not None else None
        epochs = epochs if epochs is not None else self.max_epochs
        n_steps = self.max_steps if epochs is None else epochs * len(batches)
        self.budget_ = Budget(n_steps, self.max_seconds)
        self.notify("on_train_begin", X=X, y=y)
        datasets = {"dataset_train": train, "dataset_valid": valid}
        dropouts = [m for m in self.module_.modules() if isinstance(m, Dropout)]
        for dropout in dropouts:
            dropout.generator = self._generator()
        try:
            while self.budget_.progress < 1 and not self._stopped(batches, valid_batches, datasets):
                pass
        finally:
            # Also after an interrupt by the user: the best weights so far are put in place.
            self.notify("on_train_end", X=X, y=y)
            for dropout in dropouts:
                dropout.generator = None  # one on an accelerator does not pickle for elsewhere
        return self

    def _stopped(self, batches, valid_batches, datasets):
        """Run one epoch and tell whether a callback asked to stop after it."""
        self.notify("on_epoch_begin", **datasets)
        self.run_single_epoch(batches, True, "train", self.train_step)
        self.run_single_epoch(valid_batches, False, "valid", self.validation_step)
        try:
            # skorch's callbacks stop training by KeyboardInterrupt. One that comes from elsewhere
            # is the user's and goes on up.
            self.notify("on_epoch_end", **datasets)
        except KeyboardInterrupt:
            return True
        finally:
            self.history[-1].pop("batches", None)
        return False

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run over all batches; losses stay on the device and are read once, at the end."""
        if iterator is None:
            return
        self._set_training(training)
        begin, end = self._listeners("on_batch_begin"), self._listeners("on_batch_end")
        if training:
            fit_params["watching"] = self._listeners("on_grad_computed")
        losses, sizes, rows = [], [], self.history[-1]["batches"]
        for batch in iterator:
            sizes.append(len(batch[0]))
            rows.append({f"{prefix}_batch_size": sizes[-1]})
            for notify in begin:
                notify(self, batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            losses.append(step["loss"].detach())
            self.budget_.steps_done += training
            for notify in end:
                notify(self, batch=batch, training=training, **step)
            if training and self.budget_.progress >= 1:
                break
        loss = float(np.average(torch.stack(losses).cpu().numpy(), weights=sizes))
        if training and not np.isfinite(loss):
            raise ValueError(
                f"The training loss became {loss} in epoch {len(self.history)}, but expected a "
                f"finite one: lower lr (now {self.lr:g}) or set gradient_clip."
            )
        self.history.record(f"{prefix}_loss", loss)
        self.history.record(f"{prefix}_batch_count", len(sizes))

    def _listeners(self, event):
        """Methods to call at an event of each batch; those that skorch left empty cost time only.

        The net's own row for the batch in the history is written by `run_single_epoch`.
        """
        idle = getattr(NeuralNet, event), getattr(Callback, event)
        methods = [getattr(part, event) for part in (self, *(c for _, c in self.callbacks_))]
        return [method for method in methods if getattr(method, "__func__", None) not in idle]

    def train_step(self, batch, watching=None, **fit_params):
        """One optimiser step, in training mode since the epoch began.

        Who watches the gradients need not be looked up again in every step: `watching` tells.
        """
        if watching is None:
            watching = self._listeners("on_grad_computed")
        X, y = batch
        parameters = [p for group in self.optimizer_.param_groups for p in group["params"]]
        for parameter in parameters:
            parameter.grad = None
        y_pred = self.infer(X)
        loss = self.get_loss(y_pred, y, X=X, training=True)
        loss.backward()
        if self.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self.gradient_clip)
        for notify in watching:
            named = list(self.get_all_learnable_params())
            notify(self, named_parameters=named, batch=batch, training=True)
        self.optimizer_.step()
        return {"loss": loss, "y_pred": y_pred}

    def validation_step(self, batch, **fit_params):
        """Loss of one batch, without gradients."""
        X, y = batch
        with torch.no_grad():
            y_pred = self.infer(X)
            return {"loss": self.get_loss(y_pred, y, X=X), "y_pred": y_pred}

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """The criterion, on curves in the network's units."""
        return self.criterion_(y_pred, y_true)

    def infer(self, x, **fit_params):
        """Run the module on a tensor on the device."""
        if not self.mixed_precision:
            return self.module_(x)
        try:
            with torch.autocast(x.device.type, dtype=torch.bfloat16):
                return self.module_(x).float()
        except RuntimeError as error:
            if "primitive" not in str(error):
                raise
            # Older CPUs know no recurrent layers in bfloat16.
            raise ValueError(
                f"mixed_precision=True, but this {x.device.type} cannot compute the layers of "
                f"{type(self).__name__} in bfloat16: use mixed_precision=False."
            ) from None

    # ---- prediction inside callbacks ---------------------------------------------------------

    def forward_iter(self, X, training=False, device="cpu"):
        """Yield denoised batches of a dataset or of curves in the network's units."""
        pairs = X if isinstance(X, Dataset) else CurvePairs(*[self._tensor(X)] * 2)
        self._set_training(training)
        with torch.inference_mode():
            for batch, _ in self.get_iterator(pairs):
                yield self.infer(batch).to(device)

    def _predict_dataset(self, dataset):
        """What skorch's scoring callbacks ask of `predict`."""
        # The device is said since skorch's cache would else put in the parameter, "auto" included.
        return to_numpy(torch.cat(list(self.forward_iter(dataset, device="cpu"))))
