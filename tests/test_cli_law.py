"""Curves to train on cover the delays, the strengths and the noise of those that were given."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_dcedenoise.cli._law import covering_pairs, find_delays, noise_of, plasma_nodes
from sk_dcedenoise.datasets import make_dce_curves


@pytest.mark.parametrize("shift", [-20.0, 0.0, 60.0])
def test_delays_are_found(shift):
    time = 4.0 * np.arange(60)
    nodes = plasma_nodes("parker", time, None, 60.0)
    curves = make_dce_curves(
        300, time=time - shift, aif=nodes, law="wide", noise_levels=0.1, random_state=0
    )[0]
    low, high = find_delays(curves, time, nodes)
    assert shift - 6 < low < shift + 2
    assert shift + 10 < high < shift + 18


def test_curves_without_a_bolus_have_no_delay():
    time = 4.0 * np.arange(30)
    noise = np.random.default_rng(0).normal(size=(200, 30))
    nodes = plasma_nodes("parker", time, None, 60.0)
    found = find_delays(noise, time, nodes)
    assert found is None or np.ptp(found) > 30


def test_training_curves_cover_delays_and_amplitudes():
    time = 4.0 * np.arange(60)
    nodes = plasma_nodes("parker", time, None, 60.0)
    some = np.full((1, 60), 0.01)
    X, y, stretch = covering_pairs(4000, some, time, nodes, (-15.0, 45.0), 0)
    assert X.shape == y.shape == (4000, 60)
    assert stretch == 1.0
    # The first frame that the bolus reached, in s: from the earliest delay to the latest.
    arrival = time[np.argmax(y > 0.02 * y.max(axis=1, keepdims=True), axis=1)]
    assert np.percentile(arrival, 1) < 4
    assert 35 < np.percentile(arrival, 99) < 60
    weak = 0.1 * y
    assert covering_pairs(4000, weak, time, nodes, (-15.0, 45.0), 0)[2] == 1.0
    strong = 5.0 * y
    assert covering_pairs(4000, strong, time, nodes, (-15.0, 45.0), 0)[2] == pytest.approx(5.0)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_the_noise_of_curves_is_found(exponent):
    y = make_dce_curves(3000, law="wide", noise_levels=0, random_state=0)[1]
    size = y.mean(axis=1)
    y, size = y[size > np.median(size)], size[size > np.median(size)]
    middle = np.median(size)
    sd = 0.15 * middle * (size / middle) ** exponent
    noise = sd[:, None] * np.random.default_rng(0).normal(size=y.shape)
    level, found = noise_of(y + noise)
    assert found == pytest.approx(exponent, abs=0.15)
    assert level * middle**found == pytest.approx(0.15 * middle, rel=0.15)


def test_training_curves_have_the_noise_of_the_scan():
    time = 4.0 * np.arange(60)
    nodes = plasma_nodes("parker", time, None, 60.0)
    y = make_dce_curves(1000, time=time, aif=nodes, law="wide", noise_levels=0, random_state=0)[1]
    scan = y + np.random.default_rng(0).normal(scale=0.03, size=y.shape)
    X, clean, _ = covering_pairs(3000, scan, time, nodes, (0.0, 10.0), 1)
    noise = (X - clean).std(axis=1)
    assert np.median(noise) == pytest.approx(0.03, rel=0.25)
    weak = clean.mean(axis=1) < np.median(clean.mean(axis=1))
    assert np.median(noise[weak]) == pytest.approx(np.median(noise[~weak]), rel=0.3)


def test_a_measured_aif_is_held_at_its_last_value_and_no_longer():
    aif_time, cp = plasma_nodes(np.arange(20.0), 5.0 * np.arange(20), None, 30.0)
    assert (aif_time[-1], cp[-1]) == (95.0 + 30.0, 19.0)
    assert_array_equal(cp[:20], np.arange(20.0))
