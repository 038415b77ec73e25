"""Inner products that decide a fit, and the best amplitudes in a box for one rate."""

import torch


class Moments:
    """Inner products of curves, responses E and plasma C under the frame weights.

    Parameters
    ----------
    yE, yC : tensor of shape (n_curves, n_rungs), (n_curves, 1)
        Curve with each response, and with plasma.
    EE, EC, CC : tensor of shape (n_curves or 1, n_rungs), the last with one column
        Responses with themselves and with plasma, and plasma with itself.
    """

    def __init__(self, yE, yC, EE, EC, CC):
        self.yE, self.yC, self.EE, self.EC, self.CC = yE, yC, EE, EC, CC

    @classmethod
    def common(cls, curves, responses, plasma, weights):
        """All curves share the weights (n_times,)."""
        weighted = responses * weights
        return cls(
            curves @ weighted.T,
            (curves @ (plasma * weights))[:, None],
            (weighted * responses).sum(1)[None],
            (weighted @ plasma)[None],
            ((plasma * weights) @ plasma).reshape(1, 1),
        )

    @classmethod
    def individual(cls, curves, responses, plasma, weights):
        """Each curve has its own weights (n_curves, n_times)."""
        weighted = curves * weights
        return cls(
            weighted @ responses.T,
            (weighted @ plasma)[:, None],
            weights @ (responses**2).T,
            weights @ (responses * plasma).T,
            (weights @ plasma**2)[:, None],
        )


def box_optimum(yE, yC, EE, EC, CC, low, high, vp):
    """Best Ktrans in [low, high] and vp in its range, and their cost less the curve's energy.

    Outside the box of both free values, at least one of them stays at the bound that it wants to
    cross: so the better of the two edges is the optimum.
    """
    information = EE * CC - EC * EC
    known = information > 1e-13 * EE * CC
    inverse = torch.where(known, 1.0 / information, 0.0)
    vp_first = ((yC * EE - yE * EC) * inverse).clip(*vp)
    ktrans_then = torch.minimum(torch.maximum((yE - vp_first * EC) / EE, low), high)
    ktrans_first = torch.minimum(torch.maximum((yE * CC - yC * EC) * inverse, low), high)
    vp_then = ((yC - ktrans_first * EC) / CC).clip(*vp)
    cost_first = _cost(ktrans_then, vp_first, yE, yC, EE, EC, CC)
    cost_then = _cost(ktrans_first, vp_then, yE, yC, EE, EC, CC)
    # Written so that a NaN on the other edge does not win.
    better = ~(cost_first <= cost_then)
    ktrans = torch.where(better, ktrans_first, ktrans_then)
    plasma = torch.where(better, vp_then, vp_first)
    return ktrans, plasma, torch.where(better, cost_then, cost_first)


def _cost(ktrans, vp, yE, yC, EE, EC, CC):
    return ktrans * (ktrans * EE + 2.0 * (vp * EC - yE)) + vp * (vp * CC - 2.0 * yC)
