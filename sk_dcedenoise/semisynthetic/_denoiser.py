"""A denoiser that trains itself on pairs made after the noisy curves it is given."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from sk_dcedenoise._validation import check_finite_curves, check_whole_number
from sk_dcedenoise.denoisers import DenoiserVanillaNL
from sk_dcedenoise.semisynthetic._law import kinetic_model, learn_law

_DTYPES = [np.float64, np.float32]


def _its_estimator_has(name):
    """Whether the estimator, fitted or not, has a method."""

    def check(self):
        inner = getattr(self, "estimator_", self.estimator)
        getattr(DenoiserVanillaNL if inner is None else inner, name)
        return True

    return check


class SemiSyntheticDenoiser(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Denoiser for a scan without clean curves: it makes its own training pairs.

    From the noisy curves, `fit` learns which kinetic parameters occur and what the noise is like,
    draws noisy and clean curves after both, and trains `estimator` on them.

    Parameters
    ----------
    estimator : denoiser, default=None
        Any estimator that learns from noisy curves X and clean curves y and has ``transform``.
        None means :class:`~sk_dcedenoise.denoisers.DenoiserVanillaNL`, seeded by `random_state`,
        with ``guard=0.35``: tissue that the law lacks is rarer where it was learned from the scan.
    time : array-like of shape (n_times,)
        Frame times in seconds, strictly increasing.
    aif : str, array-like of shape (n_times,), pair of arrays or callable, default="parker"
        Arterial input function, plasma concentration in mM, as
        :func:`~sk_dcedenoise.aif.plasma_curve` takes it.
    hematocrit : float in [0, 1), default=None
        None takes `aif` as plasma; a number takes it as blood and divides it by 1 - hematocrit.
    model : {"extended_tofts", "tofts", "patlak"}, default="extended_tofts"
        Kinetic model, see :class:`~sk_dcedenoise.fitting.ToftsTransformer`.
    delay : float or pair (low, high), default=None
        Seconds by which the bolus reaches the tissue later than `aif` says. A number is taken as
        known, a pair as the range in which each curve has its own. None means 0.
    n_pairs : int, default=20000
        Number of pairs to train on.
    stratify : float in [0, 1], default=0.5
        0 draws tissue as often as it was seen, 1 each of its kinds (a factor of two in every
        parameter) equally often. Between, the share of a kind goes with its frequency to the
        power of ``1 - stratify``, so that rare lesions are not trained away.
    widen : float in [0, 1), default=0.05
        Share of pairs that are drawn from all of a box around the parameters seen, for tissue
        that the fit missed.
    random_state : int, RandomState instance or None, default=None
        Seed of what is drawn; `estimator`, if given, has its own. None draws fresh entropy.

    Attributes
    ----------
    estimator_ : denoiser
        Trained clone of `estimator`.
    law_ : SemiSyntheticLaw
        What was learned: ``law_.draw(n_pairs, random_state)`` draws more pairs, ``law_.tissue``
        and ``law_.noise`` are its two halves.
    n_features_in_ : int
        Number of frames.
    feature_names_in_ : ndarray of shape (n_times,)
        Column names of the curves; only if they were all strings.

    Notes
    -----
    *Tissue.* Parameters fitted to noisy curves scatter more than the true ones. They and others
    nearby become candidates, and a few steps of expectation-maximisation, towards the law that
    makes the curves most likely [1]_, [2]_, weigh them. What is drawn lies around a candidate, by a
    bandwidth that follows from their spread and number.

    *Noise.* Levels come from the residuals of the fit, frames before the bolus among them, and what
    the fit took with it is given back. Whether noise grows with the amplitude of a curve, differs
    between frames, or is correlated over neighbouring ones is learned where it is certain, else
    noise is taken as white. Frames where most curves miss the model by more than three times what
    they do elsewhere, as when the bolus comes at another time, count as misfit and not as noise.
    What else the model cannot say looks like noise and is treated as noise.

    *Curves that are left out.* NaN and infinity are refused; mask those curves out first. Curves of
    zeros (padding) and curves without a fit teach nothing and are skipped. Tissue that does not
    enhance is tissue, and is learned as such.

    Denoising is only as good as the law is wide: tissue far from all that the scan showed `fit` is
    drawn to what it knows.

    References
    ----------
    .. [1] N. Laird, "Nonparametric maximum likelihood estimation of a mixing distribution", J. Am.
       Stat. Assoc. 73, 805-811, 1978, doi:10.1080/01621459.1978.10480103.
    .. [2] W. H. Richardson, "Bayesian-based iterative method of image restoration", J. Opt. Soc.
       Am. 62, 55-59, 1972, doi:10.1364/JOSA.62.000055, for few steps from an even start.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_dcedenoise.datasets import make_dce_curves
    >>> from sk_dcedenoise.denoisers import DenoiserVanillaNL
    >>> from sk_dcedenoise.semisynthetic import SemiSyntheticDenoiser
    >>> X, y = make_dce_curves(300, random_state=0)  # y is only looked at in the end
    >>> network = DenoiserVanillaNL(max_steps=200, random_state=0)
    >>> time = 3.75 * np.arange(32)
    >>> denoiser = SemiSyntheticDenoiser(network, time=time, n_pairs=2000, random_state=0)
    >>> denoised = denoiser.fit(X).transform(X)
    >>> bool(np.sum((denoised - y) ** 2) < 0.5 * np.sum((X - y) ** 2))
    True
    >>> X_new, y_new = denoiser.law_.draw(4, random_state=1)
    >>> X_new.shape
    (4, 32)
    """

    def __init__(
        self,
        estimator=None,
        *,
        time,
        aif="parker",
        hematocrit=None,
        model="extended_tofts",
        delay=None,
        n_pairs=20000,
        stratify=0.5,
        widen=0.05,
        random_state=None,
    ):
        self.estimator = estimator
        self.time = time
        self.aif = aif
        self.hematocrit = hematocrit
        self.model = model
        self.delay = delay
        self.n_pairs = n_pairs
        self.stratify = stratify
        self.widen = widen
        self.random_state = random_state

    def fit(self, X, y=None):
        """Learn the law of the curves, draw pairs after it, and train on them.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves in mM. Not modified.
        y : None
            Ignored.

        Returns
        -------
        self : SemiSyntheticDenoiser

        Raises
        ------
        ValueError
            If X holds NaN or infinity, no curve can be fitted, or a parameter is out of range.

        Warns
        -----
        UserWarning
            If the model explains next to nothing of the curves, as it does of signals.
        """
        X = self._check_curves(X, reset=True).astype(np.float64, copy=False)
        check_whole_number(self.n_pairs, "n_pairs")
        none = self.random_state is None
        rng = np.random.RandomState() if none else check_random_state(self.random_state)
        tofts = kinetic_model(
            self._frame_times(), self.aif, self.hematocrit, self.model, self.delay
        )
        settings = {"stratify": self.stratify, "widen": self.widen}
        self.law_ = learn_law(X, tofts, random_state=rng, **settings)
        pairs = self.law_.draw(self.n_pairs, rng)
        self.estimator_ = self._new_estimator(rng).fit(*pairs)
        return self

    def transform(self, X):
        """Denoise curves.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves in mM.

        Returns
        -------
        X_denoised : ndarray of shape (n_curves, n_times)
            In mM and the dtype of X.
        """
        check_is_fitted(self)
        X = self._check_curves(X, reset=False)
        return np.asarray(self.estimator_.transform(X))

    @available_if(_its_estimator_has("score_samples"))
    def score_samples(self, X):
        """Tell how well the trained estimator explains each curve.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves in mM.

        Returns
        -------
        scores : ndarray of shape (n_curves,)
            As :meth:`~sk_dcedenoise.denoisers.DenoiserVanillaNL.score_samples` counts: near 0 for
            curves unlike all that it was trained on.
        """
        check_is_fitted(self)
        return self.estimator_.score_samples(self._check_curves(X, reset=False))

    @available_if(_its_estimator_has("trust"))
    def trust(self, X):
        """Tell how far the guard of the trained estimator goes by the network, curve by curve.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves in mM.

        Returns
        -------
        trust : ndarray of shape (n_curves,)
            Probability that the curve is of the learned law, as
            :meth:`~sk_dcedenoise.denoisers.DenoiserVanillaNL.trust` has it.
        """
        check_is_fitted(self)
        return self.estimator_.trust(self._check_curves(X, reset=False))

    @available_if(_its_estimator_has("fell_back"))
    def fell_back(self, X):
        """Tell which curves the guard of the trained estimator takes from the network.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves in mM.

        Returns
        -------
        mask : ndarray of shape (n_curves,), bool
        """
        check_is_fitted(self)
        return self.estimator_.fell_back(self._check_curves(X, reset=False))

    def predict(self, X):
        """Denoise curves; the same as :meth:`transform`.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves in mM.

        Returns
        -------
        X_denoised : ndarray of shape (n_curves, n_times)
        """
        return self.transform(X)

    def score(self, X, y=None):
        """Share of the variance of clean curves that is explained, all frames together.

        Parameters
        ----------
        X : array-like of shape (n_curves, n_times)
            Noisy curves.
        y : array-like of shape (n_curves, n_times), default=None
            Their clean curves. None, as there are none in a scan, draws pairs of the learned law,
            as many as X has curves and always the same.

        Returns
        -------
        score : float
            1 is perfect.
        """
        check_is_fitted(self)
        if y is None:
            X, y = self.law_.draw(len(X), 0)
        return r2_score(y, self.transform(X), multioutput="variance_weighted")

    def _frame_times(self):
        return self.time

    def _new_estimator(self, rng):
        if self.estimator is None:
            return DenoiserVanillaNL(guard=0.35, random_state=int(rng.randint(2**31)))
        return clone(self.estimator)

    def _check_curves(self, X, *, reset):
        X = validate_data(self, X, reset=reset, dtype=_DTYPES, ensure_all_finite=False)
        check_finite_curves(X)
        return X

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = self.random_state is None
        return tags
