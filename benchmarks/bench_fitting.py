"""How fast and how exact is the kinetic fit, beside what others use?

    python benchmarks/bench_fitting.py [--exact 2000]

Extended Tofts, 32 frames of the reference law. Speed: from the user's array to the returned array,
runs of all fitters interleaved, medians, quoted against scipy's bounded `curve_fit` in the same
run. Exactness: share of curves whose sum of squares is within 1e-6 of the best of four bounded
starts of scipy, for noisy curves of the law and for pure noise. Roof: the one matrix product that
the search cannot do without.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from _report import markdown, write
from scipy.optimize import curve_fit
from scipy.signal import lfilter

from sk_dcedenoise.aif import plasma_curve
from sk_dcedenoise.convolution import exponential_convolution
from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.fitting import ToftsTransformer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from fitting_reference import best_fit, sum_of_squares

TIME = 3.75 * np.arange(32)
OUTPUTS = ["Ktrans", "kep", "vp"]
MANY, FEW, ROUNDS = 262_144, 60, 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exact", type=int, default=2000, help="curves compared with scipy")
    exact = exactness(parser.parse_args().exact)
    rows, roof = speed()
    for row in rows:
        row["within"] = exact.get(row["fitter"].partition(",")[0])
    lines = [
        [
            row["fitter"],
            f"{row['ratio']:,.0f}" if row["ratio"] >= 10 else f"{row['ratio']:.1f}",
            "" if row["within"] is None else f"{row['within']['noisy']:.2%}",
            "" if row["within"] is None else f"{row['within']['pure noise']:.2%}",
            "" if row["within"] is None else f"{row['within']['worst']:.1e}",
        ]
        for row in rows
    ]
    header = ["fitter", "speed, curve_fit = 1", "at the optimum", "pure noise", "largest excess"]
    memory = peak_memory()
    write("fitting", rows, markdown(header, lines), roof_share=roof, memory_over_input=memory)
    print(f"\nshare of the roof of the matrix product: {roof}\npeak memory / input: {memory:.2f}")


def speed():
    """Curves per second of each fitter against curve_fit, and shares of the roof."""
    X, _ = make_dce_curves(MANY, random_state=0)
    aif_time, cp = plasma_curve("parker", TIME)
    plasma = np.interp(TIME, aif_time, cp)

    # The same recursion as ours, on a fifth of our nodes and in compiled code, so that scipy is not
    # slowed down by its model.
    coarse = np.linspace(TIME[0], TIME[-1], 4 * (TIME.size - 1) + 1)
    cp_coarse, step = np.interp(coarse, aif_time, cp), (coarse[1] - coarse[0]) / 60

    def model(_, Ktrans, kep, vp):
        x = max(kep * step, 1e-6)
        decay, flat = np.exp(-x), -np.expm1(-x) / x
        right = (1 - flat) / x
        weights = [step * right, step * (flat - right)]
        states, _ = lfilter(weights, [1.0, -decay], cp_coarse, zi=[-weights[0] * cp_coarse[0]])
        return Ktrans * states[::4] + vp * plasma

    def scipy():
        for curve in X[:FEW]:
            curve_fit(model, TIME, curve, (0.1, 1.0, 0.01), bounds=(0, [5.0, 50.0, 1.0]))

    def murase():
        # Least squares of C on its own integral, that of plasma, and plasma: no bounds.
        step = np.diff(TIME, prepend=TIME[0]) / 60
        running = np.cumsum(step * (X + np.roll(X, 1, axis=1)) / 2, axis=1)
        area = exponential_convolution(TIME, 0.0, aif_time, cp)[0]
        design = np.stack(np.broadcast_arrays(area, -running, plasma), axis=2)
        return np.linalg.solve(
            design.transpose(0, 2, 1) @ design, design.transpose(0, 2, 1) @ X[:, :, None]
        )

    fitters = {"curve_fit, bounded": (FEW, scipy), "Murase, linear": (MANY, murase)}
    for dtype in ("float32", "float64"):
        curves = X.astype(dtype)
        fit = ToftsTransformer(TIME, outputs=OUTPUTS).fit(curves[:100])
        fit.transform(curves[:10_000])
        for threads in (1, 2):
            name = f"ours {dtype}, {threads} thread{'s' * (threads > 1)}"
            fitters[name] = (MANY, with_threads(threads, fit.transform, curves))
        basis = torch.randn(32, 48, dtype=getattr(torch, dtype))
        tensor = torch.as_tensor(curves)
        fitters[f"roof {dtype}"] = (MANY, with_threads(1, product, tensor, basis))
    seconds = {name: [] for name in fitters}
    for _ in range(ROUNDS):
        for name, (n_curves, run) in fitters.items():
            start = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - start) / n_curves)
    cost = {name: float(np.median(values)) for name, values in seconds.items()}
    base = cost["curve_fit, bounded"]
    rows = [
        {"fitter": name, "ratio": base / value, "curves_per_second": 1 / value}
        for name, value in cost.items()
    ]
    roof = {d: cost[f"roof {d}"] / cost[f"ours {d}, 1 thread"] for d in ("float32", "float64")}
    return [row for row in rows if "roof" not in row["fitter"]], roof


def with_threads(threads, run, *arguments):
    """A call with this many threads of torch."""

    def call():
        torch.set_num_threads(threads)
        return run(*arguments)

    return call


def product(curves, basis):
    """The one matrix product, chunk by chunk as the search does it."""
    for chunk in curves.split(8192):
        _ = chunk @ basis


def exactness(n_curves):
    """Share of curves at the optimum of four starts, by number type and kind of curve."""
    torch.set_num_threads(1)
    aif_time, cp = plasma_curve("parker", TIME)
    scan = {"time": TIME, "aif_time": aif_time, "cp": cp}
    noisy, _ = make_dce_curves(n_curves, random_state=1)
    noise = 0.02 * np.random.RandomState(2).standard_normal((n_curves, TIME.size))
    found = {f"ours {dtype}": {"worst": -np.inf} for dtype in ("float32", "float64")}
    for kind, curves in (("noisy", noisy), ("pure noise", noise)):
        best = np.array([best_fit(curve, **scan)[0] for curve in curves])
        for dtype in ("float32", "float64"):
            fit = ToftsTransformer(TIME, outputs=OUTPUTS).fit_transform(curves.astype(dtype))
            ours = [sum_of_squares(c, p, **scan) for c, p in zip(curves, fit, strict=True)]
            excess = np.array(ours) / best - 1
            entry = found[f"ours {dtype}"]
            entry[kind] = float(np.mean(excess <= 1e-6))
            entry["worst"] = max(entry["worst"], float(excess.max()))
    return found


def peak_memory():
    """Peak memory of a million fits above that of the imports, in units of the input."""
    code = """
import numpy as np
from sk_dcedenoise.fitting import ToftsTransformer
def peak(): return [int(l.split()[1]) for l in open("/proc/self/status") if "VmHWM" in l][0]
t = 3.75 * np.arange(32)
warm = np.random.default_rng(0).standard_normal((10_000, 32), dtype=np.float32)
fit = ToftsTransformer(t).fit(warm); fit.transform(warm)
before = peak()
X = np.random.default_rng(0).standard_normal((1_000_000, 32), dtype=np.float32)
fit.transform(X)
print((peak() - before) * 1024 / X.nbytes)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
