"""The scikit-learn face of the kinetic fit."""

import importlib
import numbers

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sk_dcedenoise._validation import check_option, check_time
from sk_dcedenoise.fitting._box import check_box
from sk_dcedenoise.fitting._engine import fit_curves, quick_searches
from sk_dcedenoise.fitting._protocol import PARAMETERS, Protocol
from sk_dcedenoise.fitting._report import Report
from sk_dcedenoise.tofts import extended_tofts


class ToftsTransformer(TransformerMixin, BaseEstimator):
    """Kinetic parameters of DCE-MRI concentration curves, one row per curve.

    Each curve is fitted to its least-squares optimum within bounds, with an exact convolution.
    Curves go in, parameters come out; :meth:`inverse_transform` goes back. No curve can make the
    fit of the others fail: one that cannot be fitted becomes a row of NaN.

    Parameters
    ----------
    time : array-like of shape (n_times,)
        Frame times in seconds, strictly increasing.
    aif : str, array-like of shape (n_times,), pair of arrays or callable, default="parker"
        Arterial input function, plasma concentration in mM, as
        :func:`~sk_dcedenoise.aif.plasma_curve` takes it: the name of a published formula, values
        on `time`, a pair ``(aif_time, values)``, or a function of seconds.
    model : {"extended_tofts", "tofts", "patlak"}, default="extended_tofts"
        ``vp Cp + Ktrans * integral of Cp(u) exp(-kep (t - u)) du`` with ``kep = Ktrans / ve``;
        the same without plasma (vp = 0); the same without return (kep = 0).
    hematocrit : float in [0, 1), default=None
        None takes `aif` as plasma; a number takes it as blood and divides it by 1 - hematocrit.
    delay : float or pair (low, high), default=None
        Seconds by which the bolus reaches the tissue later than `aif` says. A number is taken as
        known; a pair makes it a parameter of each curve, fitted in that range. None means 0.
    bounds : dict, default=None
        Ranges ``(low, high)`` by name, for any of "Ktrans" (0, 5) and "kep" (0, 50) in 1/min, and
        "ve" (0, 1) and "vp" (0, 1); in parentheses what holds for those not named. The fit is the
        best one for which all four lie in their ranges.
    outputs : list of str, default=None
        Columns of the result. None means ``["Ktrans", "ve", "vp"]``, less what `model` lacks.
        Any of "Ktrans", "ve", "vp", "kep", "delay" (if fitted), the same with ``"_se"`` for
        standard errors, "residual_std" (mM), "r2" and "status" (see :class:`FitStatus`).
    weights : array-like of shape (n_times,), default=None
        Weight of each frame in the sum of squares; 0 leaves a frame out. None means 1.
    dtype : {"float32", "float64"}, default=None
        How exactly to compute the first pass over all curves. None means the number type of the
        curves. What is delicate is done in float64 in any case.
    device : str or torch.device, default="cpu"
        Where to compute.
    chunk_size : int, default=16384
        Curves that are fitted together. Memory beyond the result depends on it, the result does
        not.
    compiled : bool, default=False
        Whether to search in compiled loops: the same optima in less time on the CPU, most of all
        where they lie on the edges of the box. Needs numba. The loops are compiled anew in each
        process, for each number type and when they are first used, which takes as long as some
        millions of fits; no file is written. Fits with a delay, with weights of a curve's own,
        with missing frames, and of the Patlak model run as without.

    Attributes
    ----------
    n_features_in_ : int
        Number of frames.
    feature_names_in_ : ndarray of shape (n_times,)
        Column names of the curves; only if they were all strings.

    Notes
    -----
    *Box.* With the default bounds a curve is fitted in the box 0 <= Ktrans <= 5 /min,
    0 <= ve <= 1, 0 <= vp <= 1, as far as Ktrans / ve does not exceed 50 /min. Where nothing
    enters the tissue, Ktrans = 0, the curve does not define ve and kep; both are at their lowest.

    *Missing frames.* NaN marks a frame that is missing and is left out of the fit of its curve
    alone. A curve with no more frames than parameters, or with an infinite value, cannot be
    fitted.

    *Method.* Variable projection [1]_: for one rate kep the model is linear in Ktrans and vp. One
    matrix product projects all curves on a ladder of rates; a polynomial around the best rung gives
    kep, and closed forms the rest. Curves whose optimum lies outside the box, or that miss
    frames, are fitted once more, with the closed form of the box for each rate. A ladder is as
    long as the protocol needs for rates exact to 1e-5 (float32) or 1e-6 (float64).

    *Standard errors* follow from linear theory at the optimum, with n_frames - n_parameters degrees
    of freedom. A parameter at a bound counts as fixed there: its error is NaN.

    References
    ----------
    .. [1] G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
       squares problems whose variables separate", SIAM J. Numer. Anal. 10, 413-432, 1973,
       doi:10.1137/0710036.
    .. [2] P. S. Tofts, "Modeling tracer kinetics in dynamic Gd-DTPA MR imaging", J. Magn. Reson.
       Imaging 7, 91-101, 1997, doi:10.1002/jmri.1880070113.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.fitting import ToftsTransformer
    >>> from sk_dcedenoise.tofts import extended_tofts
    >>> time = np.arange(32) * 3.75
    >>> curves = extended_tofts(time, Ktrans=[0.1, 0.2], ve=[0.3, 0.2], vp=[0.01, 0.02])
    >>> fit = ToftsTransformer(time).fit(curves)
    >>> fit.transform(curves).round(4)
    array([[0.1 , 0.3 , 0.01],
           [0.2 , 0.2 , 0.02]])
    >>> fit.get_feature_names_out()
    array(['Ktrans', 've', 'vp'], dtype=object)
    """

    def __init__(
        self,
        time,
        aif="parker",
        *,
        model="extended_tofts",
        hematocrit=None,
        delay=None,
        bounds=None,
        outputs=None,
        weights=None,
        dtype=None,
        device="cpu",
        chunk_size=16384,
        compiled=False,
    ):
        self.time = time
        self.aif = aif
        self.model = model
        self.hematocrit = hematocrit
        self.delay = delay
        self.bounds = bounds
        self.outputs = outputs
        self.weights = weights
        self.dtype = dtype
        self.device = device
        self.chunk_size = chunk_size
        self.compiled = compiled

    def fit(self, X, y=None):
        """Check curves and settings, and work out what all curves share.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Curves in mM. Nothing is learned from their values.
        y : None
            Ignored.

        Returns
        -------
        self : ToftsTransformer
        """
        X = self._check_curves(X, reset=True)
        self._check_settings()
        time = check_time(self._frame_times(), n_times=X.shape[1])
        box = check_box(self.bounds, self.model, self.delay)
        weights = _check_weights(self.weights, time.shape, "weights")
        self._protocol = Protocol(time, self.aif, self.hematocrit, self.model, box, weights)
        self._outputs = list(PARAMETERS[self.model] if self.outputs is None else self.outputs)
        for name in self._outputs:
            check_option(name, "outputs", self._protocol.possible_outputs)
        return self

    def transform(self, X, curve_weights=None):
        """Fit each curve.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Curves in mM; NaN where a frame is missing. Not modified.
        curve_weights : array-like of shape (n_curves, n_times), default=None
            Weights of the frames of each curve, on top of `weights`; 0 leaves a frame out.

        Returns
        -------
        parameters : ndarray of shape (n_curves, n_outputs)
            Columns as named by :meth:`get_feature_names_out`, in the number type of `X`.
        """
        check_is_fitted(self)
        X = self._check_curves(X, reset=False)
        return self._fit_columns(X, self._outputs, curve_weights)

    def predict(self, X):
        """The same as :meth:`transform`, for scorers that ask for predictions.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Curves in mM.

        Returns
        -------
        parameters : ndarray of shape (n_curves, n_outputs)
            Columns as named by :meth:`get_feature_names_out`.
        """
        check_is_fitted(self)
        X = self._check_curves(X, reset=False)
        return self._fit_columns(X, self._outputs)

    def inverse_transform(self, X):
        """Curves of the model for given parameters.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_outputs)
            Parameters, columns as named by :meth:`get_feature_names_out`.

        Returns
        -------
        curves : ndarray of shape (n_curves, n_times)
            Tissue concentration in mM. A NaN parameter gives a curve of NaN.

        Raises
        ------
        ValueError
            If the outputs leave a parameter of the model undefined.
        """
        check_is_fitted(self)
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != len(self._outputs):
            raise ValueError(
                f"X has shape {X.shape}, but expected (n_curves, {len(self._outputs)}): give the "
                f"columns {self._outputs}."
            )
        return self._curves(dict(zip(self._outputs, X.T, strict=True)), X.dtype)

    def score(self, X, y=None):
        """Share of the curves' variance that the fitted model explains, pooled over frames.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Curves to fit, in mM.
        y : array-like of shape (n_curves, n_times), default=None
            Curves to compare the fitted ones with, as a rule the clean ones: then the score
            judges all steps of a Pipeline that ends in the fit. None compares with `X`.

        Returns
        -------
        score : float
            Variance-weighted R2, at most 1. Missing frames and curves without a fit are left out.
        """
        check_is_fitted(self)
        X = self._check_curves(X, reset=False)
        truth = X if y is None else np.asarray(y, dtype=np.float64)
        if truth.shape != X.shape:
            raise ValueError(
                f"y has shape {truth.shape}, but expected {X.shape}: give the clean curves, one "
                "for each of X, or None."
            )
        names = list(PARAMETERS[self.model]) + ["delay"] * self._protocol.fits_delay
        found = self._fit_columns(X.astype(np.float64, copy=False), names)
        miss = self._curves(dict(zip(names, found.T, strict=True)), np.float64) - truth
        known = np.isfinite(miss)
        truth = np.where(known, truth, np.nan)
        if not known.any():
            return np.nan
        spread = truth - _column_means(truth)
        total = np.sum(spread**2, where=known)
        return 1.0 - np.sum(miss**2, where=known) / total if total > 0 else np.nan

    def get_feature_names_out(self, input_features=None):
        """Names of the columns.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
        """
        check_is_fitted(self)
        return np.asarray(self._outputs, dtype=object)

    def _frame_times(self):
        return self.time

    def _check_curves(self, X, *, reset):
        # Missing frames are NaN, and an infinite value costs only its own curve.
        return validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=False
        )

    def _check_settings(self):
        check_option(self.model, "model", tuple(PARAMETERS))
        check_option(self.dtype, "dtype", (None, "float32", "float64"))
        if not isinstance(self.chunk_size, numbers.Integral) or self.chunk_size < 1:
            raise ValueError(
                f"chunk_size={self.chunk_size!r}, but expected a whole number of at least 1."
            )
        if self.compiled:
            _check_compiled(self.device)
        if torch.device(self.device).type == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                f"device={self.device!r}, but torch finds no CUDA device: use device='cpu', or a "
                "torch build and driver for the GPU."
            )

    def _fit_columns(self, X, names, curve_weights=None):
        if curve_weights is not None:
            curve_weights = _check_weights(curve_weights, X.shape, "curve_weights")
        device = torch.device(self.device)
        result = np.empty((len(X), len(names)), dtype=X.dtype)
        report = Report(self._protocol, names, result, device)
        dtype = X.dtype.name if self.dtype is None else self.dtype
        searches = quick_searches(dtype, device, self.compiled)
        fit_curves(X, self._protocol, curve_weights, searches, device, self.chunk_size, report)
        return result

    def _curves(self, columns, dtype):
        """Model curves from columns by name."""
        if "ve" not in columns and "kep" in columns and "Ktrans" in columns:
            with np.errstate(divide="ignore", invalid="ignore"):
                ve = columns["Ktrans"] / columns["kep"]
            columns["ve"] = np.where(columns["Ktrans"] == 0.0, 0.0, ve)
        needed = list(PARAMETERS[self.model]) + ["delay"] * self._protocol.fits_delay
        missing = [name for name in needed if name not in columns]
        if missing:
            raise ValueError(
                f"The columns {list(columns)} lack {missing[0]!r}, but expected all of {needed}: "
                "add it to outputs."
            )
        return extended_tofts(
            self._protocol.time,
            columns["Ktrans"],
            columns.get("ve", np.inf) if self.model != "patlak" else np.inf,
            columns.get("vp", 0.0) if self.model != "tofts" else 0.0,
            aif=(self._protocol.aif_time, self._protocol.cp),
            delay=columns.get("delay", self._protocol.box.delay[0]),
        ).astype(dtype, copy=False)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_protocol")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check_weights(weights, shape, name):
    if weights is None:
        return np.ones(shape)
    weights = np.array(weights, dtype=np.float64)
    if weights.shape != shape:
        raise ValueError(
            f"{name} has shape {weights.shape}, but expected {shape}: give one weight per frame"
            f"{' of each curve' if len(shape) == 2 else ''}."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            f"{name} contains negative, NaN or infinite values, but expected finite weights of at "
            "least zero: use 0 for a frame that should not count."
        )
    return weights


def _check_compiled(device):
    if torch.device(device).type != "cpu":
        raise ValueError(
            f"compiled=True and device={device!r}, but compiled loops run on the CPU: use "
            "compiled=False, or device='cpu'."
        )
    try:
        importlib.import_module("numba")
    except ImportError as error:
        raise ImportError(
            "compiled=True needs numba, which cannot be imported here: "
            "pip install 'sk-dcedenoise[compiled]', or use compiled=False."
        ) from error


def _column_means(values):
    """Mean of each column over what is not NaN, 0 for an empty column."""
    known = np.isfinite(values)
    return np.sum(values, axis=0, where=known) / np.maximum(known.sum(axis=0), 1)
