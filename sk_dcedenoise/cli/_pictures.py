"""The pictures of a report, each with a title and a caption."""

import numpy as np

from sk_dcedenoise.masking import volume_from_curves
from sk_dcedenoise.plotting import (
    BlandAltmanDisplay,
    DenoisingDisplay,
    ParameterHistogramDisplay,
    ParameterMapDisplay,
    ResidualAutocorrelationDisplay,
    TrainingHistoryDisplay,
    TrustMapDisplay,
    empty_figure,
)

_SLICES = 3
# Most points that a scatter plot of the page shows.
_POINTS = 5000


def pictures(result):
    """Yield title, caption and figure of each picture that a result allows for."""
    if result.scan.mask is not None:
        yield from _maps(result)
    yield _curves(result)
    yield _histograms(result)
    yield _agreement(result)
    yield _residuals(result)
    if len(getattr(result.denoiser, "history", None) or []):
        yield _history(result)


def _maps(result):
    mask, names = result.scan.mask, result.kinetic.names
    after, before = (
        ParameterMapDisplay({name: volume_from_curves(f[name], mask) for name in names})
        for f in (result.after, result.before)
    )
    after.plot(ax=_grid(names, _slices(mask)).subplots(), slices=_SLICES)
    text = "Fitted to denoised curves. Slices as numbered at the left, counted from 0."
    yield "Maps after denoising", text, after.figure_
    panel = _grid(names, len(after.slices)).subplots()
    before.plot(ax=panel, slices=after.slices, ranges=after.ranges)
    yield "Maps of the curves as measured", "The same slices and colour scales.", before.figure_
    trust = TrustMapDisplay(volume_from_curves(result.trust, mask))
    trust.plot(ax=empty_figure((2.9 * _slices(mask), 2.6)).subplots(), slices=_SLICES)
    text = (
        "1: the denoised curve is the network's; below, it goes by the data as well; 0: by the "
        "data alone."
    )
    yield "Trust", text, trust.figure_


def _slices(mask):
    return min(_SLICES, np.count_nonzero(mask.reshape(*mask.shape[:2], -1).any(axis=(0, 1))))


def _grid(names, n_slices):
    return empty_figure((2.7 * len(names), 2.35 * n_slices))


def _curves(result):
    figure = empty_figure((10, 5))
    whole = np.flatnonzero(
        np.isfinite(result.denoised).all(axis=1) & np.isfinite(result.after["Ktrans"])
    )
    fitted = {name: values[whole] for name, values in result.after.items()}
    DenoisingDisplay.from_predictions(
        result.scan.curves[whole],
        result.denoised[whole],
        time=result.scan.frames,
        y_fitted=result.kinetic.curves(fitted),
        curves=6,
        ax=figure.subplots(),
    )
    text = "At even ranks from the weakest to the strongest enhancement."
    return "Curves before and after", text, figure


def _histograms(result):
    names = result.kinetic.names
    figure = empty_figure((10, 2.6))
    before, after = ({n: f[n] for n in names} for f in (result.before, result.after))
    ParameterHistogramDisplay.from_predictions(before, after, ax=figure.subplots(1, len(names)))
    return "Distributions", "Values beyond a panel are in its last bin.", figure


def _agreement(result):
    names = result.kinetic.names
    figure = empty_figure((10, 2.8))
    step = max(len(result.trust) // _POINTS, 1)
    after, before = ({n: f[n][::step] for n in names} for f in (result.after, result.before))
    display = BlandAltmanDisplay(after, before)
    display.plot(ax=figure.subplots(1, len(names)), labels=("denoised", "measured"))
    text = (
        "Differences of the two fits; lines at the mean difference and 1.96 standard deviations on "
        "either side."
    )
    return "Denoised against measured", text, figure


def _residuals(result):
    figure = empty_figure((5, 2.8))
    rows = np.isfinite(result.scan.curves).all(axis=1) & (result.trust > 0)
    rows = rows if rows.any() else np.isfinite(result.scan.curves).all(axis=1)
    noisy, denoised = result.scan.curves[rows], result.denoised[rows]
    max_lag = min(10, noisy.shape[1] - 1)
    ResidualAutocorrelationDisplay.from_predictions(
        noisy, denoised, max_lag=max_lag, ax=figure.subplots()
    )
    text = (
        "Autocorrelation of what was removed from curves that are trusted. White noise lies in the "
        "grey band, or a little below it at short lags; a hill at short lags is signal that was "
        "removed, or noise that is correlated in time."
    )
    return "What was removed", text, figure


def _history(result):
    figure = empty_figure((5, 2.8))
    TrainingHistoryDisplay.from_estimator(result.denoiser, ax=figure.subplots())
    return "Training", "Mean square error in units of the training curves' size.", figure
