"""Train a denoiser on synthetic curves and show what it does for kinetic parameters.

Draws the reference law (32 frames, Parker's AIF, 2 to 30 % noise), trains DenoiserVanillaNL, and
compares it on fresh curves with doing nothing, with PCA, with a kinetic fit, and with the least
error that any method can reach. Writes table.csv and figure.png. Takes about two minutes.
"""

import time

import numpy as np

from sk_dcedenoise.cli._arguments import add_training_arguments
from sk_dcedenoise.cli._training import one_thread, train
from sk_dcedenoise.cli._write import output_folder, settings_of, text_table, write_csv

_FRAMES = 3.75 * np.arange(32)
_TEST_CURVES = 2000
_NOISY, _PCA, _NETWORK = "noisy", "PCA, rank 3", "DenoiserVanillaNL"
_PARAMETERS = ("Ktrans", "ve", "vp")
_HEADER = ("method", "curve_rmse_mM", "Ktrans_rmse_per_min", "ve_rmse", "vp_rmse")
_TITLES = ("", "curve (mM)", "Ktrans (1/min)", "ve", "vp")


def add_arguments(parser):
    """Add the arguments of this command."""
    add_training_arguments(parser, out="demo_output", pairs=20_000, steps=2500, seconds=80.0)


def run(args):
    """Run the demo."""
    # What is behind takes seconds to import: not before the arguments are known to be sound.
    from sk_dcedenoise.datasets import make_dce_curves
    from sk_dcedenoise.plotting import empty_figure

    started = time.monotonic()
    figure = empty_figure((8.4, 9.6))
    with output_folder(args.out, "demo", settings_of(args)) as out, one_thread():
        pairs = make_dce_curves(args.pairs, random_state=args.seed)
        other = np.random.RandomState([args.seed, 1])
        test = make_dce_curves(_TEST_CURVES, random_state=other, return_params=True)
        denoised = _denoise_in_all_ways(args, pairs, test[0])
        fitted = {name: _fit(curves) for name, curves in denoised.items()}
        rows = [(name, *_errors(test, denoised[name], fitted[name])) for name in denoised]
        print(f"\nRoot mean square errors of {_TEST_CURVES} fresh curves and of their Tofts fits:")
        print(text_table(_TITLES, [(row[0], *(f"{x:.4f}" for x in row[1:])) for row in rows]))
        write_csv(out / "table.csv", _HEADER, rows)
        _draw(figure, test, denoised, fitted)
        figure.savefig(out / "figure.png", dpi=150)
    print(f"\nWrote table.csv and figure.png in {args.out}, {time.monotonic() - started:.0f} s.")


def _denoise_in_all_ways(args, pairs, noisy):
    """Denoised curves by method, trained on pairs where the method learns."""
    from sk_dcedenoise.baselines import PCADenoiser, PosteriorMeanDenoiser, ToftsResimulator
    from sk_dcedenoise.datasets import reference_law_dictionary

    network = train(args, *pairs)
    candidates = reference_law_dictionary()[0]
    methods = {
        _PCA: PCADenoiser(n_components=3).fit(*pairs),
        "Tofts fit, resimulated": ToftsResimulator(_tofts()).fit(noisy),
        _NETWORK: network,
        "least possible": PosteriorMeanDenoiser(dtype="float32").fit(candidates, candidates),
    }
    denoised = {name: method.transform(noisy) for name, method in methods.items()}
    return {_NOISY: noisy, **denoised}


def _tofts():
    from sk_dcedenoise.fitting import ToftsTransformer

    return ToftsTransformer(_FRAMES)


def _fit(curves):
    """Kinetic parameters by name."""
    tofts = _tofts()
    columns = tofts.fit_transform(curves).T
    return dict(zip(tofts.get_feature_names_out(), columns, strict=True))


def _errors(test, denoised, fitted):
    """Errors of curves and of parameters, in the order of the table."""
    from sk_dcedenoise.metrics import parameter_errors, root_mean_squared_error

    errors = parameter_errors(test[2], fitted)
    of_parameters = (errors[name]["rmse"] for name in _PARAMETERS)
    return root_mean_squared_error(test[1], denoised), *of_parameters


def _draw(figure, test, denoised, fitted):
    from sk_dcedenoise.plotting import DenoisingDisplay, ParameterScatterDisplay
    from sk_dcedenoise.plotting._axes import COLORS

    noisy, clean, params = test
    top, *below = figure.subfigures(3, 1, height_ratios=[4, 3.1, 3.1])
    top.suptitle("Curves before and after denoising, and the truth", fontsize="medium")
    DenoisingDisplay.from_predictions(
        noisy, denoised[_NETWORK], clean, time=_FRAMES, ax=top.subplots(2, 3)
    )
    titles = "Parameters fitted to noisy curves", "Parameters fitted to denoised curves"
    keys = (_NOISY, "noisy"), (_NETWORK, "denoised")
    for part, title, (name, color) in zip(below, titles, keys, strict=True):
        part.suptitle(title, fontsize="medium")
        display = ParameterScatterDisplay(params, fitted[name])
        display.plot(ax=part.subplots(1, 3), color=COLORS[color])
