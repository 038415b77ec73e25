import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sk_dcedenoise.masking import curves_from_volume, volume_from_curves


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 5), st.integers(0, 99))
def test_there_and_back(spatial, n_times, seed):
    rng = np.random.default_rng(seed)
    volume = rng.normal(size=(*spatial, n_times))
    mask = rng.random(spatial) < 0.5
    curves = curves_from_volume(volume, mask)
    assert curves.shape == (mask.sum(), n_times)
    back = volume_from_curves(curves, mask)
    assert_array_equal(back, np.where(mask[..., None], volume, np.nan))
    assert_array_equal(curves_from_volume(back, mask), curves)


def test_order_is_that_of_the_mask():
    volume = np.zeros((2, 3, 4, 5))
    volume[1, 2, 3], volume[0, 1, 2], volume[0, 1, 0] = 3.0, 2.0, 1.0
    mask = volume[..., 0] > 0
    assert_array_equal(curves_from_volume(volume, mask)[:, 0], [1.0, 2.0, 3.0])


def test_a_parameter_becomes_a_map():
    mask = np.array([[0, 1], [1, 0]])
    parameter = np.array([0.1, 0.2], dtype=np.float32)
    image = volume_from_curves(parameter, mask)
    assert image.shape == (2, 2) and image.dtype == np.float32
    assert_array_equal(image, np.array([[np.nan, 0.1], [0.2, np.nan]], dtype=np.float32))
    assert volume_from_curves([1, 2], mask).dtype == np.float64
    assert volume_from_curves([1, 2], mask, fill_value=0).dtype == np.int64
    assert_array_equal(volume_from_curves([1, 2], mask, fill_value=-1), [[-1, 1], [2, -1]])


def test_curves_are_a_copy():
    volume, mask = np.ones((2, 3)), np.ones(2, dtype=bool)
    curves = curves_from_volume(volume, mask)
    curves[:] = 0.0
    assert (volume == 1.0).all()


@pytest.mark.parametrize(
    ("volume", "mask", "message"),
    [
        (
            np.ones((2, 3, 4)),
            np.ones((3, 2)),
            r"volume has shape \(2, 3, 4\), but expected \(3, 2,",
        ),
        (np.ones((2, 3)), np.ones((2, 3)), r"expected \(2, 3, 'n_times'\)"),
        (np.ones((2, 3)), True, "mask is a single value"),
        (np.ones((2, 3)), [0.5, 1.0], "holds other values than 0 and 1"),
        (np.ones((2, 3)), [np.nan, 1.0], "holds other values than 0 and 1"),
        (np.ones((2, 3)), ["a", "b"], "holds other values than 0 and 1"),
    ],
)
def test_bad_masks(volume, mask, message):
    with pytest.raises(ValueError, match=message):
        curves_from_volume(volume, mask)


@pytest.mark.parametrize("values", [np.ones(3), np.ones((3, 2)), np.ones((2, 2, 2)), np.float64(1)])
def test_bad_values(values):
    with pytest.raises(ValueError, match=r"expected \(2,\) or \(2, n_values\)"):
        volume_from_curves(values, [True, True, False])
