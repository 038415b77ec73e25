"""A skorch net with plain parameter names, an honest `clone`, and devices called "auto".

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

# torch.manual_seed is global to the process: two threads that initialise modules at the same time
# would draw from each other's stream.
_SEEDING = threading.Lock()


class PlainNet(NeuralNet):
    """What all denoisers share as skorch nets: parameters, callbacks, device, random numbers."""

    module = None

    # skorch finds these by watching attributes being set in `__init__`, which also makes
    # constructor arguments out of them. Here they are known beforehand.
    # Those of skorch's own loaders are left out: the batches here know no such parameters.
    prefixes_ = ["callbacks", "module", "criterion", "optimizer", "compile"]  # noqa: RUF012
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
        mixed_precision,
        compile,
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
            compile=compile,
            verbose=verbose,
            **skorch_params,
        )
        self.mixed_precision = mixed_precision
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
            part, _, rest = name.partition("__")
            if rest and isinstance(getattr(self, part, None), BaseEstimator):
                getattr(self, part).set_params(**{rest: value})
                continue
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

    def torch_compile(self, module, name):
        # skorch wraps the module, which renames its weights and does not pickle.
        if self.compile and name == "module":
            module.compile(**self.get_params_for("compile"))
        return module

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
        if self.compile and self.initialized_:
            self.module_.compile(**self.get_params_for("compile"))

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
