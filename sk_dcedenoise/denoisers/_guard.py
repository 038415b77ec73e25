"""A guard that keeps a network from doing harm: at low noise, and outside its training law.

What a network takes out of a curve should be noise. The guard looks at the removed part in the few
directions in which clean curves live, in units of the curve's own noise, and compares it with what
the same network removes from training curves at that noise. Where the network errs by more than
the noise, part of the removed is put back. Where the removed part is unlike that of
training curves, the network is not trusted: the curve is projected on the directions of clean
curves, and on a few more where it stands out of its noise there. That takes out most of the noise
and leaves a kinetic fit as it was. Where what that would remove is not noise either, the curve is
handed out as it came.
"""

import numpy as np
import torch

from sk_dcedenoise.denoisers._noise import NoiseLaw

# Directions beyond those of clean curves, at most and as a share of the frames. Three in eight are
# their next ones, the others those of curves that come so many frames earlier or later.
_MOST_SPARE, _FRAMES_PER_SPARE = 8, 4
_NEXT, _SHIFTS = 3 / 8, (-3, -2, -1, 0, 1, 2, 3)
# How far a curve has to stand out there, in standard deviations of its noise, from a network that
# is trusted, and from zero where none is, in their next directions and in those of shifted curves.
_FROM_NETWORK, _FROM_ZERO, _SHIFTED_FROM_ZERO = 4.0, 2.5, 3.5
# With fewer frames, noise cannot be told from signal.
_FEWEST_FRAMES = 8
# Curves for the comparison, at most, and in each class of noise level, at least.
_MOST_CURVES, _CURVES_PER_LEVEL = 16384, 1000
# Noise levels looked at, relative to the least and the largest of training.
_BELOW, _ABOVE = 1 / 4, 2.0
# Shares of training curves whose distances are kept; what is beyond is extrapolated.
_TAILS = np.array([1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002])
# How much odder the rest of a curve has to be than the removed part, in shares of training curves.
_STRICTER = 0.02
_TINY = 1e-30


class Guard:
    """Judge what a network removed from curves, and mix network and data.

    Parameters
    ----------
    analysis : ndarray of shape (n_times, n_times)
        ``curves @ analysis`` are coefficients in which the noise is white: `n_signal` of the
        directions of clean curves, then `n_spare` more, then the rest from rough to smooth.
    synthesis : ndarray of shape (n_times, n_times)
        The inverse of `analysis`.
    n_signal, n_spare : int
        Number of directions in which the removed part is judged, and of those next to them.
    levels : ndarray of shape (n_levels,)
        Logarithms of noise over signal, increasing, at which the arrays below were learned.
    gains : ndarray of shape (n_levels, n_signal, n_signal)
        How much of the removed part to put back.
    centres : ndarray of shape (n_levels, n_signal)
    whiteners : ndarray of shape (n_levels, n_signal, n_signal)
        Mean, and transposed inverse Cholesky factor of the covariance, of the removed part.
    distances : ndarray of shape (n_levels, n_tails)
        Squared distances from the centre that shares `_TAILS` of training curves exceed.
    smoothness : ndarray of shape (n_tails,)
        Logarithms of the energy in the smooth half of the rest over that in the rough, likewise.
    """

    def __init__(
        self,
        n_signal,
        n_spare,
        analysis,
        synthesis,
        smoothness,
        levels,
        gains,
        centres,
        whiteners,
        distances,
    ):
        self.n_signal, self.n_spare = n_signal, n_spare
        self.analysis, self.synthesis = analysis, synthesis
        self.smoothness, self.levels, self.gains = smoothness, levels, gains
        self.centres, self.whiteners, self.distances = centres, whiteners, distances

    def has_shapes_for(self, n_times):
        """Whether all arrays fit each other and curves of `n_times` frames."""
        k, n_levels = self.n_signal, len(self.levels)
        return n_levels >= 2 and {
            "analysis": (n_times, n_times),
            "synthesis": (n_times, n_times),
            "smoothness": (len(_TAILS),),
            "levels": (n_levels,),
            "gains": (n_levels, k, k),
            "centres": (n_levels, k),
            "whiteners": (n_levels, k, k),
            "distances": (n_levels, len(_TAILS)),
        } == {name: v.shape for name, v in self._arrays()}

    def _arrays(self):
        return [(name, v) for name, v in vars(self).items() if not name.startswith("n_")]

    @classmethod
    def learn(cls, infer, clean, noise_law, n_curves, generator):
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
            Number of curves to learn from; fewer than a few hundred give a rough guard.
        generator : torch.Generator
            On the device of `clean`.

        Returns
        -------
        guard : Guard or None
            None where curves have too few frames to tell noise from signal, or no noise.
        """
        levels = noise_law.levels[noise_law.levels > 0]
        truth = _some_of(clean, int(min(n_curves, _MOST_CURVES)), generator)
        directions = _directions(clean, noise_law, levels) if len(levels) else None
        if directions is None:
            return None
        analysis, synthesis, n_signal, n_spare = directions
        low, high = np.log(np.quantile(levels, [0.02, 0.98]) * (_BELOW, _ABOVE))
        spread = NoiseLaw(np.exp(np.linspace(low, high, 256)), noise_law.exponent, noise_law.factor)
        noisy = truth + spread.draw(truth, generator)
        coefficients = noisy.double().cpu().numpy() @ analysis
        signal = analysis[:, :n_signal]
        denoised, truth = (v.double().cpu().numpy() @ signal for v in (infer(noisy), truth))
        rest = coefficients[:, n_signal + n_spare :]
        sd = np.sqrt((rest**2).mean(axis=1)) + _TINY
        removed = (coefficients[:, :n_signal] - denoised) / sd[:, None]
        missing = (truth - denoised) / sd[:, None]
        size = np.sqrt((coefficients[:, :n_signal] ** 2).mean(axis=1)) + _TINY
        return cls(
            n_signal,
            n_spare,
            analysis=analysis,
            synthesis=synthesis,
            smoothness=_exceeded(_smoothness(torch.from_numpy(rest**2)).numpy()),
            **_by_level(np.log(sd / size), removed, missing),
        )

    def __call__(self, curves, denoised, share):
        """Mix network and data.

        Parameters
        ----------
        curves, denoised : tensor of shape (n_curves, n_times)
            What went into the network and what came out.
        share : float
            Share of training curves that are not, or not wholly, trusted to the network.

        Returns
        -------
        guarded : tensor of shape (n_curves, n_times)
        trust : tensor of shape (n_curves,)
            Weight of the network, 0 to 1.
        score : tensor of shape (n_curves,)
            Share of training curves that are explained worse than this one.
        """
        k, kept = self.n_signal, self.n_signal + self.n_spare
        a = {name: torch.as_tensor(v).to(curves) for name, v in self._arrays()}
        data, network = curves @ a["analysis"], denoised @ a["analysis"][:, :kept]
        data, rest = data[:, :kept], data[:, kept:].square()
        energy = rest.sum(1, keepdim=True) + _TINY
        sd = (energy / rest.shape[1]).sqrt()
        removed = (data - network) / sd
        size = data[:, :k].square().mean(1).sqrt() + _TINY
        explained, back = self._explained((sd[:, 0] / size).log(), removed[:, :k], a)
        is_noise = _tail_share(_smoothness(rest), a["smoothness"][None])

        # Beyond the signal the network has nothing to add, and the data only what stands out.
        spare = removed[:, k:]
        network += sd * torch.cat([back, spare * _stands_out(spare, _FROM_NETWORK)], dim=1)
        least = data.new_full((self.n_spare,), _SHIFTED_FROM_ZERO)
        least[: int(_NEXT * self.n_spare)] = _FROM_ZERO
        data[:, k:] *= _stands_out(data[:, k:] / sd, least)
        whether_noise = (is_noise / (_STRICTER * share)).clamp(max=1.0)
        whether_explained = (explained / share).clamp(max=1.0)
        mixed = torch.lerp(data, network, whether_explained[:, None]) @ a["synthesis"][:kept]
        guarded = torch.lerp(curves, mixed, whether_noise[:, None])
        trust = whether_explained * whether_noise
        return guarded, trust, torch.minimum(explained, is_noise)

    def _explained(self, level, removed, a):
        """Share of training curves with odder removed parts, and how much to put back."""
        levels = a["levels"]
        lower = (torch.searchsorted(levels, level.contiguous()) - 1).clamp(0, len(levels) - 2)
        upper = ((level - levels[lower]) / (levels[lower + 1] - levels[lower])).clamp(0.0, 1.0)
        explained, back = torch.zeros_like(level), torch.zeros_like(removed)
        for at, weight in ((lower, 1.0 - upper), (lower + 1, upper)):
            gained = torch.einsum("ni,nij->nj", removed, a["gains"][at])
            white = torch.einsum("ni,nij->nj", removed - a["centres"][at], a["whiteners"][at])
            explained += weight * _tail_share(white.square().sum(1), a["distances"][at])
            back += weight[:, None] * gained
        return explained, back


def _stands_out(values, least):
    """0 below, 1 above, and in between over half a standard deviation, so that nothing jumps."""
    return (2.0 * (values.abs() - least) + 0.5).clamp(0.0, 1.0)


def _some_of(clean, n_curves, generator):
    chosen = torch.randint(len(clean), (n_curves,), generator=generator, device=clean.device)
    return clean.index_select(0, chosen)


def _directions(clean, noise_law, levels):
    """Analysis, synthesis, and numbers of signal and of spare directions; or None."""
    n_times = clean.shape[1]
    if n_times < _FEWEST_FRAMES:
        return None
    factor = np.eye(n_times) if noise_law.factor is None else noise_law.factor
    clean = clean.double().cpu().numpy()
    quiet = np.quantile(levels, 0.05) * (np.abs(clean).mean(axis=1) ** noise_law.exponent).mean()
    whiten = np.linalg.inv(factor).T
    values, vectors = _principal(clean @ whiten)
    n_spare = min(_MOST_SPARE, n_times // _FRAMES_PER_SPARE)
    n_signal = np.count_nonzero(values > (quiet / 2) ** 2)
    n_signal = int(np.clip(n_signal, 1, n_times // 2 - n_spare))
    n_known = n_signal + int(_NEXT * n_spare)
    known, others = vectors[:, :n_known], vectors[:, n_known:]
    _, turn = _principal(_shifted(clean[:_CURVES_PER_LEVEL]) @ whiten @ others)
    shifted, rest = np.split(others @ turn, [n_signal + n_spare - n_known], axis=1)
    neighbours = 0.5 * (np.eye(n_times, k=1) + np.eye(n_times, k=-1))
    _, turn = np.linalg.eigh(rest.T @ neighbours @ rest)
    basis = np.hstack([known, shifted, rest @ turn])
    return whiten @ basis, basis.T @ factor.T, n_signal, n_spare


def _principal(vectors):
    """Mean squares along principal axes, falling, and the axes as columns."""
    values, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    return values[::-1], axes[:, ::-1]


def _shifted(curves):
    """Curves that come some frames earlier or later, their ends held."""
    frames = np.arange(curves.shape[1])
    return np.concatenate([curves[:, np.clip(frames - s, 0, frames[-1])] for s in _SHIFTS])


def _smoothness(rest):
    """Logarithm of the energy in the smooth half over that in the rough half, squares given."""
    rough, smooth = rest.tensor_split([rest.shape[1] // 2], dim=1)
    return ((smooth.mean(1) + _TINY) / (rough.mean(1) + _TINY)).log()


def _by_level(level, removed, missing):
    """What to put back and what to expect, in classes of equally many curves by noise level."""
    n_levels = max(2, len(level) // _CURVES_PER_LEVEL)
    found = {name: [] for name in ("levels", "gains", "centres", "whiteners", "distances")}
    for class_ in np.array_split(np.argsort(level), n_levels):
        z = removed[class_]
        second = z.T @ z
        # A ridge, since a network that is nearly right makes parts of this nearly singular.
        ridge = (1e-3 * np.trace(second) / len(second) + _TINY) * np.eye(len(second))
        centre = z.mean(axis=0)
        covariance = np.atleast_2d(np.cov(z.T)) + 1e-6 * np.eye(z.shape[1])
        whitener = np.linalg.inv(np.linalg.cholesky(covariance)).T
        distance = (((z - centre) @ whitener) ** 2).sum(axis=1)
        found["levels"].append(level[class_].mean())
        found["gains"].append(np.linalg.solve(second + ridge, z.T @ missing[class_]))
        found["centres"].append(centre)
        found["whiteners"].append(whitener)
        found["distances"].append(_exceeded(distance))
    return {name: np.array(values) for name, values in found.items()}


def _exceeded(values):
    """Values that shares `_TAILS` exceed, strictly increasing."""
    quantiles = np.quantile(values, 1 - _TAILS)
    step = 1e-6 * (np.abs(quantiles).max() + _TINY)
    return np.maximum.accumulate(quantiles) + step * np.arange(len(quantiles))


def _tail_share(values, quantiles):
    """Share beyond each value, between the quantiles and after them linear in its logarithm."""
    log_tails = torch.as_tensor(np.log(_TAILS)).to(values)
    upper = (values[:, None] > quantiles).sum(1).clamp(1, len(log_tails) - 1)
    quantiles = quantiles.expand(len(values), -1)
    high = quantiles.gather(1, upper[:, None])[:, 0]
    low = quantiles.gather(1, upper[:, None] - 1)[:, 0]
    slope = (log_tails[upper] - log_tails[upper - 1]) / (high - low)
    return (log_tails[upper - 1] + slope * (values - low)).clamp(max=0.0).exp()
