"""The parameters of a batch of curves."""

import torch


class Fit:
    """One batch of fitted curves: tensors of shape (n_curves,).

    Ktrans and kep in 1/min, vp a fraction, delay in s. Where nothing enters the tissue
    (Ktrans = 0), kep and ve are not defined by the curve and stand at their lowest values.
    """

    def __init__(self, ktrans, kep, vp, delay):
        self.ktrans, self.kep, self.vp, self.delay = ktrans, kep, vp, delay

    def put(self, rows, other, which=slice(None)):
        """Replace some rows by those `which` of another batch."""
        for name in ("ktrans", "kep", "vp", "delay"):
            getattr(self, name)[rows] = getattr(other, name)[which]

    def rows(self, which):
        """Some of the curves."""
        return Fit(self.ktrans[which], self.kep[which], self.vp[which], self.delay[which])

    def blank(self, rows):
        """Turn rows without an answer into NaN."""
        for values in (self.ktrans, self.kep, self.vp, self.delay):
            values[rows] = torch.nan

    def parameters(self, box):
        """All parameters by name."""
        # Where nothing enters the tissue, zero over zero is to be zero.
        ve = self.ktrans / self.kep.clip(min=torch.finfo(self.kep.dtype).tiny)
        return {
            "Ktrans": self.ktrans,
            "ve": ve.clip_(*box.ve),
            "vp": self.vp,
            "kep": self.kep,
            "delay": self.delay,
        }
