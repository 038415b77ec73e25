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
import json
import os
import subprocess
import sys

from _fitting_exactness import coverage, delay, exactness, gaps
from _fitting_protocol import KINDS
from _fitting_speed import peak_memory, speed, thread_gain
from _report import RESULTS, markdown, place, write


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


if __name__ == "__main__":
    main()
