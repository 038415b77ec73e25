"""How the guard sees curves."""

import torch

from sk_dcedenoise._guard._directions import smoothness

_TINY = 1e-30


class Coefficients:
    """Curves in a view of them and in units of their noise.

    Parameters
    ----------
    curves : tensor of shape (n_curves, n_times)
    view : Directions
        Or a guard, which holds the same.
    knows_size : bool
        Whether curves are known by their size, or by their form alone.

    Attributes
    ----------
    data : tensor of shape (n_curves, n_kept)
    sd : tensor of shape (n_curves, 1)
        Their unit: the noise.
    has_noise : tensor of shape (n_curves,)
    rest : tensor of shape (n_curves, n_times - n_kept)
        Squares of the coefficients that hold nothing else, not in these units.
    level : tensor of shape (n_curves,)
        Logarithm of noise over signal.
    by_size : tensor of shape (n_curves,)
        Logarithm of the noise, if curves are known by their size, else of noise over signal.
    """

    def __init__(self, curves, view, knows_size):
        self.n_signal, self.n_kept = view.n_signal, view.n_kept
        self.analysis = torch.as_tensor(view.analysis).to(curves)
        self.synthesis = torch.as_tensor(view.synthesis[: self.n_kept]).to(curves)
        data = curves @ self.analysis
        self.rest = data[:, self.n_kept :].square()
        noise = self.rest.mean(1, keepdim=True).sqrt()
        self.sd, self.has_noise = noise + _TINY, noise[:, 0] > 0
        size = data[:, : self.n_signal].square().mean(1).sqrt() + _TINY
        self.data = data[:, : self.n_kept] / self.sd
        self.level = (self.sd[:, 0] / size).log()
        self.by_size = self.sd[:, 0].log() if knows_size else self.level

    def of(self, curves):
        """Other curves, or the noise of these, in the same view and units."""
        return curves @ self.analysis[:, : self.n_kept] / self.sd

    def removed(self, denoised):
        """What is no longer in denoised curves."""
        return self.data - self.of(denoised)

    def without(self, removed):
        """Curves without what was removed, and without the rest."""
        return ((self.data - removed) * self.sd) @ self.synthesis

    def smoothness(self):
        """That of the rest, and that of all that is no signal."""
        others = (self.data[:, self.n_signal :] * self.sd).square()
        return smoothness(self.rest), smoothness(self.rest, others)


def seen_by(draw, coefficients):
    """A draw of curves and noise, as a draw of what :class:`LawMean` learns from."""

    def draw_seen(n_curves):
        curves, noise = draw(n_curves)
        seen = coefficients(curves + noise)
        return seen.data, seen.by_size, seen.of(noise)

    return draw_seen
