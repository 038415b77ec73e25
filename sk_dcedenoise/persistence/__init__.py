"""Fitted estimators in files that last: arrays and plain JSON, nothing that could run."""

import os
import warnings

from sklearn.utils.validation import check_is_fitted

from sk_dcedenoise.persistence._estimators import describe, rebuild
from sk_dcedenoise.persistence._file import ArraysRead, ArraysWritten, read, write

__all__ = ["load", "save"]


def save(estimator, path):
    """Save a fitted estimator to one file.

    Parameters
    ----------
    estimator : fitted estimator
        A denoiser, a :class:`~sk_dcedenoise.fitting.ToftsTransformer`, a step of
        :mod:`sk_dcedenoise.preprocessing`, a baseline, a
        :class:`~sk_dcedenoise.semisynthetic.SemiSyntheticDenoiser` of one of these, one of
        scikit-learn's StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler and PCA, a
        FrozenEstimator around one, or a :class:`~sklearn.pipeline.Pipeline` of them.
    path : path or str
        The file; one that is there is replaced once the new one is complete.

    Raises
    ------
    ValueError
        If the estimator, a loss, an optimiser or a parameter is none that a file can hold, such as
        a function given as AIF.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    load : The way back.

    Notes
    -----
    The file is in the safetensors format: arrays, and a JSON header with the format's version, the
    classes by name, parameters, learned attributes, a checksum, and the versions of the libraries
    that wrote it.

    What a network needs in order to train on is kept as far as it belongs to the model: weights,
    scale, noise law, history (its numbers), state of the random numbers. Left out are callbacks,
    the state of the optimiser (`partial_fit` starts it anew), and `memory` of a Pipeline.

    Examples
    --------
    >>> import tempfile, os
    >>> import numpy as np
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserVanillaNL
    >>> from sk_dcedenoise.persistence import load, save
    >>> X, y = make_dce_curves(60, random_state=0)
    >>> denoiser = DenoiserVanillaNL(max_epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "denoiser.safetensors")
    ...     save(denoiser, path)
    ...     opened = load(path)
    >>> np.array_equal(opened.transform(X), denoiser.transform(X))
    True
    """
    check_is_fitted(estimator)
    arrays = ArraysWritten()
    record = describe(estimator, arrays, "")
    write(path, record, arrays)


def load(path, *, max_bytes=2**31):
    """Open an estimator that :func:`save` has saved.

    Nothing in a file can run: it holds numbers and names, and only names of known classes count.

    Parameters
    ----------
    path : path or str
        The file.
    max_bytes : int, default=2**31
        Largest file that is opened.

    Returns
    -------
    estimator : fitted estimator
        Predicts bit for bit as the one that was saved, on the same machine and versions.

    Raises
    ------
    ValueError
        If the file is damaged, foreign, too large, of another format, or does not fit together.
    FileNotFoundError
        If there is no such file.

    Warns
    -----
    UserWarning
        If an estimator was saved with a device that is not here; it then opens on the CPU.

    See Also
    --------
    save : Also shows an example.
    """
    path = os.fspath(path)
    record, arrays = read(path, max_bytes)
    arrays = ArraysRead(arrays)
    absent = []
    try:
        estimator = rebuild(record, arrays, absent)
        arrays.check_all_used()
    except ImportError:
        raise
    except Exception as error:
        # Whatever a file made by others leads to, it is the file that is at fault.
        reason = "".join(filter(str.isprintable, str(error))) or type(error).__name__
        raise ValueError(
            f"{path!r} does not describe an estimator that can be rebuilt ({reason[:200]}), but "
            "expected one that save has written: save it again where it was made."
        ) from error
    if absent:
        warnings.warn(
            f"{path!r} was saved with device={absent[0]!r}, which is not here: it opens on the "
            "CPU.",
            UserWarning,
            stacklevel=2,
        )
    return estimator
