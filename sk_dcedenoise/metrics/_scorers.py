"""Scorers: callables (estimator, X, y) for searches and cross-validation; greater is better."""

import numpy as np
from sklearn.pipeline import Pipeline

from sk_dcedenoise.metrics._curves import cosine_similarity, root_mean_squared_error, snr_gain
from sk_dcedenoise.metrics._parameters import parameter_errors

_PARAMETER_NAMES = {"Ktrans", "kep", "ve", "vp", "Fp", "PS"}


def neg_curve_rmse_scorer(estimator, X, y):
    """Score the curves that an estimator gives by their negative root mean squared error.

    Parameters
    ----------
    estimator : fitted estimator
        Whatever turns noisy curves into clean ones by ``transform``, or else ``predict``. Of a
        :class:`~sklearn.pipeline.Pipeline` whose last step turns curves into kinetic parameters,
        the curves that enter this step are judged: the step's feature names tell it (Ktrans, kep,
        ve, vp, Fp, PS), or an output whose shape is not that of `y`.
    X : array-like of shape (n_curves, n_times)
        What the estimator takes: noisy curves.
    y : array-like of shape (n_curves, n_times)
        Clean curves.

    Returns
    -------
    score : float
        Negative error in mM; greater is better.

    Raises
    ------
    ValueError
        If no step gives curves of the shape of `y`.

    Notes
    -----
    Give it as ``scoring=`` to searches and cross-validation. The strings that scikit-learn knows
    do not do: they call ``predict``, which a pipeline ending in a kinetic fit has not, and "r2"
    weighs every frame alike, including those before the bolus that are constant.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sk_dcedenoise.baselines import PCADenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.metrics import neg_curve_rmse_scorer
    >>> X, y = make_dce_curves(300, random_state=0)
    >>> search = GridSearchCV(PCADenoiser(), {"n_components": [1, 3, 20]},
    ...                       scoring=neg_curve_rmse_scorer)
    >>> search.fit(X, y).best_params_
    {'n_components': 3}
    """
    return -root_mean_squared_error(y, _denoised(estimator, X, y))


def snr_gain_scorer(estimator, X, y):
    """Score the curves that an estimator gives by the mean gain of signal-to-noise ratio.

    Parameters
    ----------
    estimator : fitted estimator
        As for :func:`neg_curve_rmse_scorer`.
    X : array-like of shape (n_curves, n_times)
        Noisy curves in mM. (Signals, of a pipeline that begins with
        :class:`~sk_dcedenoise.preprocessing.SignalToConcentration`, have no common unit with `y`.)
    y : array-like of shape (n_curves, n_times)
        Clean curves in mM.

    Returns
    -------
    score : float
        Gain in dB, see :func:`snr_gain`; greater is better.

    Raises
    ------
    ValueError
        If no step gives curves of the shape of `y`.

    Examples
    --------
    >>> from sk_dcedenoise.baselines import IdentityDenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.metrics import snr_gain_scorer
    >>> X, y = make_dce_curves(10, random_state=0)
    >>> snr_gain_scorer(IdentityDenoiser().fit(X, y), X, y)
    0.0
    """
    return snr_gain(y, X, _denoised(estimator, X, y))


def cosine_similarity_scorer(estimator, X, y):
    """Score the curves that an estimator gives by their cosine similarity with the clean ones.

    Parameters
    ----------
    estimator : fitted estimator
        As for :func:`neg_curve_rmse_scorer`.
    X : array-like of shape (n_curves, n_times)
        Noisy curves.
    y : array-like of shape (n_curves, n_times)
        Clean curves.

    Returns
    -------
    score : float
        See :func:`cosine_similarity`; greater is better.

    Raises
    ------
    ValueError
        If no step gives curves of the shape of `y`.

    Examples
    --------
    >>> from sk_dcedenoise.baselines import IdentityDenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.metrics import cosine_similarity_scorer
    >>> X, y = make_dce_curves(10, noise_levels=0, random_state=0)
    >>> round(cosine_similarity_scorer(IdentityDenoiser().fit(X, y), X, y), 6)
    1.0
    """
    return cosine_similarity(y, _denoised(estimator, X, y))


def neg_parameter_error_scorer(pipeline, X, y):
    """Score a pipeline that ends in a kinetic fit by the parameters it gives.

    The last step is applied to the clean curves as well, and what it finds there is the truth: so
    no table of true parameters has to follow the curves through the folds.

    Parameters
    ----------
    pipeline : fitted Pipeline
        Its last step turns curves into parameters.
    X : array-like of shape (n_curves, n_times)
        What the pipeline takes: noisy curves.
    y : array-like of shape (n_curves, n_times)
        Clean curves in mM.

    Returns
    -------
    score : float
        The negative median absolute error of each parameter, divided by its mean on clean curves,
        averaged over the parameters; greater is better. Other columns of the last step, such as
        standard errors, do not count.

    Raises
    ------
    ValueError
        If `pipeline` is not a Pipeline, or a parameter could not be estimated for any curve.

    Notes
    -----
    The median, because ve = Ktrans / kep has no bounded error where little contrast washes out.
    Errors of the fit on clean curves themselves are not seen.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sk_dcedenoise.baselines import PCADenoiser, SavitzkyGolayDenoiser
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.fitting import ToftsTransformer
    >>> from sk_dcedenoise.metrics import neg_parameter_error_scorer
    >>> X, y = make_dce_curves(500, noise_levels=0.2, random_state=0)
    >>> tofts = ToftsTransformer(3.75 * np.arange(32))
    >>> pca = make_pipeline(PCADenoiser(), tofts).fit(X, y)
    >>> smooth = make_pipeline(SavitzkyGolayDenoiser(), tofts).fit(X, y)
    >>> neg_parameter_error_scorer(pca, X, y) > neg_parameter_error_scorer(smooth, X, y)
    True
    """
    if not isinstance(pipeline, Pipeline):
        raise ValueError(
            f"estimator is a {type(pipeline).__name__}, but expected a Pipeline whose last step "
            "gives parameters: use neg_curve_rmse_scorer for a denoiser alone."
        )
    true = _named_columns(pipeline[-1], pipeline[-1].transform(y))
    errors = parameter_errors(true, _named_columns(pipeline[-1], pipeline.transform(X)))
    relative = {
        name: errors[name]["median_abs_error"] / np.abs(values).mean()
        for name, values in true.items()
    }
    if not np.isfinite(list(relative.values())).all():
        raise ValueError(
            f"the relative errors of the parameters are {relative}, but expected finite values: "
            "check that the last step can fit the clean curves."
        )
    return -float(np.mean(list(relative.values())))


def _denoised(estimator, X, y):
    """The curves that an estimator gives, taken before a last step that gives parameters."""
    chained = isinstance(estimator, Pipeline)
    if not (chained and _gives_parameters(estimator[-1])):
        apply = estimator.transform if hasattr(estimator, "transform") else estimator.predict
        curves = np.asarray(apply(X))
        if not chained or curves.shape == np.shape(y):
            return curves
    return np.asarray(estimator[:-1].transform(X) if len(estimator) > 1 else X)


def _gives_parameters(step):
    """Whether a pipeline's last step names a column after a kinetic parameter."""
    return bool(_PARAMETER_NAMES & set(_names(step)))


def _names(step):
    return step.get_feature_names_out() if hasattr(step, "get_feature_names_out") else ()


def _named_columns(step, values):
    """Columns that are kinetic parameters, by name; all of them if none has such a name."""
    values = np.asarray(values, dtype=np.float64)
    columns = dict(zip(_names(step), values.T, strict=False))
    known = {name: column for name, column in columns.items() if name in _PARAMETER_NAMES}
    return known or dict(enumerate(values.T))
