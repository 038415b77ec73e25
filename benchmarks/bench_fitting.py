"""How fast and how exact is the kinetic fit, beside what others use?

    python benchmarks/bench_fitting.py [--exact 2000] [--curves 1000000]

Extended Tofts, 32 frames of the reference law. Speed: from the user's array to the returned array,
fitters taking turns, medians, quoted against scipy's bounded `curve_fit` in the same process; one
process per number of threads. Exactness: share of curves whose sum of squares is within 1e-6 of the
best of four bounded starts of scipy. Roof: the matrix product that the search cannot do without.
"Compiled" is `ToftsTransformer(compiled=True)`. Pure noise is the hardest case: nearly every
optimum lies on an edge of the box. dcmri and numba are used if they can be imported.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import torch
from _clock import medians, take_turns
from _report import RESULTS, markdown, place, write
from _scipy_fit import EXACTLY, STARTS, Scipy
from joblib import Parallel, delayed

from sk_dcedenoise.aif import aif_parker
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts

TIME = 3.75 * np.arange(32)
FINE = 0.25 * np.arange(517)
AIF = FINE, aif_parker(FINE)
OUTPUTS = ["Ktrans", "kep", "vp"]
SCIPY = Scipy(TIME, *AIF)
DTYPES = ("float32", "float64")
KINDS = {f"ours {dtype}": {"dtype": dtype, "compiled": False} for dtype in DTYPES}
if importlib.util.find_spec("numba"):
    KINDS |= {f"ours {d}, compiled": {"dtype": d, "compiled": True} for d in DTYPES}
ROUNDS = 7


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exact", type=int, default=2000, help="curves compared with scipy")
    parser.add_argument("--curves", type=int, default=1_000_000, help="curves fitted for speed")
    parser.add_argument("--again", action="store_true", help="only time anew, keep all else")
    parser.add_argument("--speed", action="store_true", help="only time all, print JSON")
    parser.add_argument("--gain", action="store_true", help="only time threads, print JSON")
    arguments = parser.parse_args()
    if arguments.speed or arguments.gain:
        print(json.dumps((speed if arguments.speed else thread_gain)(arguments.curves)))
        return
    numbers = sorted({1, os.cpu_count()})
    threads = {n: apart("--speed", n, arguments.curves) for n in numbers}
    known = json.loads((RESULTS / "fitting.json").read_text()) if arguments.again else None
    exact = exactness(arguments.exact) if known is None else exactness_of(known["rows"])
    rows = list(rows_of(threads, exact))
    one = threads[1]
    extras = {
        "roof_share": {name: one[f"product {KINDS[name]['dtype']}"] / one[name] for name in KINDS},
        "compiled_over_torch": {
            f"{name}{kind}": one[name + kind] / one[f"{name}, compiled{kind}"]
            for name in KINDS
            for kind in ("", ", pure noise")
            if f"{name}, compiled" in KINDS
        },
    }
    if known is not None:
        kept = ("memory_over_input", "delay", "gaps", "coverage")
        extras |= {name: known["settings"][name] for name in kept}
    else:
        extras["memory_over_input"] = peak_memory()
        extras["delay"] = delay()
        extras["gaps"] = gaps(arguments.exact // 4)
        extras["coverage"] = coverage()
    if len(threads) > 1:
        extras["all_threads_over_one"] = apart("--gain", os.cpu_count(), arguments.curves)
    header = ["fitter", "speed, curve_fit = 1", "at the optimum", "pure noise", "largest excess"]
    header += ["Ktrans error", "ve error", "vp error"]
    table = markdown(header, [list(map(shown, row.values())) for row in rows])
    write("fitting", rows, table, **extras)
    place("fitting_speed", summary(rows))
    place("fitting_figures", figures(extras))
    print(json.dumps(extras, indent=1))


def exactness_of(rows):
    """What an earlier run found, by fitter."""
    names = [(row["fitter"].split(", 1 thread")[0], row) for row in rows]
    measured = ("noisy", "noise", "worst", "Ktrans", "ve", "vp")
    return {name: {key: row[key] for key in measured} for name, row in names}


def summary(rows):
    """One sentence for the README."""
    ratio = {row["fitter"]: f"{row['ratio']:,.0f}" for row in rows}
    kinds = [f"{ratio[f'{name}, 1 thread']} in {name.removeprefix('ours ')}" for name in KINDS]
    head = "Kinetic fits per second, bounded `curve_fit` of scipy = 1, one thread:"
    return f"{head} {'; '.join(kinds)}."


def figures(extras):
    """What the table does not say, as a list."""
    delayed_fit, missing = extras["delay"], extras["gaps"]
    shares = [share for level in extras["coverage"].values() for share in level.values()]

    def each(values):
        return ", ".join(f"{v:.2f} ({name.removeprefix('ours ')})" for name, v in values.items())

    lines = [
        f"Time of the matrix product alone over that of the fit: {each(extras['roof_share'])}.",
        f"Compiled over not compiled: {each(extras['compiled_over_torch'])}.",
        f"All threads over one: {each(extras.get('all_threads_over_one', {}))}.",
        f"Peak memory of a million fits over the input: {extras['memory_over_input']:.2f}.",
        "Delay fitted as a fourth parameter, 10 % noise: median error of Ktrans over that of scipy "
        f"from four delays {delayed_fit['ktrans_error_over_scipy']:.3f}, at "
        f"{delayed_fit['speed_over_scipy_cpu']:,.0f} times its speed.",
        f"A fifth of the frames missing: {missing['at_optimum']:.2%} at the optimum, largest "
        f"excess {missing['worst']:.1e}.",
        f"95 % intervals hold the truth in {min(shares):.3f} to {max(shares):.3f} of the interior "
        "voxels, over all parameters and noise levels.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def rows_of(threads, exact):
    """One row per fitter, and per number of threads where it uses them."""
    blank = dict.fromkeys(("noisy", "noise", "worst", "Ktrans", "ve", "vp"))
    for n_threads, cost in threads.items():
        for name, seconds in cost.items():
            ours = name.startswith("ours")
            if "product" in name or "noise" in name or (n_threads > 1 and not ours):
                continue
            label = f"{name}, {n_threads} thread{'s' * (n_threads > 1)}" if ours else name
            ratio = cost["scipy curve_fit, bounded"] / seconds
            yield {"fitter": label, "ratio": ratio} | exact.get(name, blank)


def shown(value):
    """A cell of the table."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, (tuple, list)):
        return f"{value[0]:.2%}"
    return f"{value:.1e}" if abs(value) < 1e-2 else f"{value:,.{3 if abs(value) < 1 else 1}f}"


def apart(what, n_threads, n_curves):
    """What this script prints in a process of its own with so many threads."""
    command = [sys.executable, __file__, what, "--curves", str(n_curves)]
    environment = os.environ | {"OMP_NUM_THREADS": str(n_threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def speed(n_curves):
    """Seconds per curve of each fitter, and of the matrix products, in this process."""
    X, _ = make_dce_curves(n_curves, aif=AIF, random_state=0)
    few = X[:60]
    tasks = {
        "scipy curve_fit, bounded": (60, lambda: [SCIPY.curve_fit(curve) for curve in few]),
        "scipy least_squares": (60, lambda: [SCIPY.least_squares(curve) for curve in few]),
        "Murase, linear": (20_000, lambda: SCIPY.murase(X[:20_000])),
    }
    noise = 0.05 * np.random.default_rng(0).standard_normal((n_curves // 10, TIME.size))
    for name, settings in KINDS.items():
        curves, hard = X.astype(settings["dtype"]), noise.astype(settings["dtype"])
        fit = ToftsTransformer(TIME, AIF, **settings).fit(curves)
        tasks[name] = (n_curves, lambda fit=fit, curves=curves: fit.transform(curves))
        tasks[f"{name}, pure noise"] = (
            len(hard),
            lambda fit=fit, curves=hard: fit.transform(curves),
        )
        if torch.cuda.is_available() and not settings["compiled"]:
            cuda = ToftsTransformer(TIME, AIF, device="cuda", **settings).fit(curves)
            tasks[f"{name}, CUDA"] = (
                n_curves,
                lambda fit=cuda, curves=curves: fit.transform(curves),
            )
    for dtype in DTYPES:
        tensor = torch.as_tensor(X.astype(dtype))
        size = fit._protocol.nodes(dtype).size
        basis = torch.randn(TIME.size, size, dtype=tensor.dtype)
        tasks[f"product {dtype}"] = (n_curves, lambda t=tensor, b=basis: product(t, b))
    for _, run in tasks.values():
        # Once without the clock: tables are made and loops compiled.
        run()
    if (dcmri := dcmri_fitter(few[:5])) is not None:
        tasks["dcmri TissueArray"] = (5, dcmri)
    times = medians(take_turns({name: run for name, (_, run) in tasks.items()}, ROUNDS))
    return {name: float(times[name][0, 0]) / n for name, (n, _) in tasks.items()}


def product(curves, basis):
    """The matrix product of the search, chunk by chunk as the search does it."""
    for chunk in curves.split(16_384):
        _ = chunk @ basis


def dcmri_fitter(curves):
    """A call that fits curves with dcmri, or None where it cannot be imported."""
    try:
        import dcmri
    except ImportError as error:
        print(f"dcmri is left out: {error}", file=sys.stderr)
        return None
    hematocrit, blood = 0.45, AIF[1] * (1 - 0.45) / 1000
    signal = dcmri.signal_ss(1.0, 0.7 + 5.0 * curves, 0.005, 15.0)

    def run():
        tissue = dcmri.TissueArray(
            (len(curves),),
            kinetics="HF",
            **dict(ca=blood, t=FINE, H=hematocrit, r1=5000.0, TR=0.005, FA=15.0),
            **dict(R10=np.full(len(curves), 0.7), S0=np.ones(len(curves))),
        )
        tissue.train(TIME, signal, init_s0=False)

    return run


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


def thread_gain(n_curves):
    """Speed with all threads over that with one, which take turns in this process."""
    n_threads = torch.get_num_threads()
    X, _ = make_dce_curves(n_curves, aif=AIF, random_state=0)
    tasks = {}
    for name, settings in KINDS.items():
        curves = X.astype(settings["dtype"])
        fit = ToftsTransformer(TIME, AIF, **settings).fit(curves)
        for n in {1, n_threads}:

            def run(fit=fit, curves=curves, n=n):
                torch.set_num_threads(n)
                fit.transform(curves)

            run()
            tasks[f"{name}, {n}"] = run
    times = medians(take_turns(tasks, ROUNDS))
    walls = {task: float(both[0, 0]) for task, both in times.items()}
    return {name: walls[f"{name}, 1"] / walls[f"{name}, {n_threads}"] for name in KINDS}


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


def peak_memory():
    """Peak memory of a million fits above that of the imports, in units of the input."""
    code = """
import numpy as np
from sk_dcedenoise.fitting import ToftsTransformer
def peak(): return [int(l.split()[1]) for l in open("/proc/self/status") if "VmHWM" in l][0]
before = peak()
X = np.random.default_rng(0).standard_normal((1_000_000, 32), dtype=np.float32)
ToftsTransformer(3.75 * np.arange(32)).fit_transform(X)
print((peak() - before) * 1024 / X.nbytes)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
