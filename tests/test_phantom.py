"""The digital phantom: what it says it is, it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad

from sk_dcedenoise.aif import aif_parker, aif_weinmann
from sk_dcedenoise.datasets import make_dce_phantom
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.signal import concentration_from_signal


@pytest.fixture(scope="module")
def phantom():
    return make_dce_phantom((32, 32, 4), random_state=0)


def test_shapes_and_masks(phantom):
    assert phantom.concentration.shape == phantom.signal.shape == (32, 32, 4, 40)
    assert phantom.concentration.dtype == np.float32
    masks = phantom.tissue.astype(int) + phantom.artery + (phantom.labels == 0)
    assert_array_equal(masks, 1)
    assert (phantom.lesion & ~phantom.tissue).sum() == 0
    for i in range(1, len(phantom.names)):
        assert (phantom.labels == i).any(), phantom.names[i]
    for values in phantom.maps.values():
        assert_array_equal(np.isfinite(values), phantom.tissue)
    assert_allclose(phantom.maps.kep * phantom.maps.ve, phantom.maps.Ktrans)


def test_a_voxel_is_the_integral_of_its_parameters():
    # Weinmann's curve has no kink after its start, so that quadrature is exact there.
    phantom = make_dce_phantom((16, 16, 1), aif="weinmann", bolus=30.0, random_state=0)
    index = tuple(np.argwhere(phantom.lesion)[0])
    p = {name: values[index] for name, values in phantom.maps.items()}
    for frame in (6, 8, 20, 39):
        since = phantom.time[frame] - 30.0 - p["delay"]
        if since <= 0:
            assert phantom.clean[(*index, frame)] == 0
            continue
        integral = quad(
            lambda u, s=since: aif_weinmann(u) * np.exp(-p["kep"] * (s - u) / 60), 0, since
        )[0]
        expected = p["vp"] * aif_weinmann(since) + p["Ktrans"] / 60 * integral
        assert phantom.clean[(*index, frame)] == pytest.approx(expected, rel=1e-3)


def test_arteries_hold_blood(phantom):
    blood = 0.58 * aif_parker(phantom.time - 20.0)
    assert_allclose(phantom.clean[phantom.artery], np.tile(blood, (phantom.artery.sum(), 1)),
                    atol=1e-4)  # fmt: skip
    assert_array_equal(phantom.clean[phantom.labels == 0], 0)
    assert_array_equal(phantom.clean[..., : phantom.protocol.n_baseline], 0)
    assert phantom.clean[..., phantom.protocol.n_baseline + 1].max() > 0


def test_noise_is_what_was_asked_for(phantom):
    noise = phantom.concentration - phantom.clean
    n = noise.size
    assert abs(noise.mean()) < 5 * 0.03 / np.sqrt(n)
    assert noise.std() == pytest.approx(0.03, rel=5 / np.sqrt(2 * n))
    assert (phantom.concentration < 0).any()


def test_signals_are_those_of_the_concentrations(phantom):
    muscle = phantom.labels == phantom.names.index("muscle")
    found = concentration_from_signal(
        phantom.signal[muscle], T10=phantom.T10[muscle], **phantom.protocol
    )
    noise = found - phantom.clean[muscle]
    # The baseline's own noise comes on top: a mean of 4 frames.
    first = noise[:, :4].std()
    assert first == pytest.approx(0.03 * np.sqrt(1 - 1 / 4), rel=0.05)
    clean = make_dce_phantom((32, 32, 4), noise_std=0, random_state=0)
    where = clean.labels > 0
    found = concentration_from_signal(clean.signal[where], T10=clean.T10[where], **clean.protocol)
    assert_allclose(found, clean.clean[where], atol=2e-3, rtol=2e-3)  # float32 signals


def test_the_fit_of_the_clean_phantom_gives_its_maps():
    phantom = make_dce_phantom((16, 16, 1), noise_std=0, max_delay=0.0, random_state=1)
    fit = ToftsTransformer(phantom.time, phantom.aif, dtype="float64")
    found = fit.fit_transform(phantom.clean[phantom.tissue].astype(float))
    for column, name in zip(found.T, ("Ktrans", "ve", "vp"), strict=True):
        assert_allclose(column, phantom.maps[name][phantom.tissue], rtol=2e-3)


@given(seed=st.integers(0, 1000), depth=st.integers(1, 3))
@settings(max_examples=5, deadline=None)
def test_a_seed_gives_one_phantom(seed, depth):
    one, other = (make_dce_phantom((16, 16, depth), random_state=seed) for _ in range(2))
    for key in ("concentration", "signal", "labels"):
        assert_array_equal(one[key], other[key])
    another = make_dce_phantom((16, 16, depth), random_state=seed + 1)
    assert not np.array_equal(one.concentration, another.concentration)


def test_it_leaves_the_global_generator_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_dce_phantom((16, 16, 1))
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_tissues_have_their_medians():
    phantom = make_dce_phantom((64, 64, 4), random_state=0)
    for name, ktrans in (("muscle", 0.06), ("gland", 0.14), ("lesion", 0.32)):
        where = phantom.labels == phantom.names.index(name)
        # A smooth texture has few independent places: wide limits.
        assert np.median(phantom.maps.Ktrans[where]) == pytest.approx(ktrans, rel=0.25)
    assert phantom.maps.delay[phantom.tissue].max() == pytest.approx(3.0)
    assert phantom.maps.delay[phantom.tissue].min() >= 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shape": (16, 16)}, "expected three numbers of voxels"),
        ({"shape": (8, 16, 1)}, "shape in x=8, but expected a whole number of at least 16"),
        ({"shape": (16, 16, 1), "noise_std": -1}, "noise_std=-1"),
        ({"shape": (16, 16, 1), "hematocrit": 45}, "hematocrit=45"),
        ({"shape": (16, 16, 1), "time": [0, 0]}, "strictly increasing"),
        ({"shape": (16, 16, 1), "TR": 0.0}, "TR=0.0"),
        ({"shape": (16, 16, 1), "max_delay": np.nan}, "max_delay=nan"),
    ],
)
def test_bad_settings_are_named(settings, said):
    with pytest.raises(ValueError, match=said):
        make_dce_phantom(**settings)
