"""How fast do the networks train and denoise, against loops written by hand and stock skorch?

    python benchmarks/bench_speed.py [--quick] [--threads 1] [--device cpu] [--only LSTM Linear]
        [--parts inference]

(a) a plain loop over tensor slices, (b) the estimator, (c) stock skorch take turns with one module
and the same work: no fresh noise, no validation; (b) alone follows its learning-rate schedule.
Ratios are to (a), so above 1 is faster: medians over rounds of time, and of instructions, which
others on the machine cannot disturb. (a) takes two turns in each round: (b) is compared with their
mean, and the ratio of the two tells how far times can be trusted, as does the interval that holds
the median with 95 % confidence. `quickest` compares the quickest tenths of the rounds, which others
disturb least.

Training: `loop` is the training loop of `fit` alone, and `default fit` what is left of the ratio
over the whole of `fit` (checks, units, the law of the noise, building the module) with 20,000
curves and the default number of steps. Inference: (a) takes the batch size that it is fastest with;
`module alone` is (a) without scaling the curves, and `with guard` is `transform` with the guard on,
work that nobody else does.
"""

import argparse

import numpy as np
import torch
from _inference_speed import inference_table, measure_inference
from _report import earlier, write
from _rivals import DENOISERS
from _training_speed import measure_training, training_table

from sk_dcedenoise.datasets import make_dce_curves

PARTS = ("training", "inference")
BATCH_SIZES = (128, 1024)
N_CURVES = 20_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=DENOISERS, default=list(DENOISERS))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--seconds", type=float, default=0.1, help="about, for one turn of (a)")
    parser.add_argument("--quick", action="store_true", help="three rounds, written nowhere")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds = 3
    torch.set_num_threads(arguments.threads)
    stem = f"speed_{arguments.device}_{arguments.threads}"
    kept = [] if arguments.quick else earlier(stem)
    rows = {(row["network"], row.get("batch_size")): row for row in kept}
    X, y = make_dce_curves(N_CURVES, random_state=0)
    X, y = X.astype(np.float32), y.astype(np.float32)
    for name in arguments.only:
        for batch_size in BATCH_SIZES if "training" in arguments.parts else ():
            rows[name, batch_size] = measure_training(name, X, y, batch_size, arguments)
        if "inference" in arguments.parts:
            rows[name, None] = measure_inference(name, X, y, BATCH_SIZES, arguments)
        training = [row for (_, batch_size), row in rows.items() if batch_size]
        inference = [row for (_, batch_size), row in rows.items() if not batch_size]
        text = f"{training_table(training)}\n\n{inference_table(inference, BATCH_SIZES)}"
        if arguments.quick:
            print(text)
        else:
            settings = {"device": arguments.device, "seconds": arguments.seconds}
            write(stem, list(rows.values()), text, **settings)


if __name__ == "__main__":
    main()
