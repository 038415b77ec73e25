"""Speed and memory of kinetic fits that take turns in one process."""

import subprocess
import sys

import numpy as np
import torch
from _clock import medians, take_turns
from _fitting_protocol import AIF, DTYPES, FINE, KINDS, SCIPY, TIME

from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.fitting import ToftsTransformer

ROUNDS = 7


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
