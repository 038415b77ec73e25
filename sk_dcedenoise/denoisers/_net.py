"""A skorch net for curves: plain parameter names, an honest `clone`, whole-batch training.

This is the only file that knows skorch's corners. Each departure from skorch says why.
"""

import copy
import inspect
import threading
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
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
)
from sk_dcedenoise.denoisers._layers import Dropout
from sk_dcedenoise.denoisers._training import (
    BestWeights,
    Budget,
    EpochTable,
    LearningRateSchedule,
    SettledNorm,
    TrainingProgress,
)

# torch.manual_seed is global to the process: two threads that initialise modules at the same time
# would draw from each other's stream.
_SEEDING = threading.Lock()


class CurveNet(NeuralNet):
    """What all denoisers share as skorch nets; see :class:`BaseDenoiser` for their other face."""

    module = None

    # skorch finds these by watching attributes being set in `__init__`, which also makes
    # constructor arguments out of them. Here they are known beforehand.
    # Those of skorch's own loaders are left out: the batches here know no such parameters.
    prefixes_ = ["callbacks", "module", "criterion", "optimizer"]  # noqa: RUF012
    cuda_dependent_attributes_ = ["module_", "criterion_", "optimizer_"]  # noqa: RUF012
    _modules = ["module"]  # noqa: RUF012
    _criteria = ["criterion"]  # noqa: RUF012
    _optimizers = ["optimizer"]  # noqa: RUF012

    # Fitted state has defaults on the class, so that `__init__` sets nothing but parameters.
    history_ = None
    initialized_ = False
    virtual_params_ = {}  # noqa: RUF012

    def __init__(
        self,
        *,
        criterion,
        optimizer,
        lr,
        max_epochs,
        max_steps,
        max_seconds,
        batch_size,
        gradient_clip,
        validation_fraction,
        patience,
        callbacks,
        warm_start,
        device,
        random_state,
        verbose,
        **skorch_params,
    ):
        for name in skorch_params:
            self._check_double_underscore_name(name)
        super().__init__(
            module=type(self).module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            callbacks=callbacks,
            warm_start=warm_start,
            device=device,
            verbose=verbose,
            **skorch_params,
        )
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self.gradient_clip = gradient_clip
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        for fitted in ("history_", "initialized_", "virtual_params_"):
            vars(self).pop(fitted)

    # ---- parameters --------------------------------------------------------------------------

    def _check_double_underscore_name(self, name):
        part, separator, rest = name.partition("__")
        if not (separator and rest and part in self.prefixes_):
            raise TypeError(
                f"{type(self).__name__} got an unexpected parameter {name!r}, but expected one of "
                f"{', '.join(self._constructor_names())}, or a name like optimizer__weight_decay: "
                "check its spelling."
            )

    @classmethod
    def _constructor_names(cls):
        parameters = inspect.signature(cls.__init__).parameters.values()
        return [p.name for p in parameters if p.kind == p.KEYWORD_ONLY]

    def _get_param_names(self):
        # skorch lists every attribute, fitted and private ones included.
        given = [name for name in vars(self) if "__" in name and not name.startswith("_")]
        return sorted([*self._constructor_names(), *given])

    def get_params(self, deep=True, **kwargs):
        params = BaseEstimator.get_params(self, deep=deep)
        return (self._callback_params() if deep else {}) | params

    def _callback_params(self):
        params = {}
        for name, callback in self._uniquely_named_callbacks() if self.callbacks else ():
            if any(name == default for default, _ in self.get_default_callbacks()):
                continue
            params[f"callbacks__{name}"] = callback
            for key, value in getattr(callback, "get_params", dict)().items():
                params[f"callbacks__{name}__{key}"] = value
        return params

    def set_params(self, **params):
        """Set parameters; what is fitted stays as it is until the next `fit`.

        Parameters
        ----------
        **params : dict
            Names as in the constructor, double-underscore names included.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If a name is not a parameter.
        """
        names = self._constructor_names()
        for name, value in params.items():
            if name not in names:
                try:
                    self._check_double_underscore_name(name)
                except TypeError as error:
                    raise ValueError(f"Invalid parameter {name!r}: {error}") from None
            if self._is_virtual_param(name):
                self._apply_virtual_params({name: value})
            setattr(self, name, value)
        return self

    def get_params_for(self, prefix):
        params = super().get_params_for(prefix)
        if prefix != "module":
            return params
        # A module is built from the estimator's plain names and the length of the curves.
        wanted = inspect.signature(self.module).parameters
        plain = {name: getattr(self, name) for name in wanted if name in vars(self)}
        if "n_times" in wanted:
            check_is_fitted(self, "n_features_in_")
            plain["n_times"] = self.n_features_in_
        return plain | params

    def get_params_for_optimizer(self, prefix, named_parameters):
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        can_fuse = "fused" in inspect.signature(self.optimizer).parameters
        if can_fuse and self.device_.type in ("cpu", "cuda") and "foreach" not in kwargs:
            kwargs.setdefault("fused", True)
        return args, kwargs

    # ---- callbacks ---------------------------------------------------------------------------

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

    def _yield_callbacks(self):
        # Training writes into callbacks. Shallow copies keep the user's objects as they were and
        # still share what cannot be copied, such as the trial of a study.
        for name, callback, named_by_user in super()._yield_callbacks():
            own = callback if isinstance(callback, type) else copy.copy(callback)
            yield name, own, named_by_user

    # ---- device and random numbers -----------------------------------------------------------

    @property
    def device_(self):
        """The torch device in use."""
        if self.initialized_ and getattr(self, "module_", None) is not None:
            return next(self.module_.parameters()).device
        return resolve_device(self.device)

    @contextmanager
    def _plain_device(self):
        """Let skorch see "cpu" or "cuda" where the parameter says "auto"."""
        given, self.device = self.device, str(resolve_device(self.device))
        try:
            yield
        finally:
            self.device = given

    def initialize(self):
        """Build module, criterion, optimizer and callbacks from `random_state`.

        Returns
        -------
        self : estimator
        """
        # None draws from the system, not from numpy's global stream, which is the caller's.
        none = self.random_state is None
        self.rng_ = np.random.RandomState() if none else check_random_state(self.random_state)
        if isinstance(self.random_state, np.random.RandomState):
            self.rng_ = np.random.RandomState(self.random_state.randint(2**31))
        self.initialized_ = False
        device = resolve_device(self.device)
        accelerators = [device] if device.type == "cuda" else []
        with _SEEDING, torch.random.fork_rng(devices=accelerators), self._plain_device():
            torch.manual_seed(self.rng_.randint(2**31))
            vars(self).pop("module_", None)
            return super().initialize()

    def save_params(self, *args, **kwargs):
        """Save weights, optimizer or history as :meth:`skorch.NeuralNet.save_params` does."""
        with self._plain_device():
            return super().save_params(*args, **kwargs)

    def load_params(self, *args, **kwargs):
        """Load what :meth:`save_params` saved, onto the device at hand."""
        with self._plain_device():
            return super().load_params(*args, **kwargs)

    def __setstate__(self, state):
        given = state["device"]
        super().__setstate__({**state, "device": "cpu" if given == "auto" else given})
        if given == "auto":
            self.device = "auto"

    # ---- training ----------------------------------------------------------------------------

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
            return OrderedBatches(dataset, self._at_a_time(dataset.X))
        return TrainingBatches(dataset, self.batch_size, self._generator(), self._noise_law())

    def _at_a_time(self, curves):
        return curves_at_a_time(self.module_, *curves.shape, self.device_)

    def _generator(self):
        return torch.Generator(self.device_).manual_seed(int(self.rng_.randint(2**31)))

    def _noise_law(self):
        return None

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Train on arrays that are in the network's units already."""
        self.check_training_readiness()
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

    def train_step(self, batch, **fit_params):
        """One optimiser step, in training mode since the epoch began."""
        X, y = batch
        parameters = [p for group in self.optimizer_.param_groups for p in group["params"]]
        for parameter in parameters:
            parameter.grad = None
        y_pred = self.infer(X)
        loss = self.get_loss(y_pred, y, X=X, training=True)
        loss.backward()
        if self.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self.gradient_clip)
        for notify in self._listeners("on_grad_computed"):
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
        return self.module_(x)

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

    @property
    def predict_proba(self):
        raise AttributeError(f"{type(self).__name__} denoises and has no predict_proba.")

    def __repr__(self, **kwargs):
        return BaseEstimator.__repr__(self, **kwargs)


def resolve_device(device):
    """Return the torch device meant, "auto" being the accelerator if there is one.

    Raises
    ------
    ValueError
        If the device is not there.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(
            f"device={device!r}, but expected 'cpu', 'cuda', 'cuda:1', 'mps' or 'auto'."
        ) from None
    there = {
        "cpu": lambda: True,
        "cuda": lambda: (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available,
    }
    if device.type in there and not there[device.type]():
        raise ValueError(
            f"device={str(device)!r}, but this machine has no such device: use device='cpu', or "
            "'auto' for whatever is there."
        )
    return device
