"""The law of the noise, learned from pairs of noisy and clean curves, to draw it anew."""

import numpy as np
import torch

from sk_dcedenoise._noise_levels import levels_behind


class NoiseLaw:
    """Level, dependence on amplitude, and correlation in time of the noise in training pairs.

    A curve with mean absolute value ``a`` gets Gaussian noise of standard deviation
    ``level * a**exponent``, its frames correlated by ``factor @ factor.T``.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,)
        Equally likely levels of the noise, after division by the amplitude of the curve to the
        power `exponent`.
    exponent : float
        0 for noise that does not depend on the amplitude, 1 for noise proportional to it.
    factor : ndarray of shape (n_times, n_times) or None
        Cholesky factor of the noise covariance at level one; None for white noise.
    """

    def __init__(self, levels, exponent, factor):
        self.levels = levels
        self.exponent = exponent
        self.factor = factor

    @classmethod
    def learn(cls, noise, clean):
        """Estimate the law from ``noise = noisy - clean``, both of shape (n_curves, n_times)."""
        return cls.of_covariance(noise, clean, _covariance_factor(noise), freedom=noise.shape[1])

    @classmethod
    def of_covariance(cls, noise, clean, factor, freedom):
        """Estimate levels and exponent where the covariance at level one is known.

        `freedom` is how many values of a curve's noise are independent: its frames, if nothing was
        fitted to them.
        """
        amplitude = np.abs(clean).mean(axis=1)
        level = np.sqrt((noise**2).mean(axis=1))
        exponent = _exponent(level, amplitude)
        if factor is not None:
            # Of independent values a level is told best; its power is that of the noise.
            white = np.sqrt((np.linalg.solve(factor, noise.T) ** 2).mean(axis=0))
            level = white * np.linalg.norm(level) / np.linalg.norm(white)
        unit = amplitude**exponent
        relative = np.divide(level, unit, out=np.zeros_like(level), where=unit > 0)
        return cls(levels_behind(relative, freedom), exponent, factor)

    def draw(self, clean, generator):
        """Return fresh noise for a tensor of clean curves, on the device of both."""
        levels = torch.as_tensor(self.levels, dtype=clean.dtype, device=clean.device)
        chosen = torch.randint(len(levels), (len(clean),), generator=generator, device=clean.device)
        level = levels[chosen] * clean.abs().mean(dim=1) ** self.exponent
        noise = torch.randn(
            clean.shape, generator=generator, device=clean.device, dtype=clean.dtype
        )
        if self.factor is not None:
            noise = noise @ torch.as_tensor(self.factor.T, dtype=clean.dtype, device=clean.device)
        return level[:, None] * noise

    def quiet_sd(self, clean):
        """Standard deviation of the quietest noise that clean curves get, one in twenty aside.

        Parameters
        ----------
        clean : ndarray of shape (n_curves, n_times)

        Returns
        -------
        sd : ndarray of shape (n_curves,)
        """
        levels = self.levels[self.levels > 0]
        quiet = np.quantile(levels, 0.05) if len(levels) else 0.0
        return quiet * np.abs(clean).mean(axis=1) ** self.exponent


def _exponent(level, amplitude):
    """Slope of log level on log amplitude; 0 or 1 where it cannot be told from them."""
    known = (level > 0) & (amplitude > 0)
    if known.sum() < 20:
        return 0.0
    x, y = np.log(amplitude[known]), np.log(level[known])
    x, y = x - x.mean(), y - y.mean()
    spread = (x**2).sum()
    if spread < 1e-6 * known.sum():
        return 0.0
    slope = (x * y).sum() / spread
    error = np.sqrt(((y - slope * x) ** 2).mean() / spread)
    for simple in (0.0, 1.0):
        if abs(slope - simple) <= 3 * error:
            return simple
    return float(np.clip(slope, 0.0, 1.0))


def _covariance_factor(noise):
    """Cholesky factor of the covariance at level one, or None where it looks white."""
    level = np.sqrt((noise**2).mean(axis=1))
    seen = level > 0
    unit_noise = noise[seen] / level[seen, None]
    n_curves, n_times = unit_noise.shape
    if n_curves < 10 * n_times:
        return None
    covariance = unit_noise.T @ unit_noise / n_curves
    # The entries of a sample covariance of white noise have standard error 1/sqrt(n), sqrt(2/n) on
    # the diagonal. Five of them leave one wrong verdict in a thousand for 32 frames.
    if np.abs(covariance - np.eye(n_times)).max() < 5 * np.sqrt(2 / n_curves):
        return None
    jitter = 1e-6 * np.trace(covariance) / n_times
    return np.linalg.cholesky(covariance + jitter * np.eye(n_times))
