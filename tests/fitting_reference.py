"""An independent kinetic fit, curve by curve: scipy on a closed form written for these tests."""

import numpy as np
from scipy.optimize import least_squares

TIME = np.arange(32) * 3.75


def peaked_aif(time):
    """A plasma curve with a first pass, in mM, zero at the start."""
    minutes = np.asarray(time) / 60.0
    bolus = 6.0 * (minutes / 0.18) * np.exp(1.0 - minutes / 0.18)
    return bolus + 0.9 * (1.0 - np.exp(-4.0 * minutes)) * np.exp(-0.1 * minutes)


def response(time, kep, aif_time, cp):
    """Convolution with exp(-kep t): a sum over the kinks of the piecewise-linear plasma curve."""
    since = np.maximum(np.subtract.outer(time, aif_time), 0.0) / 60.0
    slope = np.diff(cp) / np.diff(aif_time) * 60.0
    kinks = np.diff(np.concatenate([[0.0], slope, [0.0]]))
    x = kep * since
    safe = np.where(x < 1e-3, 1.0, x)
    step = np.where(x < 1e-3, 1 - x / 2 + x**2 / 6 - x**3 / 24, -np.expm1(-safe) / safe)
    ramp = np.where(x < 1e-3, 0.5 - x / 6 + x**2 / 24 - x**3 / 120, (1 - step) / safe)
    return since[:, 0] * step[:, 0] * cp[0] + (since**2 * ramp) @ kinks


def plasma(time, aif_time, cp):
    return np.interp(time, aif_time, cp, left=0.0)


def model(ktrans, kep, vp, delay=0.0, *, time, aif_time, cp):
    seen = time - delay
    return ktrans * response(seen, kep, aif_time, cp) + vp * plasma(seen, aif_time, cp)


STARTS = ((0.1, 0.3, 0.01), (0.1, 1.5, 0.02), (0.3, 6.0, 0.1), (0.5, 30.0, 0.01))


def best_fit(curve, *, time, aif_time, cp, weights=None, starts=STARTS, delays=None, vp_high=1.0):
    """Lowest weighted sum of squares in the default box, from several starts, and where it is.

    The box 0 <= Ktrans <= 5, 0 <= ve <= 1, kep <= 50 is one of (Ktrans as a share of the most that
    kep allows, kep, vp).
    """
    keep = np.isfinite(curve)
    if weights is not None:
        keep &= weights > 0
    root = np.sqrt(weights[keep]) if weights is not None else 1.0
    time, curve = time[keep], curve[keep]
    scale = np.linalg.norm(root * curve) or 1.0

    def miss(p):
        ktrans = p[0] * min(5.0, p[1])
        shifted = model(ktrans, *p[1:], time=time, aif_time=aif_time, cp=cp)
        return root * (shifted - curve) / scale

    low, high, size = [0.0, 0.0, 0.0], [1.0, 50.0, vp_high], [0.1, 1.0, 0.01]
    if delays is not None:
        low, high, size = [*low, delays[0]], [*high, delays[1]], [*size, 2.0]
        starts = [(*s, d) for s in starts[:1] for d in np.linspace(*delays, 6)[1:-1]]
    best = None
    for start in starts:
        start = np.minimum(start, np.array(high) * 0.999)
        found = least_squares(
            miss, start, bounds=(low, high), x_scale=size, xtol=1e-12, ftol=1e-12, gtol=1e-12
        )
        if best is None or found.cost < best.cost:
            best = found
    ktrans = best.x[0] * min(5.0, best.x[1])
    return 2.0 * best.cost * scale**2, np.array([ktrans, *best.x[1:]])


def sum_of_squares(curve, parameters, *, time, aif_time, cp, weights=None):
    """Weighted sum of squares of (Ktrans, kep, vp[, delay]) over the valid frames."""
    miss = model(*parameters, time=time, aif_time=aif_time, cp=cp) - curve
    weights = np.ones_like(curve) if weights is None else weights
    return np.sum(weights * np.where(np.isfinite(curve), miss, 0.0) ** 2)


def lowest_on_a_fine_ladder(curves, time, aif_time, cp):
    """Least sum of squares of extended Tofts fits in the default box, over 3,000 rates.

    For one rate the two amplitudes have a closed form: the free ones if they lie in the box, else
    the best of its edges.
    """
    energy, arterial = (curves**2).sum(axis=1), plasma(time, aif_time, cp)
    yC, CC, lowest = curves @ arterial, arterial @ arterial, energy.copy()
    for rate in np.r_[0.0, np.geomspace(1e-5, 50.0, 3000)]:
        tissue = response(time, rate, aif_time, cp)
        yE, EE, EC = curves @ tissue, tissue @ tissue, tissue @ arterial
        high = min(5.0, rate)

        def sums(ktrans, vp, yE=yE, EE=EE, EC=EC):
            linear = ktrans * yE + vp * yC
            return energy - 2 * linear + ktrans**2 * EE + 2 * ktrans * vp * EC + vp**2 * CC

        free = EE * CC - EC**2
        ktrans, vp = (yE * CC - yC * EC) / free, (yC * EE - yE * EC) / free
        inside = (ktrans >= 0) & (ktrans <= high) & (vp >= 0) & (vp <= 1)
        tries = [np.where(inside, sums(ktrans, vp), np.inf)]
        tries += [sums(np.clip((yE - vp * EC) / EE, 0, high), vp) for vp in (0.0, 1.0)]
        tries += [sums(k, np.clip((yC - k * EC) / CC, 0, 1)) for k in (0.0, high)]
        lowest = np.minimum(lowest, np.min(tries, axis=0))
    return lowest
