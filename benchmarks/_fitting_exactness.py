"""How near to the optimum and to the truth kinetic fits come."""

import numpy as np
from _clock import medians, take_turns
from _fitting_protocol import AIF, KINDS, OUTPUTS, SCIPY, TIME
from _scipy_fit import EXACTLY, STARTS
from joblib import Parallel, delayed

from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts


def exactness(n_curves):
    """Share at the optimum of four starts, largest excess, and errors of the parameters."""
    noisy, _, truth = make_dce_curves(n_curves, aif=AIF, random_state=1, return_params=True)
    noise = 0.05 * np.random.default_rng(2).standard_normal((n_curves, TIME.size))
    truth = np.column_stack([truth.Ktrans, truth.ve, truth.vp])
    found = {}
    for kind, curves in (("noisy", noisy), ("noise", noise)):
        lowest = lowest_sums(curves)
        for name, parameters in fits(curves, kind):
            excess = SCIPY.sums_of_squares(curves, parameters) / lowest - 1.0
            entry = found.setdefault(name, {})
            entry[kind] = (float(np.mean(excess <= 1e-6)),)
            entry["worst"] = max(entry.get("worst", -np.inf), float(excess.max()))
            if kind == "noisy":
                values = np.array(parameters)
                values[:, 1] = values[:, 0] / values[:, 1]
                errors = np.median(np.abs(values / truth - 1.0), axis=0)
                entry |= dict(zip(("Ktrans", "ve", "vp"), errors.tolist(), strict=True))
    order = ("noisy", "noise", "worst", "Ktrans", "ve", "vp")
    return {name: {key: entry.get(key) for key in order} for name, entry in found.items()}


def lowest_sums(curves):
    """Lowest sums of squares that four starts of scipy reach."""
    fit = delayed(SCIPY.least_squares)
    return np.array([p[0] for p in Parallel(-1)(fit(c, STARTS, **EXACTLY) for c in curves)])


def fits(curves, kind):
    """(Ktrans, kep, vp) by fitter; the loops of scipy only on curves with signal."""
    for name, settings in KINDS.items():
        fit = ToftsTransformer(TIME, AIF, outputs=OUTPUTS, **settings)
        yield name, fit.fit_transform(curves.astype(settings["dtype"])).astype(float)
    if kind == "noisy":
        yield "scipy curve_fit, bounded", [SCIPY.curve_fit(curve) for curve in curves]
        yield "scipy least_squares", [SCIPY.least_squares(curve)[1] for curve in curves]
        yield "Murase, linear", SCIPY.murase(curves)


def delay(n_curves=150, n_timed=20_000):
    """Delay U(0, 12 s), 10 % noise, four parameters: errors and speed beside 4-start scipy."""
    _, _, drawn = make_dce_curves(n_timed, random_state=3, return_params=True)
    rng = np.random.default_rng(3)
    late = rng.uniform(0, 12, n_timed)
    clean = extended_tofts(TIME, drawn.Ktrans, drawn.ve, drawn.vp, aif=AIF, delay=late)
    curves = clean + 0.1 * clean.mean(1, keepdims=True) * rng.standard_normal(clean.shape)
    fit = ToftsTransformer(TIME, AIF, delay=(0, 12), outputs=[*OUTPUTS, "delay"]).fit(curves)
    some, places = curves[:n_curves], (0.0, 1.5, 4.5, 7.5, 10.5, 12.0)
    theirs = []

    def scipy():
        theirs[:] = [SCIPY.least_squares(curve, STARTS[1:2], places) for curve in some]

    times = medians(take_turns({"ours": lambda: fit.transform(curves), "scipy": scipy}, 3))
    ours = fit.transform(some)
    excess = SCIPY.sums_of_squares(some, ours) / [cost for cost, _ in theirs] - 1.0
    errors = [np.abs(p[:, 0] - drawn.Ktrans[:n_curves]) for p in (ours, _parameters(theirs))]
    per_curve = times["ours"][0] / n_timed, times["scipy"][0] / n_curves
    return {
        "ktrans_error_over_scipy": float(np.median(errors[0]) / np.median(errors[1])),
        "no_worse_than_scipy": float(np.mean(excess <= 1e-6)),
        "better_than_scipy": float(np.mean(excess < -1e-6)),
        "speed_over_scipy_wall": float(per_curve[1][0] / per_curve[0][0]),
        "speed_over_scipy_cpu": float(per_curve[1][1] / per_curve[0][1]),
    }


def _parameters(found):
    return np.array([parameters for _, parameters in found])


def gaps(n_curves):
    """A fifth of the frames missing: share at the optimum of scipy on the valid frames."""
    curves, _ = make_dce_curves(n_curves, aif=AIF, random_state=4)
    curves[np.random.default_rng(4).uniform(size=curves.shape) < 0.2] = np.nan
    lowest = lowest_sums(curves)
    found = ToftsTransformer(TIME, AIF, outputs=OUTPUTS).fit_transform(curves)
    excess = SCIPY.sums_of_squares(curves, found) / lowest - 1.0
    return {"at_optimum": float(np.mean(excess <= 1e-6)), "worst": float(excess.max())}


def coverage(n_curves=20_000):
    """Share of interior voxels whose 95 % intervals hold the truth, by noise level."""
    shares = {}
    for level in (0.02, 0.05, 0.1, 0.2, 0.3):
        X, _, drawn = make_dce_curves(
            n_curves, aif=AIF, noise_levels=level, random_state=5, return_params=True
        )
        names = ["Ktrans", "ve", "vp", "kep"]
        outputs = [*names, *(f"{name}_se" for name in names), "status"]
        found = ToftsTransformer(TIME, AIF, outputs=outputs).fit_transform(X)
        inside = found[:, -1] == 0
        truth = np.column_stack([drawn[name] for name in names])
        miss = np.abs(found[:, :4] - truth) / found[:, 4:8]
        # The t quantile of 29 degrees of freedom.
        held = (miss[inside] < 2.0452).mean(0)
        shares[str(level)] = dict(zip(names, held.round(4).tolist(), strict=True))
    return shares
