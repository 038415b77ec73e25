"""Every curve once per pass, shuffled with its partner, with fresh noise where asked."""

import numpy as np
import pytest
import torch

from sk_dcedenoise._noise import NoiseLaw
from sk_dcedenoise.denoisers import _batches
from sk_dcedenoise.denoisers._batches import (
    CurvePairs,
    OrderedBatches,
    TrainingBatches,
    curves_at_a_time,
    widest_layer,
)


def numbered_pairs(n_curves):
    """Pairs whose clean curve tells its number and whose noisy one is ten more."""
    y = torch.arange(n_curves, dtype=torch.float32)[:, None].expand(-1, 4).clone()
    return CurvePairs(y + 10, y)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("block", [16384, 16])
@pytest.mark.parametrize("batch_size", [1, 2, 7, 8, 100])
@pytest.mark.parametrize("n_curves", [1, 2, 8, 9, 15, 16, 17, 50])
def test_every_curve_comes_once_per_pass_with_its_partner(n_curves, batch_size, block, monkeypatch):
    monkeypatch.setattr(_batches, "BLOCK", block)
    batches = TrainingBatches(numbered_pairs(n_curves), batch_size, generator())
    passes = [list(batches), list(batches)]
    for batch_list in passes:
        assert len(batch_list) == len(batches)
        for X, y in batch_list:
            assert torch.equal(X, y + 10)
            assert len(X) <= batch_size + 1
        numbers = torch.cat([y[:, 0] for _, y in batch_list])
        assert sorted(numbers.tolist()) == list(range(n_curves))
    if n_curves >= 15:
        first, second = (torch.cat([y for _, y in batch_list]) for batch_list in passes)
        assert not torch.equal(first, second)


@pytest.mark.parametrize("n_curves", [9, 17, 33, 65])
def test_no_lone_last_curve(n_curves):
    batches = TrainingBatches(numbered_pairs(n_curves), 8, generator())
    assert [len(y) for _, y in batches] == [8] * (n_curves // 8 - 1) + [9]


def test_other_batches_are_full_but_the_last():
    batches = TrainingBatches(numbered_pairs(19), 8, generator())
    assert [len(y) for _, y in batches] == [8, 8, 3]


def test_same_generator_same_order():
    orders = [
        torch.cat([y for _, y in TrainingBatches(numbered_pairs(50), 8, generator(3))])
        for _ in range(2)
    ]
    assert torch.equal(*orders)


def test_redrawn_noise_is_new_in_every_pass_and_never_touches_y():
    rng = np.random.default_rng(0)
    clean = rng.uniform(1, 2, size=(200, 6))
    noise = 0.1 * rng.normal(size=clean.shape)
    pairs = CurvePairs(torch.as_tensor(clean + noise), torch.as_tensor(clean))
    batches = TrainingBatches(pairs, 32, generator(), NoiseLaw.learn(noise, clean))
    seen = set(map(tuple, pairs.X.tolist()))
    for _ in range(2):
        X, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
        assert sorted(y.tolist()) == sorted(clean.tolist())
        assert not seen.intersection(map(tuple, X.tolist()))
        seen.update(map(tuple, X.tolist()))
        assert (X - y).std().item() == pytest.approx(0.1, rel=0.1)
    np.testing.assert_array_equal(pairs.y, clean)
    np.testing.assert_array_equal(pairs.X, clean + noise)


@pytest.mark.parametrize("n_curves", [1, 8, 19])
def test_ordered_batches_keep_the_order(n_curves):
    batches = OrderedBatches(numbered_pairs(n_curves), 8)
    parts = list(batches)
    assert len(parts) == len(batches)
    X, y = (torch.cat(half) for half in zip(*parts, strict=True))
    assert y[:, 0].tolist() == list(range(n_curves))
    assert torch.equal(X, y + 10)


class Recurrent(torch.nn.Module):
    """A recurrent layer on curves as rows."""

    def __init__(self, kind, hidden_size):
        super().__init__()
        self.layer = kind(1, hidden_size, batch_first=True, bidirectional=True)

    def forward(self, curves):
        return self.layer(curves[:, :, None])[0]


@pytest.mark.parametrize(
    ("module", "width"),
    [
        (torch.nn.Linear(32, 48), 32 + 48),
        (torch.nn.Sequential(torch.nn.Linear(32, 48), torch.nn.Linear(48, 8)), 32 + 48),
        (Recurrent(torch.nn.RNN, 5), 32 * (1 + 2 * 10)),
        (Recurrent(torch.nn.GRU, 5), 32 * (1 + 4 * 10)),
        (Recurrent(torch.nn.LSTM, 5), 32 * (1 + 5 * 10)),
    ],
    ids=["linear", "two layers", "RNN", "GRU", "LSTM"],
)
def test_widest_layer_counts_what_goes_in_comes_out_and_the_gates(module, width):
    assert widest_layer(module, 32, torch.device("cpu")) == width


@pytest.mark.parametrize(
    ("width", "curves"), [(1, 8192), (4096, 1024), (4097, 960), (6144, 640), (10**6, 64)]
)
def test_as_many_curves_at_a_time_as_the_cache_holds(width, curves):
    assert curves_at_a_time(width, torch.device("cpu")) == curves
