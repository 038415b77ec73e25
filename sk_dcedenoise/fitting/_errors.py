"""Standard errors and goodness of fit."""

import torch

from sk_dcedenoise.fitting._status import at_bounds


def standard_errors(design, curves, weights, parameters, protocol):
    """Standard errors of the parameters, residual standard deviation and R2, by column name.

    The covariance is that of linear theory at the optimum, s**2 inv(J' W J) with s**2 the
    weighted residual sum of squares per degree of freedom. A parameter at a bound is held there:
    its error is NaN, and those of the others are for that value.
    """
    p = {name: values.to(torch.float64) for name, values in parameters.items()}
    y = curves.to(torch.float64)
    w = torch.where(y.isfinite(), weights.to(y), 0.0)
    y = torch.where(y.isfinite(), y, 0.0)
    E, E_kep, E_delay, C, C_delay = design(p["kep"], p["delay"])
    k, v = p["Ktrans"][:, None], p["vp"][:, None]
    rest = y - k * E - v * C
    free = _free_parameters(p, protocol)
    # With ve held, kep moves with Ktrans.
    along = torch.where(free["ve_held"], p["kep"] / p["Ktrans"], 0.0)[:, None]
    jacobian = torch.stack([E + along * k * E_kep, k * E_kep, C, k * E_delay + v * C_delay], dim=2)
    mask = torch.stack([free[name] for name in ("Ktrans", "kep", "vp", "delay")], dim=1)
    n_frames = (w > 0).sum(1)
    variance = (w * rest * rest).sum(1) / (n_frames - mask.sum(1))
    covariance = variance[:, None, None] * _inverse(jacobian, w, mask)
    columns = _errors(covariance, p, free)
    mean = (w * y).sum(1) / w.sum(1)
    spread = (w * (y - mean[:, None]) ** 2).sum(1)
    columns["residual_std"] = variance.sqrt()
    columns["r2"] = torch.where(spread > 0, 1.0 - (w * rest * rest).sum(1) / spread, torch.nan)
    return columns


def _free_parameters(p, protocol):
    """Which of Ktrans, kep, vp and delay vary in the neighbourhood of the optimum (bool)."""
    box = protocol.box
    held = {}
    for name in ("Ktrans", "ve", "vp", "kep", "delay"):
        if name in protocol.fitted:
            low, high = at_bounds(p[name], getattr(box, name))
            held[name] = low | high | p[name].isnan()
        else:
            held[name] = torch.ones_like(p["Ktrans"], dtype=torch.bool)
    leaks = p["Ktrans"] > 0
    has_rate = "kep" in protocol.fitted
    ve_held = held["ve"] & leaks & has_rate
    free = {name: ~held[name] for name in ("Ktrans", "vp", "delay")}
    free["kep"] = ~held["kep"] & ~ve_held & leaks
    # With ve at a bound, one of Ktrans and kep follows the other, and stops where that stops.
    free["Ktrans"] &= ~(ve_held & held["kep"])
    free["ve_held"] = ve_held
    return free


def _inverse(jacobian, w, mask):
    """Inverse of J' W J over the free parameters; NaN for the others."""
    jacobian = jacobian * mask[:, None, :]
    normal = (jacobian * w[..., None]).mT @ jacobian
    size = torch.diagonal(normal, dim1=1, dim2=2).sqrt()
    size = torch.where(size > 0, size, 1.0)
    normal = normal / (size[:, :, None] * size[:, None, :])
    normal = normal + torch.diag_embed((~mask).to(normal))
    inverse, failed = torch.linalg.inv_ex(normal.nan_to_num())
    inverse = torch.where((failed > 0)[:, None, None], torch.nan, inverse)
    inverse = inverse / (size[:, :, None] * size[:, None, :])
    known = mask[:, :, None] & mask[:, None, :]
    return torch.where(known, inverse, torch.nan)


def _errors(covariance, p, free):
    variances = torch.diagonal(covariance, dim1=1, dim2=2)
    ktrans, kep, vp, delay = variances.clip(min=0.0).sqrt().unbind(1)
    # ve = Ktrans / kep: both errors and their covariance, or one alone where the other is held.
    by_ktrans, by_kep = 1.0 / p["kep"], -p["Ktrans"] / p["kep"] ** 2
    both = by_ktrans**2 * variances[:, 0] + by_kep**2 * variances[:, 1]
    both = both + 2.0 * by_ktrans * by_kep * covariance[:, 0, 1]
    ve = torch.where(free["Ktrans"] & free["kep"], both.clip(min=0.0).sqrt(), torch.nan)
    ve = torch.where(free["Ktrans"] & ~free["kep"], by_ktrans * ktrans, ve)
    ve = torch.where(~free["Ktrans"] & free["kep"], -by_kep * kep, ve)
    ve = torch.where(free["ve_held"], torch.nan, ve)
    kep = torch.where(free["ve_held"], p["kep"] / p["Ktrans"] * ktrans, kep)
    columns = {"Ktrans": ktrans, "ve": ve, "vp": vp, "kep": kep, "delay": delay}
    return {f"{name}_se": values for name, values in columns.items()}
