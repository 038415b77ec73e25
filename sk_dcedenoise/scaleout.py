"""Curves beyond the memory of one machine: Dask arrays through a fitted estimator, chunk by chunk.

Needs Dask: ``pip install "sk-dcedenoise[scale]"``. Nothing is computed until the result is asked
for, by ``compute()``, or by a way to write it such as ``to_zarr()``. With a cluster of Dask's, give
its workers one thread each (``LocalCluster(threads_per_worker=1)``): PyTorch's threads and theirs
would otherwise compete for the cores.

Searches of scikit-learn's need nothing from here to run on the same cluster, one fit per task:
``with joblib.parallel_config(backend="dask"): search.fit(X, y)``.
"""

import numpy as np

from sk_dcedenoise.masking import curves_from_volume, volume_from_curves

_FEWEST = 64


def transform_curves(estimator, curves):
    """Send a Dask array of curves through a fitted estimator, chunk by chunk.

    Parameters
    ----------
    estimator : fitted estimator
        A transformer of curves, such as a denoiser or a :class:`~sklearn.pipeline.Pipeline`.
    curves : dask.array.Array of shape (n_curves, n_times)
        Curves in chunks of any size; chunks along time are put together.

    Returns
    -------
    result : dask.array.Array of shape (n_curves, n_outputs)
        What ``estimator.transform`` gives, in the floating type of `curves`, in the same chunks of
        curves.

    Raises
    ------
    ImportError
        If Dask is not installed.
    ValueError
        If `curves` is no Dask array of two axes.

    Notes
    -----
    A worker holds a chunk and its result, and what the estimator needs beside them. Some ten
    thousand curves a chunk keep both the overhead and the memory small.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from sk_dcedenoise.baselines import PCADenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.scaleout import transform_curves
    >>> X, y = make_dce_curves(100, random_state=0)
    >>> denoiser = PCADenoiser().fit(X)
    >>> denoised = transform_curves(denoiser, da.from_array(X, chunks=(30, 32)))
    >>> np.allclose(denoised.compute(), denoiser.transform(X), rtol=1e-6)
    True
    """
    curves = _check_dask(curves, 2, "(n_curves, n_times)")
    return _map_voxels(_transform_chunk, estimator, curves)


def transform_volume(estimator, volume, mask=None):
    """Send a Dask array of one curve per voxel through a fitted estimator, chunk by chunk.

    Parameters
    ----------
    estimator : fitted estimator
        A transformer of curves, such as a denoiser or a :class:`~sklearn.pipeline.Pipeline`.
    volume : dask.array.Array of shape ``(*spatial, n_times)``
        Any number of spatial axes, time last, in chunks of any size; chunks along time are put
        together.
    mask : array-like or dask.array.Array of shape ``(*spatial,)``, default=None
        True (or 1) where a voxel is wanted; None wants all.

    Returns
    -------
    result : dask.array.Array of shape ``(*spatial, n_outputs)``
        What ``estimator.transform`` gives, in the floating type of `volume`, NaN outside the mask;
        its spatial chunks are those of `volume`.

    Raises
    ------
    ImportError
        If Dask is not installed.
    ValueError
        If `volume` is no Dask array, or the mask does not cover its spatial axes.

    Examples
    --------
    >>> import dask.array as da
    >>> from sk_dcedenoise.baselines import PCADenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.scaleout import transform_volume
    >>> X, y = make_dce_curves(4 * 5 * 6, random_state=0)
    >>> volume = da.from_array(X.reshape(4, 5, 6, 32), chunks=(2, 5, 3, 8))
    >>> transform_volume(PCADenoiser().fit(X), volume, mask=X[:, 9].reshape(4, 5, 6) > 0.1)
    dask.array<transformed, shape=(4, 5, 6, 32), dtype=float64, chunksize=(2, 5, 3, 32), ...>
    """
    da = _import_dask_array()
    volume = _check_dask(volume, None, "(*spatial, n_times)")
    mask = da.ones(volume.shape[:-1], dtype=bool) if mask is None else da.asarray(mask)
    if mask.shape != volume.shape[:-1]:
        raise ValueError(
            f"mask has shape {mask.shape}, but expected {volume.shape[:-1]}, that of the volume "
            "without time: give the mask of the same space."
        )
    # The mask gets a last axis, so that its chunks lie on those of the volume.
    mask = mask.rechunk(volume.chunks[:-1])[..., np.newaxis]
    return _map_voxels(_transform_masked_chunk, estimator, volume, mask)


def _map_voxels(function, estimator, curves, *masks):
    from dask import delayed

    n_outputs = len(estimator.get_feature_names_out())
    return _import_dask_array().map_blocks(
        function,
        curves,
        *masks,
        # Handed over once for each worker and not with each chunk.
        estimator=delayed(estimator, pure=True, traverse=False),
        dtype=_floating(curves.dtype),
        chunks=(*curves.chunks[:-1], (n_outputs,)),
        meta=np.empty((0,) * curves.ndim, dtype=_floating(curves.dtype)),
        token="transformed",
    )


def _transform_chunk(curves, estimator):
    # Matrix products of a few rows round otherwise than those of many: a small chunk is filled up
    # with its own curves.
    filled = np.resize(curves, (max(len(curves), _FEWEST), curves.shape[1]))
    # A Pipeline may be set to give data frames.
    result = np.asarray(estimator.transform(filled))[: len(curves)]
    return result.astype(_floating(curves.dtype), copy=False)


def _transform_masked_chunk(volume, mask, estimator):
    mask = mask[..., 0]
    curves = curves_from_volume(volume, mask)
    if len(curves) == 0:
        n_outputs = len(estimator.get_feature_names_out())
        return np.full((*mask.shape, n_outputs), np.nan, dtype=_floating(volume.dtype))
    return volume_from_curves(_transform_chunk(curves, estimator), mask)


def _floating(dtype):
    """The type that the steps of this package give back: float32 stays, others become float64."""
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)


def _check_dask(curves, n_axes, expected):
    da = _import_dask_array()
    is_array = isinstance(curves, da.Array)
    if not is_array or curves.ndim < 2 or curves.ndim != (n_axes or curves.ndim):
        shape = getattr(curves, "shape", None)
        raise ValueError(
            f"a {type(curves).__name__} of shape {shape} was given, but expected a Dask array of "
            f"shape {expected}: wrap it with dask.array.from_array."
        )
    return curves.rechunk({curves.ndim - 1: -1})


def _import_dask_array():
    try:
        import dask.array
    except ImportError as error:
        raise ImportError(
            "Dask is not installed, but arrays beyond memory need it: pip install "
            "'sk-dcedenoise[scale]'."
        ) from error
    return dask.array
