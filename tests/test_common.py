"""The contract that the seven denoisers share."""

import copy
import inspect
import os
import pickle
import random
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)
from small_networks import SMALL, name_of

from sk_dcedenoise.denoisers import DenoiserVanillaNL

N_TIMES = 12
seven = pytest.mark.parametrize("estimator", SMALL, ids=name_of)


def curves(n_curves=48, seed=0, n_times=N_TIMES):
    """Return noisy and clean curves that rise and fall."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, n_times)
    height, rate = rng.uniform(0.2, 2, (n_curves, 1)), rng.uniform(1, 4, (n_curves, 1))
    y = height * (t * np.exp(-rate * t) + 0.05)
    return y + 0.1 * y.mean(axis=1, keepdims=True) * rng.normal(size=y.shape), y


X, Y = curves()


class Raise(Callback):
    """Interrupt training in the middle of an epoch, as Ctrl-C does."""

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def fitted():
    """Every estimator fitted once; tests that change one take a copy."""
    return {type(estimator): clone(estimator).fit(X, Y) for estimator in SMALL}


# ---- parameters ---------------------------------------------------------------------------------


@seven
def test_is_a_skorch_net_and_a_transformer(estimator):
    assert isinstance(estimator, skorch.NeuralNet)
    assert estimator.__sklearn_tags__().transformer_tags is not None


@seven
def test_init_sets_parameters_and_nothing_else(estimator):
    names = set(inspect.signature(type(estimator)).parameters) - {"skorch_params"}
    assert set(type(estimator)().get_params()) == names
    assert not [name for name in vars(type(estimator)()) if name.endswith("_")]


@seven
def test_module_and_estimator_have_the_same_defaults(estimator):
    arguments = inspect.signature(type(estimator)).parameters
    for name, parameter in inspect.signature(estimator.module).parameters.items():
        if name != "n_times":
            assert parameter.default == arguments[name].default, name


@seven
def test_clone_keeps_parameters(estimator):
    estimator = clone(estimator).set_params(lr=0.25, optimizer__weight_decay=0.5, scale="curve")
    copied = clone(clone(estimator).fit(X, Y))
    assert copied.get_params() == estimator.get_params()
    assert not hasattr(copied, "module_")


@seven
def test_get_and_set_params_round_trip(estimator):
    given = {
        "lr": 0.25,
        "max_epochs": 7,
        "scale": None,
        "optimizer__weight_decay": 0.5,
        "criterion__reduction": "sum",
        "callbacks__learning_rate__warm_up": 0.2,
    }
    changed = clone(estimator).set_params(**given)
    params = changed.get_params()
    assert given.items() <= params.items()
    assert clone(estimator).set_params(**params).get_params() == params
    assert type(estimator)(**params).get_params() == params


@seven
def test_parameters_of_callbacks_are_parameters(estimator):
    estimator = clone(estimator).set_params(callbacks=[("stop", EarlyStopping(patience=4))])
    assert estimator.get_params()["callbacks__stop__patience"] == 4
    estimator.set_params(callbacks__stop__patience=9)
    assert estimator.get_params()["callbacks__stop__patience"] == 9
    assert clone(estimator).get_params()["callbacks__stop__patience"] == 9
    assert dict(clone(estimator).fit(X, Y).callbacks_)["stop"].patience == 9


@seven
@pytest.mark.parametrize(
    "name",
    [
        "hiden_size",
        "optimzer__weight_decay",
        "module",
        "module_",
        "__lr",
        "lr__",
        "train_split",
        "optimizer__",
        "iterator_train__shuffle",
        "skorch_params",
    ],
)
def test_mistyped_names_are_refused_at_once(estimator, name):
    with pytest.raises(TypeError, match=f"unexpected parameter {name!r}, but expected one of"):
        type(estimator)(**{name: 1})
    unchanged = clone(estimator)
    with pytest.raises(ValueError, match=f"Invalid parameter {name!r}"):
        unchanged.set_params(**{name: 1})
    assert unchanged.get_params() == estimator.get_params()


@seven
def test_set_params_leaves_what_is_fitted_alone(estimator, fitted):
    changed = copy.deepcopy(fitted[type(estimator)])
    before = changed.transform(X)
    own = next(iter(inspect.signature(type(estimator)).parameters))
    changed.set_params(
        **{own: 3, "scale": "curve", "lr": 9.0, "random_state": 5, "redraw_noise": False},
        optimizer__weight_decay=1.0,
        callbacks=[EarlyStopping()],
        callbacks__EarlyStopping__patience=1,
    )
    np.testing.assert_array_equal(changed.transform(X), before)
    assert changed.n_iter_ == fitted[type(estimator)].n_iter_


@seven
def test_shows_what_differs_from_the_defaults(estimator, fitted):
    assert repr(estimator).startswith(f"{type(estimator).__name__}(")
    assert "max_epochs=2" in repr(fitted[type(estimator)])
    assert "validation_fraction" not in repr(estimator)
    assert type(estimator).__name__ in fitted[type(estimator)]._repr_html_()


# ---- repeatability ------------------------------------------------------------------------------


@seven
def test_same_seed_same_result(estimator, fitted):
    expected = fitted[type(estimator)].transform(X)
    np.testing.assert_array_equal(clone(estimator).fit(X, Y).transform(X), expected)
    again = copy.deepcopy(fitted[type(estimator)]).fit(X, Y)
    np.testing.assert_array_equal(again.transform(X), expected)
    other = clone(estimator).set_params(random_state=1).fit(X, Y)
    assert (other.transform(X) != expected).any()


@seven
def test_random_state_instances_and_none(estimator):
    results = [
        clone(estimator).set_params(random_state=np.random.RandomState(3)).fit(X, Y).transform(X)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*results)
    np.random.seed(0)  # noqa: NPY002
    first = clone(estimator).set_params(random_state=None).fit(X, Y).transform(X)
    np.random.seed(0)  # noqa: NPY002
    assert (clone(estimator).set_params(random_state=None).fit(X, Y).transform(X) != first).any()


@seven
@pytest.mark.parametrize("random_state", [0, None, "instance"])
def test_the_world_is_left_as_it_was(estimator, random_state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if random_state == "instance":
        random_state = np.random.RandomState(0)
    threads, python, stream = torch.get_num_threads(), random.getstate(), torch.get_rng_state()
    numpy = np.random.get_state()  # noqa: NPY002
    clone(estimator).set_params(random_state=random_state).fit(X, Y).transform(X)
    assert torch.equal(torch.get_rng_state(), stream)
    assert random.getstate() == python
    assert all(map(np.array_equal, np.random.get_state(), numpy))  # noqa: NPY002
    assert torch.get_num_threads() == threads
    assert os.listdir() == []


@seven
def test_several_threads_at_once_give_the_same_result(estimator, fitted):
    expected = fitted[type(estimator)].transform(X)
    with ThreadPoolExecutor(4) as threads:
        fits = list(threads.map(lambda _: clone(estimator).fit(X, Y), range(4)))
        results = list(threads.map(lambda one: one.transform(X), fits))
        results += list(threads.map(fitted[type(estimator)].transform, [X] * 4))
    for result in results:
        np.testing.assert_array_equal(result, expected)


@seven
@pytest.mark.parametrize("how", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_give_the_same_result_to_the_last_bit(estimator, fitted, how):
    original = fitted[type(estimator)]
    copied = how(original)
    np.testing.assert_array_equal(copied.transform(X), original.transform(X))
    assert copied.get_params() == original.get_params()
    assert copied.history == original.history
    # Training goes on alike as well: the optimiser's state and the random stream came along.
    both = [one.partial_fit(X, Y).transform(X) for one in (copied, how(original))]
    np.testing.assert_array_equal(*both)


def test_a_pickle_keeps_the_device_asked_for():
    fit = DenoiserVanillaNL(width=0.125, max_epochs=1, random_state=0).fit(X, Y)
    copied = pickle.loads(pickle.dumps(fit))
    assert copied.device == "auto"
    np.testing.assert_array_equal(copied.transform(X), fit.transform(X))


@seven
def test_saved_weights_come_back(estimator, fitted, tmp_path):
    original = fitted[type(estimator)]
    files = {f"f_{part}": tmp_path / part for part in ("params", "optimizer", "history")}
    original.save_params(**files)
    other = clone(estimator).set_params(random_state=1, guard=None).fit(X, Y)
    bare = copy.deepcopy(original).set_params(guard=None)
    assert (other.transform(X) != bare.transform(X)).any()
    other.load_params(**files)
    np.testing.assert_array_equal(other.transform(X), bare.transform(X))
    assert other.history == original.history


# ---- data ---------------------------------------------------------------------------------------


@seven
@pytest.mark.parametrize("order", ["C", "F"])
def test_inputs_are_not_modified(estimator, order):
    noisy, clean = np.array(X, order=order), np.array(Y, order=order)
    noisy.setflags(write=False)
    clean.setflags(write=False)
    fit = clone(estimator).fit(noisy, clean).partial_fit(noisy, clean)
    fit.transform(noisy)
    fit.score(noisy, clean)
    np.testing.assert_array_equal(noisy, X)
    np.testing.assert_array_equal(clean, Y)


@seven
def test_writable_inputs_are_not_modified_either(estimator):
    noisy, clean = np.float32(X), np.float32(Y)
    fit = clone(estimator).fit(noisy, clean)
    denoised = fit.transform(noisy)
    np.testing.assert_array_equal(noisy, np.float32(X))
    np.testing.assert_array_equal(clean, np.float32(Y))
    assert not np.shares_memory(denoised, noisy)


@seven
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_output_has_the_dtype_of_the_input(estimator, fitted, dtype):
    denoised = clone(estimator).fit(dtype(X), dtype(Y)).transform(dtype(X))
    assert denoised.dtype == dtype
    expected = fitted[type(estimator)].transform(X)
    # Adam makes full steps of the rounding errors of biases that a normalisation cancels.
    np.testing.assert_allclose(denoised, expected, atol=0.02 * np.abs(expected).max())
    # The dtype of the curves to denoise counts, not that of the training curves.
    assert fitted[type(estimator)].transform(dtype(X)).dtype == dtype


@seven
def test_whole_numbers_become_floats(estimator):
    counts = np.int64(1000 * X)
    assert clone(estimator).fit(counts, np.int64(1000 * Y)).transform(counts).dtype == np.float64


@seven
def test_data_frames_in_and_out(estimator, fitted):
    index, columns = [f"voxel {i}" for i in range(len(X))], [f"{i} s" for i in range(N_TIMES)]
    noisy = pd.DataFrame(X, index=index, columns=columns)
    clean = pd.DataFrame(Y, index=index, columns=columns)
    fit = clone(estimator).fit(noisy, clean)
    expected = fitted[type(estimator)].transform(X)
    assert list(fit.feature_names_in_) == columns
    assert list(fit.get_feature_names_out()) == columns
    np.testing.assert_array_equal(fit.transform(noisy), expected)
    fit.set_output(transform="pandas")
    denoised = fit.transform(noisy)
    assert isinstance(denoised, pd.DataFrame)
    pd.testing.assert_frame_equal(denoised, pd.DataFrame(expected, index, columns))
    assert isinstance(fit.predict(noisy), np.ndarray)
    assert clone(fit).get_params() == estimator.get_params()


@seven
def test_transform_predict_and_score_agree(estimator, fitted):
    fit = fitted[type(estimator)]
    denoised = fit.transform(X)
    np.testing.assert_array_equal(fit.predict(X), denoised)
    np.testing.assert_array_equal(clone(estimator).fit_transform(X, Y), denoised)
    X_new, Y_new = curves(seed=1)
    error, spread = Y_new - fit.transform(X_new), Y_new - Y_new.mean(axis=0)
    assert fit.score(X_new, Y_new) == pytest.approx(1 - (error**2).sum() / (spread**2).sum())
    assert fit.score(X_new, Y_new) == pytest.approx(
        r2_score(Y_new, fit.transform(X_new), multioutput="variance_weighted")
    )


@seven
def test_score_is_not_ruled_by_frames_that_hardly_vary(estimator, fitted):
    Y_flat = Y.copy()
    Y_flat[:, 0] = 1e-9 * np.arange(len(Y))
    fit = fitted[type(estimator)]
    assert abs(fit.score(X, Y_flat) - fit.score(X, Y)) < 0.5


@seven
def test_a_curve_does_not_depend_on_its_neighbours(estimator, fitted):
    fit = fitted[type(estimator)]
    together = fit.transform(X)
    np.testing.assert_allclose(fit.transform(X[5:6]), together[5:6], rtol=1e-5, atol=1e-6)
    many = np.tile(X, (25, 1))  # more than go through the network at a time
    np.testing.assert_allclose(fit.transform(many)[-len(X) :], together, rtol=1e-5, atol=1e-6)


@seven
@pytest.mark.parametrize("n_times", [1, 2, 7, 33])
def test_any_number_of_frames(estimator, n_times):
    noisy, clean = curves(20, n_times=n_times)
    denoised = clone(estimator).fit(noisy, clean).transform(noisy)
    assert denoised.shape == noisy.shape
    assert np.isfinite(denoised).all()


# ---- training that goes on ----------------------------------------------------------------------


@seven
def test_partial_fit_and_warm_start_go_on(estimator):
    whole = clone(estimator).fit(X, Y)
    step_by_step = clone(estimator).partial_fit(X, Y)
    np.testing.assert_array_equal(step_by_step.transform(X), whole.transform(X))
    scale, weights = step_by_step.scale_, step_by_step.module_
    assert step_by_step.partial_fit(10 * X, 10 * Y).n_iter_ == 4
    assert (step_by_step.scale_, step_by_step.module_) == (scale, weights)

    warm = clone(estimator).set_params(warm_start=True)
    assert [warm.fit(X, Y).n_iter_ for _ in range(3)] == [2, 4, 6]
    assert [clone(estimator).fit(X, Y).n_iter_ for _ in range(2)] == [2, 2]
    assert [len(epochs) for epochs in (warm.history, warm.history_)] == [6, 6]


@seven
def test_first_partial_fit_keeps_weights_that_are_there(estimator, fitted):
    start = clone(estimator).set_params(lr=1e-12)
    if "n_times" in inspect.signature(estimator.module).parameters:
        with pytest.raises(NotFittedError):
            start.initialize()
        return
    start.initialize()
    with pytest.raises(NotFittedError):
        start.transform(X)
    start.module_.load_state_dict(fitted[type(estimator)].module_.state_dict())
    start.partial_fit(X, Y)
    np.testing.assert_allclose(
        start.transform(X), fitted[type(estimator)].transform(X), rtol=1e-4, atol=1e-6
    )


@seven
def test_another_number_of_frames_is_refused_when_going_on(estimator, fitted):
    fit = copy.deepcopy(fitted[type(estimator)])
    with pytest.raises(ValueError, match=r"X has 5 features, but .* expecting 12"):
        fit.partial_fit(X[:, :5], Y[:, :5])
    assert clone(estimator).fit(X, Y).fit(X[:, :5], Y[:, :5]).n_features_in_ == 5


# ---- skorch's features --------------------------------------------------------------------------


@seven
def test_callbacks_of_skorch_work_and_stay_as_they_were(estimator):
    class Seen(Callback):
        events = ()

        def on_train_begin(self, net, **kwargs):
            self.events = ()

        def on_epoch_end(self, net, **kwargs):
            self.events += (len(net.history),)

    callbacks = [
        ("stop", EarlyStopping(patience=50)),
        ("clip", GradientNormClipping(1.0)),
        ("mse", EpochScoring("neg_mean_squared_error", name="mse", lower_is_better=False)),
        ("again", EpochScoring("neg_mean_squared_error", name="again", use_caching=False)),
        ("plateau", LRScheduler("ReduceLROnPlateau", monitor="valid_loss")),
        ("seen", Seen()),
    ]
    before = [copy.deepcopy(vars(callback)) for _, callback in callbacks]
    fit = clone(estimator).set_params(device="auto", callbacks=callbacks).fit(X, Y)
    assert [vars(callback) for _, callback in callbacks] == before
    assert dict(fit.callbacks_)["seen"].events == (1, 2)
    # The network's own squared error on the validation pairs, found in two ways.
    np.testing.assert_allclose(fit.history[:, "mse"], -np.array(fit.history[:, "valid_loss"]), 1e-4)
    np.testing.assert_allclose(fit.history[:, "again"], fit.history[:, "mse"], rtol=1e-4)


@seven
def test_a_schedule_of_skorch_replaces_the_own_one(estimator):
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.1)
    fit = clone(estimator).set_params(lr=1e-3, callbacks=[schedule], callbacks__learning_rate=None)
    rate = fit.fit(X, Y).optimizer_.param_groups[0]["lr"]
    assert rate == pytest.approx(1e-3 * 0.1**2)
    assert "learning_rate" not in dict(fit.callbacks_)


@seven
def test_search_reaches_plain_names_and_those_of_parts(estimator):
    estimator = clone(estimator).set_params(
        max_epochs=20, lr=1e-9, callbacks=[("stop", EarlyStopping(patience=9, threshold=0.5))]
    )
    pipeline = make_pipeline(estimator)
    name = pipeline.steps[0][0]
    search = GridSearchCV(
        pipeline,
        {f"{name}__lr": [1e-12], f"{name}__callbacks__stop__patience": [1, 3]},
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    patience = search.best_params_[f"{name}__callbacks__stop__patience"]
    assert search.best_estimator_[0].n_iter_ == 1 + patience
    assert search.transform(X).shape == X.shape


@seven
def test_parameters_of_optimizer_criterion_and_module_arrive(estimator):
    fit = clone(estimator).set_params(
        optimizer=torch.optim.SGD,
        optimizer__weight_decay=0.125,
        optimizer__momentum=0.5,
        criterion=torch.nn.SmoothL1Loss,
        criterion__beta=0.25,
    )
    fit.fit(X, Y)
    assert isinstance(fit.optimizer_, torch.optim.SGD)
    assert fit.optimizer_.param_groups[0]["weight_decay"] == 0.125
    assert fit.optimizer_.param_groups[0]["momentum"] == 0.5
    assert fit.criterion_.beta == 0.25


@seven
def test_interrupt_by_the_user_goes_through(estimator):
    with pytest.raises(KeyboardInterrupt):
        clone(estimator).set_params(callbacks=[Raise()]).fit(X, Y)


# ---- units --------------------------------------------------------------------------------------


@seven
def test_scale_per_curve_follows_any_change_of_units(estimator):
    fit = clone(estimator).set_params(scale="curve").fit(X, Y)
    denoised = fit.transform(X)
    for power in (-30, -1, 3, 40):
        np.testing.assert_array_equal(fit.transform(X * 2.0**power), denoised * 2.0**power)
    size = np.abs(denoised).max()
    np.testing.assert_allclose(fit.transform(X * 1e3) / 1e3, denoised, atol=1e-5 * size)
    each = np.geomspace(1e-3, 1e3, len(X))[:, None]
    np.testing.assert_allclose(fit.transform(X * each) / each, denoised, atol=1e-5 * size)
    flat = fit.transform(np.zeros((2, N_TIMES)))
    assert np.isfinite(flat).all()


@seven
@pytest.mark.parametrize("scale", ["global", "curve"])
def test_training_in_other_units_changes_nothing_else(estimator, scale):
    estimator = clone(estimator).set_params(scale=scale)
    denoised = clone(estimator).fit(X, Y).transform(X)
    binary = clone(estimator).fit(1024 * X, 1024 * Y)
    np.testing.assert_array_equal(binary.transform(1024 * X), 1024 * denoised)
    decimal = clone(estimator).fit(1e-3 * X, 1e-3 * Y).transform(1e-3 * X)
    np.testing.assert_allclose(1e3 * decimal, denoised, atol=1e-3 * np.abs(denoised).max())


@seven
def test_without_scale_the_network_sees_the_curves_as_they_are(estimator):
    fit = clone(estimator).set_params(scale=None, guard=None).fit(X, Y)
    assert fit.scale_ == 1
    with torch.no_grad():
        direct = fit.module_.eval()(torch.as_tensor(np.float32(X))).numpy()
    np.testing.assert_allclose(fit.transform(X), direct, rtol=1e-5, atol=1e-6)


# ---- what cannot be done ------------------------------------------------------------------------


def broken(array, *values):
    """Return a copy whose first rows hold one bad value each."""
    array = np.array(array)
    for row, value in enumerate(values):
        array[2 * row, 1] = value
    return array


NAN, INF = np.nan, np.inf
BAD_PAIRS = {
    "nan": (broken(X, NAN, NAN), Y, r"X contains NaN or infinity in 2 of 48 curves \(.* row 0\)"),
    "inf": (broken(X, INF), Y, "X contains NaN or infinity in 1 of 48 curves"),
    "both signs of inf": (broken(X, INF, -INF), Y, "NaN or infinity in 2 of 48 curves"),
    "nan in y": (X, broken(Y, 0, NAN, INF), "y contains NaN or infinity in 2 of 48 .* row 2"),
    "y too short": (X, Y[:, :5], r"y has shape \(48, 5\), but expected \(48, 12\)"),
    "y too few": (X, Y[:40], r"y has shape \(40, 12\), but expected \(48, 12\): one clean"),
    "y one column": (X, Y[:, :1], r"y has shape \(48, 1\), but expected \(48, 12\)"),
    "y 1-D": (X, Y[:, 0], r"y has shape \(48,\), but expected \(48, 12\)"),
    "y None": (X, None, "requires y to be passed, but the target y is None: give the clean"),
    "empty": (X[:0], Y[:0], r"0 sample\(s\)"),
    "no frames": (X[:, :0], Y[:, :0], r"0 feature\(s\)"),
    "1-D": (X[0], Y[0], "Expected 2D array, got 1D array"),
    "3-D": (X.reshape(4, 12, 12), Y.reshape(4, 12, 12), "Found array with dim 3"),
    "complex": (X + 1j, Y, "Complex data not supported"),
    "words": (np.full((5, 3), "mM"), Y[:5, :3], "could not convert string to float"),
}


@seven
@pytest.mark.parametrize(("X_bad", "y_bad", "message"), BAD_PAIRS.values(), ids=BAD_PAIRS)
def test_bad_pairs_are_refused_in_words(estimator, X_bad, y_bad, message):
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(X_bad, y_bad)


@seven
@pytest.mark.parametrize(
    ("X_bad", "message"),
    [
        (broken(X, NAN, INF, NAN), "X contains NaN or infinity in 3 of 48 curves"),
        (X[:, :5], "X has 5 features, but Denoiser.* is expecting 12 features"),
        (np.hstack([X, X]), "X has 24 features, but Denoiser.* is expecting 12 features"),
        (X[:0], r"0 sample\(s\)"),
        (X[0], "Expected 2D array, got 1D array"),
    ],
    ids=["nan", "too short", "too long", "empty", "1-D"],
)
def test_bad_curves_are_refused_in_words(estimator, fitted, X_bad, message):
    for method in (fitted[type(estimator)].transform, fitted[type(estimator)].predict):
        with pytest.raises(ValueError, match=message):
            method(X_bad)


@seven
def test_one_curve_trains_or_says_why_not(estimator):
    estimator = clone(estimator)
    if any("norm" in type(m).__name__.lower() for m in estimator_modules(estimator)):
        with pytest.raises(ValueError, match=r"1 sample .* at least 2 curves, since batch norm"):
            estimator.fit(X[:1], Y[:1])
    else:
        assert np.isfinite(estimator.fit(X[:1], Y[:1]).transform(X[:1])).all()


def estimator_modules(estimator):
    return clone(estimator).fit(X, Y).module_.modules()


@seven
@pytest.mark.parametrize("method", ["transform", "predict"])
def test_unfitted_is_refused(estimator, method):
    with pytest.raises(NotFittedError, match=f"{type(estimator).__name__} .* not fitted"):
        getattr(clone(estimator), method)(X)
    assert not hasattr(clone(estimator), "n_iter_")


@seven
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"scale": "max"}, "scale='max', but expected one of 'global', 'curve', None"),
        ({"device": "gpu"}, "device='gpu', but expected 'cpu', 'cuda', 'cuda:1', 'mps' or 'auto'"),
        ({"validation_fraction": 1.5}, "validation_fraction=1.5, but expected a fraction"),
        ({"batch_size": 0}, "batch_size=0, but expected a whole number of at least 1"),
    ],
    ids=["scale", "device", "validation_fraction", "batch_size"],
)
def test_bad_parameters_are_refused_in_words(estimator, params, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        clone(estimator).set_params(**params).fit(X, Y)


@seven
@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_device_that_is_not_there_is_said_in_one_sentence(estimator):
    with pytest.raises(ValueError, match="device='cuda', but this machine has no such") as error:
        clone(estimator).set_params(device="cuda").fit(X, Y)
    assert str(error.value).endswith("use device='cpu', or 'auto' for whatever is there.")


# ---- on an accelerator --------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@seven
def test_on_a_gpu_it_learns_denoises_and_pickles_for_a_cpu(estimator):
    stream = torch.cuda.get_rng_state()
    on_gpu = clone(estimator).set_params(device="cuda").fit(X, Y)
    assert next(on_gpu.module_.parameters()).is_cuda
    assert torch.equal(torch.cuda.get_rng_state(), stream)
    denoised = on_gpu.transform(X)
    assert isinstance(denoised, np.ndarray)
    assert on_gpu.set_params(device="auto").partial_fit(X, Y).n_iter_ == 4
    on_gpu = clone(estimator).set_params(device="cuda").fit(X, Y)
    copied = pickle.loads(pickle.dumps(on_gpu))
    np.testing.assert_array_equal(copied.transform(X), on_gpu.transform(X))
    on_cpu = clone(estimator).fit(X, Y)
    on_cpu.module_.load_state_dict({k: v.cpu() for k, v in on_gpu.module_.state_dict().items()})
    np.testing.assert_allclose(on_cpu.transform(X), on_gpu.transform(X), rtol=1e-2, atol=1e-3)
