"""How far the data bear out what a network made of them, curve by curve."""

import numpy as np
from scipy.stats import f as f_distribution

from sk_dcedenoise.fitting import FitStatus

# A change that noise alone would exceed this often is as it should be.
_USUAL = 0.05


def guard(denoiser, noisy, denoised, kinetic, columns):
    """Return denoised curves, trust from 0 to 1, and the network's way with what it distrusts.

    A denoiser that judges itself (``trust``) is taken at its word, and its curves are as it made
    them. For any other, the kinetic fit of the noisy curve is an estimate without prior: as far as
    the denoised curve is right, it differs from that fit by no more than noise in as many
    directions as the model has parameters. The ratio of that difference per parameter to the
    residual variance then follows an F distribution. Trust is the probability of a larger ratio,
    divided by 0.05 and cut at 1; below 1, the curve is blended with the noisy one by that share. A
    curve without enhancement stays as it is.

    Parameters
    ----------
    denoiser : fitted denoiser
    noisy, denoised : ndarray of shape (n_curves, n_times)
        Curves in mM.
    kinetic : KineticFit
        The model, fitted with its residuals.
    columns : mapping of str to ndarray of shape (n_curves,)
        Its fit of the noisy curves.

    Returns
    -------
    denoised : ndarray of shape (n_curves, n_times)
        Curves in mM.
    trust : ndarray of shape (n_curves,)
    """
    if hasattr(denoiser, "trust"):
        return denoised, denoiser.trust(noisy)
    moved = np.sum((kinetic.curves(columns) - denoised) ** 2, axis=1) / kinetic.n_params
    left = noisy.shape[1] - kinetic.n_params
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = moved / columns["residual_std"] ** 2
    # Where there is no enhancement, or nothing but the model's curve, nothing may move at all.
    still = (columns["status"] & FitStatus.NO_SIGNAL > 0) | ~np.isfinite(ratio)
    ratio = np.where(still, np.where(moved > 0, np.inf, 0.0), ratio)
    trust = np.minimum(f_distribution.sf(ratio, kinetic.n_params, left) / _USUAL, 1.0)
    return noisy + trust[:, None] * (denoised - noisy), trust
