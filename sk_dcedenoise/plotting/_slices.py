"""What displays of volumes share: which slices, and how a slice lies on the page."""

import numbers

import numpy as np


def check_maps(maps):
    """Return maps as float arrays (nx, ny, nz) of one shape, or say what is wrong."""
    maps = {name: np.asarray(values, dtype=np.float64) for name, values in dict(maps).items()}
    if not maps:
        raise ValueError("maps is empty, but expected at least one map by name.")
    first, shape = next((name, values.shape) for name, values in maps.items())
    for name, values in maps.items():
        if values.ndim not in (2, 3) or values.shape != shape:
            raise ValueError(
                f"the map {name} has shape {values.shape}, but expected (nx, ny) or (nx, ny, nz), "
                f"and that of {first}, {shape}: draw maps of one grid."
            )
    return {name: values.reshape(*shape[:2], -1) for name, values in maps.items()}


def chosen_slices(maps, slices):
    """Indices of slices: those given, or so many at even distances among those with a value."""
    n_slices = next(iter(maps.values())).shape[2]
    if not isinstance(slices, numbers.Integral):
        chosen = [int(z) for z in slices]
        if not chosen or min(chosen) < 0 or max(chosen) >= n_slices:
            raise ValueError(f"slices={chosen}, but expected some of 0 to {n_slices - 1}.")
        return chosen
    if slices < 1:
        raise ValueError(f"slices={slices}, but expected at least 1, or the slices to draw.")
    known = np.any([np.isfinite(m).any(axis=(0, 1)) for m in maps.values()], axis=0)
    there = np.flatnonzero(known) if known.any() else np.arange(n_slices)
    n = min(slices, there.size)
    return there[((np.arange(n) + 0.5) / n * there.size).astype(int)].tolist()


def draw_slice(panel, values, **style):
    """Draw one slice, x to the right and y up, blank where there is no value; return the image."""
    values = np.ma.masked_invalid(values.T)
    return panel.imshow(values, origin="lower", interpolation="nearest", **style)


def frame_of(maps, margin=2):
    """Ends of x and y, in voxels, that hold all values of maps."""
    known = np.any([np.isfinite(m).any(axis=2) for m in maps.values()], axis=0)
    if not known.any():
        known[:] = True
    ends = []
    for axis, size in ((1, known.shape[0]), (0, known.shape[1])):
        there = np.flatnonzero(known.any(axis=axis))
        ends.append((max(there[0] - margin, 0) - 0.5, min(there[-1] + margin, size - 1) + 0.5))
    return tuple(ends)


def hide_frame(panel, ends):
    """Show the voxels between ends of x and y, without ticks and frame."""
    panel.set(xticks=[], yticks=[], xlim=ends[0], ylim=ends[1])
    panel.spines[:].set_visible(False)
