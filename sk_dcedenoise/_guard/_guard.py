"""A guard that keeps a network from doing harm: at low noise, and outside its training law.

A network gives the mean of what a curve may have been under its training law. Where the curve may
be of other tissue, with what probability a small network tells that has seen both, the mean over
both laws is the best estimate: network, and mean of other tissue, mixed by that probability. Inside
the law the network errs, as does any other; part of what it removed is put back, and small
networks of the guard's own, which err otherwise, get the weight that makes the mixture best. What
lies outside the directions of curves is taken out if it is noise; if not, the curve is handed out
as it came.
"""

import math
from functools import partial

import torch

from sk_dcedenoise._guard._both_laws import (
    SHARE_ANY,
    any_level,
    now_and_then_any_level,
    other_curves,
    training_curves,
)
from sk_dcedenoise._guard._coefficients import Coefficients, seen_by
from sk_dcedenoise._guard._directions import directions
from sk_dcedenoise._guard._expected import TAILS, Expected, exceeded, share_beyond
from sk_dcedenoise._guard._judge import Judge
from sk_dcedenoise._guard._law_mean import LawMean
from sk_dcedenoise._guard._other_tissue import FILTERED

# With fewer training curves than this having a smoother rest, a rest is no noise. A curve that is
# handed out as it came keeps an error of four times the network's: that may happen by chance to
# hardly any.
_NO_NOISE = 0.0001
_TINY = 1e-30


class Guard:
    """Judge what a network removed from curves, and mix network and data.

    Parameters
    ----------
    analysis, synthesis : ndarray of shape (n_times, n_times)
    n_signal, n_kept : int
        As in :class:`Directions`.
    knows_size : bool
        Whether the network knows curves by their size, or by their form alone.
    judge : Judge
        Tells other tissue.
    of_training, of_other : LawMean
        What is noise in curves of the training law, and of other tissue.
    expected : Expected
        What the network removes from training curves.
    smooth_rest, smooth_others : ndarray of shape (n_tails,)
        Logarithms of the energy in the smooth half of the rest over that in the rough half that
        shares `TAILS` of training curves exceed; and with it all kept directions beyond the signal.
    far : ndarray of shape (n_tails,)
        The same of the size of the logarithms of the lesser of these shares, and of the share of
        the removed part.
    share, taken_out, not_of_law : float, default=0.65, 0.5, 0.01
        As in :class:`OtherTissue`.
    """

    def __init__(
        self,
        analysis,
        synthesis,
        n_signal,
        n_kept,
        knows_size,
        judge,
        of_training,
        of_other,
        expected,
        smooth_rest,
        smooth_others,
        far,
        share=FILTERED.share,
        taken_out=FILTERED.taken_out,
        not_of_law=FILTERED.not_of_law,
    ):
        self.analysis, self.synthesis = analysis, synthesis
        self.n_signal, self.n_kept = n_signal, n_kept
        self.knows_size = knows_size
        self.judge, self.expected = judge, expected
        self.of_training, self.of_other = of_training, of_other
        self.smooth_rest, self.smooth_others, self.far = smooth_rest, smooth_others, far
        self.share, self.taken_out, self.not_of_law = share, taken_out, not_of_law

    def has_shapes_for(self, n_times):
        """Whether all arrays fit each other and curves of `n_times` frames."""
        return (
            self.analysis.shape == self.synthesis.shape == (n_times, n_times)
            and 0 < self.n_signal <= self.n_kept < n_times
            and self.judge.has_shapes_for(self.n_kept)
            and self.of_training.has_shapes_for(self.n_kept)
            and self.of_other.has_shapes_for(self.n_kept)
            and self.expected.has_shapes_for(self.n_signal, self.n_kept)
            and 0 < self.share < 1
            and 0 <= self.taken_out <= 1
            and 0 < self.not_of_law <= 1
            and self.smooth_rest.shape == self.smooth_others.shape == self.far.shape == TAILS.shape
        )

    @classmethod
    def learn(cls, infer, clean, noise_law, n_curves, generator, knows_size=True, tissue=FILTERED):
        """Learn from what a network does to clean curves with fresh noise.

        Parameters
        ----------
        infer : callable
            The network, from a tensor of curves to a tensor of curves.
        clean : tensor of shape (n_clean, n_times)
            Clean curves, in the network's units and on its device.
        noise_law : NoiseLaw
            Law of the training noise.
        n_curves : int
            Number of curves to learn from; fewer than a few thousand give a rough guard.
        generator : torch.Generator
            On the device of `clean`.
        knows_size : bool, default=True
            Whether what the network does depends on the size of a curve.
        tissue : OtherTissue, default=FILTERED

        Returns
        -------
        guard : Guard or None
            None where curves have too few frames to tell noise from signal, or no noise.
        """
        view = directions(clean, noise_law) if (noise_law.levels > 0).any() else None
        if view is None:
            return None
        n_curves = min(n_curves, tissue.most_curves)
        coefficients = partial(Coefficients, view=view, knows_size=knows_size)
        usual = training_curves(clean, noise_law, generator)
        now_and_then = now_and_then_any_level(noise_law)
        # The judge sees training curves under any noise, too, as it does others.
        training, judged, other = (
            seen_by(draw, coefficients)
            for draw in (
                usual,
                training_curves(clean, now_and_then, generator),
                other_curves(clean, now_and_then, generator, view, tissue),
            )
        )
        means = [
            LawMean.learn(draw, view.n_kept, n_curves, generator, tissue.passes)
            for draw in (training, other)
        ]
        judge = Judge.learn(judged, other, means, n_curves, generator, tissue.width, tissue.passes)

        n_any = int(SHARE_ANY * n_curves)
        any_noise = training_curves(clean, any_level(noise_law), generator)
        drawn = usual(n_curves - n_any), any_noise(n_any)
        curves, noise = (torch.cat(v) for v in zip(*drawn, strict=True))
        seen = coefficients(curves + noise)
        removed, noise = seen.removed(infer(curves + noise)), seen.of(noise)
        partners = [mean(seen.data, seen.by_size) for mean in means]
        is_usual = torch.arange(n_curves) < n_curves - n_any
        expected = Expected.learn(
            seen.level, removed, partners, noise, seen.sd[:, 0], is_usual, view.n_signal
        )
        explained = expected.explained(seen.level, removed)
        rest, others = seen.smoothness()
        tails = _exceeded(rest), _exceeded(others)
        shares = explained, _share_beyond(rest, tails[0]), _share_beyond(others, tails[1])
        far = _exceeded(_far(*shares))
        settings = tissue.share, tissue.taken_out, tissue.not_of_law
        return cls(*view, knows_size, judge, *means, expected, *tails, far, *settings)

    def __call__(self, curves, denoised, share=None):
        """Mix network and data.

        Parameters
        ----------
        curves, denoised : tensor of shape (n_curves, n_times)
            What went into the network and what came out.
        share : float, default=None
            Share of curves that are expected to be of other tissue; None takes the guard's own.

        Returns
        -------
        guarded : tensor of shape (n_curves, n_times)
        trust : tensor of shape (n_curves,)
            Probability that the curve is of the training law.
        score : tensor of shape (n_curves,)
            Share of training curves that are explained worse than this one.
        """
        seen = Coefficients(curves, self, self.knows_size)
        removed = seen.removed(denoised)
        partners = [mean(seen.data, seen.by_size) for mean in (self.of_training, self.of_other)]
        odd = self.judge(seen.data, partners, seen.by_size)
        of_law_removed = self.expected.mixed(seen.level, removed, partners)
        explained = self.expected.explained(seen.level, removed)
        rest, others = seen.smoothness()
        is_noise = _share_beyond(rest, self.smooth_rest)
        far = _far(explained, is_noise, _share_beyond(others, self.smooth_others))
        score = _share_beyond(far, self.far)
        share = self.share if share is None else share
        of_law = torch.sigmoid(math.log((1 - share) / share) - odd)
        trust = of_law * (score / self.not_of_law).clamp(max=1.0).square()
        of_other_removed = partners[1]
        of_other_removed[:, : self.n_signal] *= self.taken_out
        weight = (self.expected.fading(seen.level) * trust)[:, None]
        removed = torch.lerp(of_other_removed, of_law_removed, weight)
        mixed = seen.without(removed)
        # Where there is no noise at all, there is none to take out.
        of_tissue = (is_noise / _NO_NOISE).clamp(max=1.0).square() * seen.has_noise
        return torch.lerp(curves, mixed, of_tissue[:, None]), trust * of_tissue, score


def _far(explained, rest, others):
    """How far a curve is from training curves, by two shares that hardly depend on each other."""
    least = torch.minimum(rest, others)
    # Between the sum, best where both are small, and the larger, best where one of them is.
    explained, least = ((-v.clamp(min=_TINY).log()).pow(1.5) for v in (explained, least))
    return (explained + least).pow(1 / 1.5)


def _exceeded(values):
    return exceeded(values.double().cpu().numpy())


def _share_beyond(values, tails):
    return share_beyond(values, torch.as_tensor(tails[None]).to(values))
