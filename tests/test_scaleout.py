"""Chunk by chunk and on a cluster, the numbers are those of one process in memory."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from sk_dcedenoise.baselines import PCADenoiser
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import DenoiserDRNN, DenoiserResCNN, DenoiserVanillaNL
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.metrics import neg_curve_rmse_scorer
from sk_dcedenoise.preprocessing import CurveScaler

da = pytest.importorskip("dask.array", reason="dask is not installed")
distributed = pytest.importorskip("distributed", reason="distributed is not installed")
scaleout = pytest.importorskip("sk_dcedenoise.scaleout")

# Third parties: a worker's server is closed a moment after the test that used it has ended.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

TIME = 3.75 * np.arange(32)
SHAPE = (5, 7, 6)
X, Y = make_dce_curves(210, random_state=0)
VOLUME = X.reshape(*SHAPE, 32)
MASK = np.random.default_rng(0).random(SHAPE) < 0.6
MASK[:2, :3] = False
SMALL = {"max_epochs": 2, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def client():
    """Two workers, one thread each."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", worker_dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def pipeline():
    """Scaler, network and kinetic fit, fitted."""
    denoiser = DenoiserVanillaNL(width=0.25, kernel_size=5, **SMALL)
    return make_pipeline(CurveScaler(), denoiser, ToftsTransformer(TIME)).fit(X, Y)


def assert_equal_to_1e_6(found, expected):
    """Relative to the largest value of each column; NaN in the same places."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    axes = tuple(range(expected.ndim - 1))
    error = np.nanmax(np.abs(found - expected), axis=axes)
    assert (error <= 1e-6 * np.nanmax(np.abs(expected), axis=axes)).all()


def in_memory(estimator, volume, mask):
    expected = np.full((*mask.shape, len(estimator.get_feature_names_out())), np.nan)
    expected[mask] = estimator.transform(volume[mask])
    return expected


@pytest.mark.parametrize(
    "chunks",
    [(5, 7, 6, 32), (1, 1, 1, 32), (2, 3, 4, 5), (4, 7, 1, 32), ((1, 4), (5, 2), (6,), (31, 1))],
)
def test_volume_is_that_of_memory_whatever_the_chunks(chunks, pipeline):
    if chunks == (1, 1, 1, 32):
        volume, mask = VOLUME[1:3], MASK[1:3]
        result = scaleout.transform_volume(pipeline, da.from_array(volume, chunks), mask)
    else:
        volume, mask = VOLUME, MASK
        result = scaleout.transform_volume(
            pipeline, da.from_array(volume, chunks), da.from_array(mask, (2, 2, 6))
        )
    found = result.compute(scheduler="synchronous")
    assert found.shape == result.shape == (*mask.shape, 3)
    assert_equal_to_1e_6(found, in_memory(pipeline, volume, mask))


@pytest.mark.parametrize(
    "denoiser",
    [
        DenoiserDRNN(hidden_size=8, **SMALL),
        DenoiserResCNN(channels=8, middle_channels=4, n_blocks=1, scale="curve", **SMALL),
        PCADenoiser(),
    ],
    ids=lambda d: type(d).__name__,
)
@pytest.mark.parametrize("size", [1, 13, 210])
def test_curves_are_those_of_memory_whatever_the_chunks(denoiser, size):
    fitted = clone(denoiser).fit(X, Y)
    n_curves = 40 if size == 1 else 210
    curves = da.from_array(X[:n_curves], (size, 32))
    result = scaleout.transform_curves(fitted, curves)
    assert result.chunks[0] == curves.chunks[0]
    assert_equal_to_1e_6(result.compute(scheduler="synchronous"), fitted.transform(X[:n_curves]))


def test_threads_share_one_estimator(pipeline):
    curves = da.from_array(X, (20, 32))
    found = scaleout.transform_curves(pipeline, curves).compute(scheduler="threads", num_workers=4)
    assert_equal_to_1e_6(found, pipeline.transform(X))


def test_without_mask_and_in_single_precision(pipeline):
    volume = VOLUME.astype(np.float32)
    result = scaleout.transform_volume(pipeline, da.from_array(volume, (3, 7, 6, 32)))
    found = result.compute(scheduler="synchronous")
    assert found.dtype == result.dtype == np.float32
    np.testing.assert_allclose(
        found, in_memory(pipeline, volume, np.ones(SHAPE, dtype=bool)), rtol=1e-4, atol=1e-5
    )


def test_data_frames_inside_a_pipeline(pipeline):
    pytest.importorskip("pandas", reason="pandas is not installed")
    steps = [clone(step) for _, step in pipeline.steps[:2]]
    framed = make_pipeline(*steps).set_output(transform="pandas").fit(X, Y)
    found = scaleout.transform_curves(framed, da.from_array(X, (100, 32)))
    expected = framed.transform(X).to_numpy()
    assert_equal_to_1e_6(found.compute(scheduler="synchronous"), expected)


def test_volume_on_a_cluster(client, pipeline):
    volume = da.from_array(VOLUME, (2, 4, 6, 16))
    result = scaleout.transform_volume(pipeline, volume, MASK)
    assert_equal_to_1e_6(result.compute(), in_memory(pipeline, VOLUME, MASK))


def test_nothing_is_computed_before_it_is_asked_for(pipeline):
    def burst(block):
        raise RuntimeError("asked for")

    volume = da.from_array(VOLUME, (2, 4, 6, 32)).map_blocks(burst, meta=VOLUME[:0])
    result = scaleout.transform_volume(pipeline, volume, MASK)
    with pytest.raises(RuntimeError, match="asked for"):
        result.compute(scheduler="synchronous")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: scaleout.transform_curves(e, X), "a ndarray of shape .* expected a Dask array"),
        (lambda e: scaleout.transform_curves(e, da.zeros((2, 2, 32))), r"shape \(2, 2, 32\)"),
        (lambda e: scaleout.transform_volume(e, da.zeros(32)), r"shape \(32,\) was given"),
        (
            lambda e: scaleout.transform_volume(e, da.zeros((2, 2, 32)), np.ones((2, 3))),
            r"mask has shape \(2, 3\), but expected \(2, 2\)",
        ),
    ],
)
def test_bad_input(call, message, pipeline):
    with pytest.raises(ValueError, match=message):
        call(pipeline)


def test_grid_search_on_a_cluster_scores_as_in_process(client):
    denoiser = DenoiserVanillaNL(width=0.25, kernel_size=5, **SMALL)
    search = GridSearchCV(
        make_pipeline(CurveScaler(), denoiser, ToftsTransformer(TIME)),
        {"denoiservanillanl__lr": [1e-3, 1e-2], "denoiservanillanl__kernel_size": [3, 5]},
        scoring=neg_curve_rmse_scorer,
        cv=3,
        error_score="raise",
    )
    # With one thread, as Dask gives its workers: sums of two are others in the last digits.
    with threadpool_limits(1):
        here = clone(search).fit(X, Y)
        with parallel_config(backend="dask"):
            there = clone(search).fit(X, Y)
    for split in range(3):
        key = f"split{split}_test_score"
        np.testing.assert_array_equal(there.cv_results_[key], here.cv_results_[key])
    assert there.best_params_ == here.best_params_
    np.testing.assert_array_equal(there.transform(X), here.transform(X))
