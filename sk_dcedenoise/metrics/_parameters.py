"""Errors of kinetic parameters."""

import numpy as np


def parameter_errors(params_true, params_est, *, names=None):
    """Errors of estimated kinetic parameters, one row of figures per parameter.

    Parameters
    ----------
    params_true, params_est : array-like of shape (n_curves, n_params), mapping or DataFrame
        True and estimated parameters. Where both have names (a mapping of names to arrays of shape
        (n_curves,), such as the params of :func:`~sk_dcedenoise.datasets.make_dce_curves`, or a
        DataFrame), columns are matched by name, and names that only one of them has are left out.
        NaN in `params_est` marks curves without an estimate.
    names : sequence of str, default=None
        Names of the columns of arrays; needed if at least one of the two is an array.

    Returns
    -------
    errors : dict of dict
        For each parameter, in its own unit unless said otherwise:

        - ``bias``: mean of estimate minus truth;
        - ``rmse``: root of the mean squared difference;
        - ``median_abs_error``: which a few wild fits cannot move;
        - ``relative_bias`` and ``relative_rmse``: the same divided by the mean of the truth;
        - ``n_missing``: number of curves without a finite estimate, which the others leave out.

        ``pandas.DataFrame(errors)`` makes a table of it.

    Raises
    ------
    ValueError
        If shapes differ, no name is shared, an array comes without names, or the truth is not
        finite.

    Examples
    --------
    >>> from sk_dcedenoise.metrics import parameter_errors
    >>> errors = parameter_errors({"Ktrans": [0.1, 0.3], "vp": [0.01, 0.03]},
    ...                           {"Ktrans": [0.1, 0.4]})
    >>> {name: round(value, 3) for name, value in errors["Ktrans"].items()}
    {'bias': 0.05, 'rmse': 0.071, 'median_abs_error': 0.05, 'relative_bias': 0.25,
     'relative_rmse': 0.354, 'n_missing': 0}
    """
    true, est = _columns(params_true, names), _columns(params_est, names)
    shared = [name for name in est if name in true]
    if not shared:
        raise ValueError(
            f"params_est has columns {list(est)} and params_true has {list(true)}, but expected "
            "at least one in common: rename the columns."
        )
    return {name: _errors_of_one(true[name], est[name], name) for name in shared}


def _columns(params, names):
    """Names and float64 columns of a mapping, a DataFrame or an array."""
    if hasattr(params, "keys"):
        return {name: np.asarray(params[name], dtype=np.float64) for name in params}
    values = np.asarray(params, dtype=np.float64)
    if names is None or values.ndim != 2 or len(names) != values.shape[1]:
        raise ValueError(
            f"parameters have shape {values.shape} with names={names}, but expected (n_curves, "
            "n_params) and as many names: give names= for arrays."
        )
    return dict(zip(names, values.T, strict=True))


def _errors_of_one(true, est, name):
    """Figures of one parameter."""
    if true.shape != est.shape or not np.isfinite(true).all() or true.size == 0:
        raise ValueError(
            f"{name} has {true.size} true values, {np.isfinite(true).sum()} of them finite, and "
            f"{est.size} estimates, but expected one finite true value per estimate."
        )
    known = np.isfinite(est)
    missing = int(est.size - known.sum())
    keys = ("bias", "rmse", "median_abs_error", "relative_bias", "relative_rmse")
    if missing == est.size:
        return {**dict.fromkeys(keys, np.nan), "n_missing": missing}
    difference = est[known] - true[known]
    bias, rmse = difference.mean(), np.sqrt((difference**2).mean())
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.array([bias, rmse]) / true[known].mean()
    values = (bias, rmse, np.median(np.abs(difference)), *relative)
    return {**{k: float(v) for k, v in zip(keys, values, strict=True)}, "n_missing": missing}
