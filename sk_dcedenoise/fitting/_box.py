"""The box of parameters that a fit may choose from."""

import numbers
from typing import NamedTuple

import numpy as np

DEFAULT_BOUNDS = {"Ktrans": (0.0, 5.0), "ve": (0.0, 1.0), "vp": (0.0, 1.0), "kep": (0.0, 50.0)}
_LOWEST = {"Ktrans": 0.0, "ve": 0.0, "vp": -np.inf, "kep": 0.0}


class Box(NamedTuple):
    """Lowest and highest values; rates in 1/min, fractions, delay in seconds."""

    Ktrans: tuple
    ve: tuple
    vp: tuple
    kep: tuple
    delay: tuple

    def ktrans_range(self, kep):
        """Lowest and highest Ktrans that keep Ktrans and ve = Ktrans / kep in the box."""
        low = (kep * self.ve[0]).clip(min=self.Ktrans[0])
        high = (kep * self.ve[1]).clip(max=self.Ktrans[1])
        return low, high


def check_box(bounds, model, delay):
    """Return the `Box` that `bounds` and `delay` ask for, or say what is wrong with them."""
    given = {} if bounds is None else dict(bounds)
    unknown = sorted(set(given) - set(DEFAULT_BOUNDS))
    if unknown:
        raise ValueError(
            f"bounds has {unknown[0]!r}, but expected some of {list(DEFAULT_BOUNDS)}: name the "
            "parameter, and bound a delay by delay=(low, high)."
        )
    ranges = DEFAULT_BOUNDS | given
    for name, value in ranges.items():
        ranges[name] = _check_range(value, f"bounds[{name!r}]", _LOWEST[name])
    if model == "tofts":
        ranges["vp"] = (0.0, 0.0)
    if ranges["kep"][0] == ranges["kep"][1]:
        raise ValueError(
            f"bounds['kep']={given['kep']!r}, but expected low < high: the search runs over kep."
        )
    if not np.isfinite(ranges["kep"][1]):
        raise ValueError(
            "bounds['kep'] ends at infinity, but expected a finite rate in 1/min: a return much "
            "faster than the frames cannot be told from plasma."
        )
    ranges["kep"] = _possible_rates(ranges)
    return Box(**ranges, delay=_check_delay(delay))


def _possible_rates(ranges):
    """The range of kep less the rates at which no Ktrans would suit the range of ve."""
    (low, high), ktrans, ve = ranges["kep"], ranges["Ktrans"], ranges["ve"]
    low = max(low, ktrans[0] / ve[1]) if ve[1] > 0.0 else low
    high = min(high, ktrans[1] / ve[0]) if ve[0] > 0.0 else high
    if not low < high:
        raise ValueError(
            f"bounds={ranges!r} leave no rate kep = Ktrans / ve, but expected a range of them: "
            "widen one of the bounds."
        )
    return low, high


def _check_range(value, name, lowest):
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not lowest <= low <= high:
        least = "" if lowest == -np.inf else f" and {lowest:g} <= low"
        raise ValueError(
            f"{name}={value!r}, but expected (low, high) with low <= high{least}: give two numbers."
        )
    return low, high


def _check_delay(delay):
    if delay is None:
        return 0.0, 0.0
    if isinstance(delay, numbers.Real) and np.isfinite(delay):
        return float(delay), float(delay)
    low, high = _check_range(delay, "delay", -np.inf)
    if not np.isfinite([low, high]).all():
        raise ValueError(f"delay={delay!r}, but expected finite seconds.")
    return low, high
