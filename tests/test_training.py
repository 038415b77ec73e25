"""The schedule, the budget, the best weights and when to stop."""

import itertools
import math
import time
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping
from skorch.history import History

from sk_dcedenoise.denoisers import DenoiserResCNN, DenoiserVanillaNL, _training
from sk_dcedenoise.denoisers._training import BestWeights, Budget


class LearningRates(Callback):
    """Note the learning rate of every step."""

    def __init__(self, rates):
        self.rates = rates

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])


def tiny(**params):
    return DenoiserVanillaNL(
        **{"width": 0.05, "kernel_size": 3, "device": "cpu", "random_state": 0} | params
    )


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    y = rng.uniform(1, 2, size=(80, 1)) * np.ones(8)
    return y + 0.1 * rng.normal(size=y.shape), y


# ---- learning rate ------------------------------------------------------------------------------


def test_learning_rate_rises_and_falls_along_a_cosine(pairs):
    rates = []
    net = tiny(lr=0.01, max_steps=100, callbacks=[LearningRates(rates)]).fit(*pairs)
    step = np.arange(100)
    rising = (step + 1) / (0.05 * 100)
    expected = 0.01 * np.minimum(rising, (1 + np.cos(math.pi * step / 100)) / 2)
    np.testing.assert_allclose(rates, expected, rtol=1e-9)
    # A later call starts from the peak and not from where the cosine ended.
    assert net.optimizer_.param_groups[0]["lr"] == 0.01


def test_epochs_count_where_they_are_given(pairs):
    rates = []
    net = tiny(max_epochs=3, batch_size=36, callbacks=[LearningRates(rates)]).fit(*pairs)
    assert net.n_iter_ == 3
    assert len(rates) == 3 * 2  # 72 curves for training


def test_steps_count_where_no_epochs_are_given(pairs):
    rates = []
    net = tiny(max_steps=5, batch_size=36, callbacks=[LearningRates(rates)]).fit(*pairs)
    assert len(rates) == 5
    assert net.n_iter_ == 3


def test_partial_fit_runs_the_schedule_again(pairs):
    rates = []
    net = tiny(max_epochs=2, batch_size=8, callbacks=[LearningRates(rates)])
    net.partial_fit(*pairs).partial_fit(*pairs)
    np.testing.assert_allclose(rates[: len(rates) // 2], rates[len(rates) // 2 :])


# ---- budget -------------------------------------------------------------------------------------


def test_seconds_end_training_in_time(pairs, monkeypatch):
    # The guard learns afterwards, the longer the more steps the machine has done until then.
    monkeypatch.setattr(DenoiserVanillaNL, "_learn_guard", lambda self, y: None)
    started = time.monotonic()
    net = tiny(max_steps=10**9, max_seconds=0.3).fit(*pairs)
    assert 0.3 <= time.monotonic() - started < 5
    assert net.n_iter_ >= 1


def test_learning_rate_comes_down_with_the_seconds(pairs, monkeypatch):
    clock = itertools.count()  # a second passes between any two looks at it
    monkeypatch.setattr(_training.time, "monotonic", lambda: next(clock))
    rates = []
    net = tiny(max_steps=10**9, max_seconds=300, callbacks=[LearningRates(rates)]).fit(*pairs)
    assert max(rates) <= net.lr
    assert rates[len(rates) // 2] == pytest.approx(net.lr / 2, rel=0.1)
    assert rates[-1] < 1e-2 * net.lr
    assert next(clock) < 350


def test_whichever_budget_ends_first_counts():
    budget = Budget(10, seconds=None)
    budget.steps_done = 4
    assert budget.progress == 0.4
    budget.seconds = 1e-9
    assert budget.progress == 1
    budget.seconds, budget.steps_done = 1e9, 12
    assert budget.progress == 1


# ---- best weights -------------------------------------------------------------------------------


def run_epochs(callback, losses, n_epochs=10):
    """Feed validation losses to the callback; the weight of the network is the epoch's number."""
    budget = Budget(n_epochs, seconds=None)
    net = SimpleNamespace(history=History(), module_=torch.nn.Linear(1, 1), budget_=budget)
    callback.on_train_begin(net)
    for epoch, loss in enumerate(losses):
        budget.steps_done += 1
        net.history.new_epoch()
        net.history.record("valid_loss", loss)
        torch.nn.init.constant_(net.module_.weight, epoch)
        try:
            callback.on_epoch_end(net, dataset_valid="some")
        except KeyboardInterrupt:
            break
    callback.on_train_end(net)
    return epoch, int(net.module_.weight)


def test_weights_of_the_best_epoch_are_put_back():
    assert run_epochs(BestWeights(), [5.0, 3.0, 1.0, 2.0, 1.5]) == (4, 2)


def test_a_lucky_epoch_is_not_the_best():
    losses = np.r_[np.full(20, 5.0), 1.0, np.full(19, 5.0), np.full(60, 2.0)]
    assert run_epochs(BestWeights(), losses, n_epochs=100) == (99, 44)  # the first five of 2.0
    assert run_epochs(BestWeights(window=0.0), losses, n_epochs=100) == (99, 20)
    # Twenty epochs are a twentieth each, and stand for themselves.
    assert run_epochs(BestWeights(), losses[10:30], n_epochs=20) == (19, 10)


def test_overfitting_is_still_seen():
    losses = np.r_[np.linspace(5, 1, 40), np.linspace(1, 3, 60)]
    assert abs(run_epochs(BestWeights(), losses, n_epochs=100)[1] - 41) <= 2


def test_stops_after_patience_epochs_without_improvement():
    losses = [5.0, 3.0, 3.5, 2.0, 2.1, 2.2, 2.3, 1.0]
    assert run_epochs(BestWeights(patience=3), losses) == (6, 3)
    assert run_epochs(BestWeights(patience=None), losses) == (7, 7)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_tolerance_is_relative(unit):
    # 2 % better per epoch counts, 0.5 % does not, in any unit.
    fast, slow = (unit * (1 - gain) ** np.arange(8) for gain in (0.02, 0.005))
    assert run_epochs(BestWeights(patience=2, tol=0.01), fast) == (7, 7)
    assert run_epochs(BestWeights(patience=1, tol=0.01), slow) == (1, 1)


def test_slow_but_steady_improvement_counts_once_it_adds_up():
    losses = 0.996 ** np.arange(30)
    assert run_epochs(BestWeights(patience=4, tol=0.01), losses, n_epochs=30) == (29, 29)


def test_without_validation_the_last_weights_stay(pairs):
    net = tiny(validation_fraction=0, max_epochs=3).fit(*pairs)
    assert "valid_loss" not in net.history[-1]
    assert net.n_iter_ == 3


def test_fitted_weights_are_those_of_the_least_validation_loss(pairs):
    class Weights(Callback):
        def __init__(self, seen):
            self.seen = seen

        def on_epoch_end(self, net, **kwargs):
            self.seen.append(net.module_.layers[0].weight.detach().clone())

    seen = []
    # A rate this high makes the loss jump up and down.
    net = tiny(lr=0.3, max_epochs=12, batch_size=16, callbacks=[Weights(seen)]).fit(*pairs)
    best = int(np.argmin(net.history[:, "valid_loss"]))
    assert best < 11
    assert np.flatnonzero(net.history[:, "valid_loss_best"])[-1] == best
    assert torch.equal(net.module_.layers[0].weight, seen[best])


# ---- batch normalisation ------------------------------------------------------------------------


class RunningMeans(Callback):
    """Note a running mean before every step, and whether it is in use."""

    def __init__(self, seen):
        self.seen = seen

    def on_batch_begin(self, net, training=False, **kwargs):
        norm = net.module_.stem[1]
        if training:
            self.seen.append((norm.running_mean.clone(), norm.training))


@pytest.mark.parametrize(("after", "n_learning"), [(0.5, 20), (0.75, 30), (None, 40)])
def test_normalisation_settles_in_the_last_part(after, n_learning, pairs):
    seen = []
    net = DenoiserResCNN(
        channels=4, middle_channels=2, n_blocks=1, max_steps=40, batch_size=16, device="cpu",
        random_state=0, callbacks=[RunningMeans(seen)],
    )  # fmt: skip
    if after is None:
        net.set_params(callbacks__settled_norm=None)
    else:
        net.set_params(callbacks__settled_norm__after=after)
    net.fit(*pairs)
    means, in_training = zip(*seen, strict=True)
    assert list(in_training) == [True] * n_learning + [False] * (40 - n_learning)
    moved = [not torch.equal(*both) for both in pairwise(means)]
    assert moved == [True] * min(n_learning, 39) + [False] * (39 - n_learning)
    assert "norms_" not in vars(dict(net.callbacks_).get("settled_norm", net))


# ---- early stopping -----------------------------------------------------------------------------


def test_patience_stops_a_net_that_does_not_learn(pairs):
    net = tiny(lr=1e-12, max_epochs=100, patience=2).fit(*pairs)
    assert net.n_iter_ == 3


def test_skorch_s_early_stopping_works(pairs):
    stopping = EarlyStopping(patience=3, threshold=1e-3)
    net = tiny(lr=1e-12, max_epochs=100, callbacks=[("stop", stopping)]).fit(*pairs)
    assert net.n_iter_ == 4
    net.set_params(callbacks__stop__patience=6).fit(*pairs)
    assert net.n_iter_ == 7


def test_callbacks_see_the_gradients_of_every_step(pairs):
    class Gradients(Callback):
        def __init__(self, seen):
            self.seen = seen

        def on_grad_computed(self, net, named_parameters, training=False, **kwargs):
            self.seen.append([parameter.grad is not None for _, parameter in named_parameters])

    seen = []
    tiny(max_steps=7, callbacks=[Gradients(seen)]).fit(*pairs)
    assert len(seen) == 7 and all(map(all, seen))


def test_callbacks_that_watch_validation_need_some(pairs):
    net = tiny(max_epochs=2, validation_fraction=0, callbacks=[("stop", EarlyStopping())])
    with pytest.raises(ValueError, match=r"'stop' monitors 'valid_loss', but .* no validation"):
        net.fit(*pairs)


def test_the_last_weights_and_the_schedule_survive_an_interrupt(pairs):
    class Interrupt(Callback):
        def on_batch_begin(self, net, training=False, **kwargs):
            if training and len(net.history) == 3:
                raise KeyboardInterrupt

    net = tiny(max_epochs=10, batch_size=16, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        net.fit(*pairs)
    assert net.optimizer_.param_groups[0]["lr"] == net.lr
    assert net.score(*pairs) > -math.inf


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"validation_fraction": 1.0}, "validation_fraction=1.0, but expected a fraction"),
        ({"batch_size": 0}, "batch_size=0, but expected a whole number of at least 1"),
        ({"max_epochs": 0}, "max_epochs=0, but expected a whole number of at least 1"),
        ({"max_epochs": 2.5}, "max_epochs=2.5, but expected a whole number"),
        ({"max_steps": -1}, "max_steps=-1, but expected a whole number of at least 1"),
        ({"max_seconds": 0}, "max_seconds=0, but expected a finite number above zero"),
        ({"gradient_clip": -1.0}, "gradient_clip=-1.0, but expected a finite number above"),
        ({"patience": 0}, "patience=0, but expected a whole number of at least 1"),
        ({"patience": 3, "validation_fraction": 0}, "patience=3 with validation_fraction=0"),
        ({"lr": 1e30, "max_epochs": 5}, "loss became .* in epoch .* lower lr"),
    ],
)
def test_refuses_what_cannot_train(params, message, pairs):
    with pytest.raises(ValueError, match=message):
        tiny(**{"max_epochs": 1} | params).fit(*pairs)


def test_verbose_says_what_happens(pairs, capsys):
    tiny(max_epochs=2).fit(*pairs)
    assert capsys.readouterr() == ("", "")
    tiny(max_epochs=2, verbose=1).fit(*pairs)
    output = capsys.readouterr()
    assert "DenoiserVanillaNL" in output.err
    assert output.out == ""
    tiny(max_epochs=2, verbose=2).fit(*pairs)
    assert "valid_loss" in capsys.readouterr().out
