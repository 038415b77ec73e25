"""What curves of a scan look like, tissue and noise, learned without a single clean one."""

import numbers
import warnings

import numpy as np
import torch
from sklearn.utils import check_random_state

from sk_dcedenoise._validation import check_fraction, check_whole_number
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.fitting._protocol import PARAMETERS
from sk_dcedenoise.semisynthetic._noise import learn_noise
from sk_dcedenoise.semisynthetic._simulator import Simulator
from sk_dcedenoise.semisynthetic._tissue import TissueLaw

# White noise alone leaves a little less than this.
_UNEXPLAINED = 0.8


class SemiSyntheticLaw:
    """A law of tissue and one of noise; together they draw pairs of noisy and clean curves.

    Parameters
    ----------
    simulator : Simulator
        Turns parameters into curves.
    tissue : TissueLaw
        How often which parameters occur.
    noise : NoiseLaw
        Levels of the noise, their dependence on the amplitude of a curve, covariance of frames.
    stratify : float, default=0.5
        0 draws tissue as often as it was seen, 1 each kind of it equally often.
    widen : float, default=0.05
        Share of curves drawn from a box around all parameters that were seen.
    """

    def __init__(self, simulator, tissue, noise, stratify=0.5, widen=0.05):
        self.simulator = simulator
        self.tissue = tissue
        self.noise = noise
        self.stratify = stratify
        self.widen = widen

    def draw(self, n_pairs, random_state=None, *, return_params=False):
        """Draw pairs of curves.

        Parameters
        ----------
        n_pairs : int
            How many.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. None draws fresh entropy.
        return_params : bool, default=False
            Whether to return the parameters that were drawn as well.

        Returns
        -------
        X_noisy : ndarray of shape (n_pairs, n_times)
            Noisy curves in mM.
        y_clean : ndarray of shape (n_pairs, n_times)
            Clean curves in mM.
        params : :class:`~sklearn.utils.Bunch`
            Only if `return_params`: arrays of shape (n_pairs,) called ``Ktrans`` (1/min), ``ve``,
            ``vp``, as far as the model has them, and ``delay`` (s), if it was fitted.
        """
        check_whole_number(n_pairs, "n_pairs")
        rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
        settings = {"stratify": self.stratify, "widen": self.widen}
        params = self.tissue.draw(n_pairs, rng, **settings)
        y_clean = self.simulator(params)
        generator = torch.Generator().manual_seed(int(rng.randint(2**31)))
        X_noisy = y_clean + self.noise.draw(torch.from_numpy(y_clean), generator).numpy()
        return (X_noisy, y_clean, params) if return_params else (X_noisy, y_clean)


def learn_law(X, tofts, *, stratify, widen, random_state):
    """Learn tissue and noise from noisy curves.

    Parameters
    ----------
    X : ndarray of shape (n_curves, n_times)
        Finite noisy curves in mM.
    tofts : ToftsTransformer
        Unfitted kinetic model.
    stratify, widen : float
        As :class:`SemiSyntheticLaw` takes them.
    random_state : RandomState
        Chooses what is looked at where there is more than needed.

    Returns
    -------
    law : SemiSyntheticLaw

    Raises
    ------
    ValueError
        If there are too few frames for the fit, or no curve can be fitted.
    """
    if not isinstance(stratify, numbers.Real) or not 0 <= stratify <= 1:
        raise ValueError(f"stratify={stratify!r}, but expected a number from 0 to 1.")
    check_fraction(widen, "widen")
    simulator = _simulator_of(tofts.fit(X))
    n_params = len(tofts.get_feature_names_out())
    if X.shape[1] <= n_params:
        raise ValueError(
            f"X has {X.shape[1]} feature(s), but expected more frames than the {n_params} "
            "parameters of the kinetic fit: give longer curves, or a model with fewer."
        )
    columns = tofts.transform(X).T
    params = dict(zip(tofts.get_feature_names_out(), columns, strict=True))
    # A curve of zeros is no measured one; it would teach that there is tissue without noise.
    usable = X.any(axis=1) & np.isfinite(columns).all(axis=0)
    if not usable.any():
        raise ValueError(
            f"X has {len(X)} curves and none of them can be fitted, but expected measured curves "
            "of tissue: check their units, the mask and the frame times."
        )
    _warn_if_unexplained(X[usable], simulator({k: v[usable] for k, v in params.items()}))
    X, params = X[usable], {name: values[usable] for name, values in params.items()}
    noise = learn_noise(X, params, simulator, random_state)
    whiten = None if noise.factor is None else np.linalg.inv(noise.factor)
    tissue = TissueLaw.learn(X, params, simulator, random_state, whiten)
    return SemiSyntheticLaw(simulator, tissue, noise, stratify, widen)


def _warn_if_unexplained(X, fitted):
    share = np.sum((X - fitted) ** 2) / np.sum(X**2)
    if share > _UNEXPLAINED:
        warnings.warn(
            f"The kinetic model leaves {share:.0%} of the energy of the curves unexplained, as if "
            "X were signals, or all tissue without enhancement, and not concentrations in mM: "
            "convert signals first, and check time, aif and delay.",
            UserWarning,
            stacklevel=4,
        )


def kinetic_model(time, aif, hematocrit, model, delay):
    """Return the unfitted model whose columns are all that a curve needs."""
    fits_delay = delay is not None and np.ndim(delay) > 0
    outputs = [*PARAMETERS.get(model, ()), *(["delay"] if fits_delay else [])]
    return ToftsTransformer(
        time, aif, model=model, hematocrit=hematocrit, delay=delay, outputs=outputs
    )


def _simulator_of(tofts):
    """The way back of a fitted kinetic model, in plain values."""
    protocol = tofts._protocol
    return Simulator(protocol.time, protocol.aif_time, protocol.cp, protocol.box.delay[0])
