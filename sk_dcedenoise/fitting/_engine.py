"""Chunks of curves through the searches."""

import numpy as np
import torch

from sk_dcedenoise.fitting._bounded import BoundedSearch
from sk_dcedenoise.fitting._delay import DelaySearch
from sk_dcedenoise.fitting._edges import EdgeSearch
from sk_dcedenoise.fitting._patlak import PatlakSearch
from sk_dcedenoise.fitting._varpro import FreeSearch
from sk_dcedenoise.fitting._workers import run_chunks

# Curves of a chunk in the second pass, which keeps several numbers for each curve and rung.
_EDGE_CHUNK, _ANY = 4096, 2**62
# Values of the largest array of a chunk in the exact pass.
_EXACT_VALUES = 2**18


def fit_curves(X, protocol, curve_weights, searches, device, chunk_size, write):
    """Fit every row of `X` and hand each batch to ``write(rows, curves, weights, fit)``.

    The first pass finds the free optima of all curves, the second the optima on edges of the box,
    and the last does the rest: missing frames, weights of a curve's own, corners. `searches` makes
    the first two. `weights` is None where the curves of a batch share those of the protocol.
    """
    rows = None
    if curve_weights is None and not protocol.fits_delay and protocol.model != "patlak":
        for make, settings, most in searches:
            if rows is None or len(rows):
                search = protocol.cached(make, *settings)
                rows = _quick_pass(X, rows, search, min(chunk_size, most), write)
    rows = np.arange(len(X)) if rows is None else rows
    if len(rows):
        _exact_pass(X, rows, protocol, curve_weights, device, write)


def quick_searches(dtype, device, compiled):
    """The two quick searches as (class, settings, most curves of a chunk)."""
    if compiled:
        # Only here, because this needs numba.
        from sk_dcedenoise.fitting._compiled import CompiledEdges, CompiledFree

        return (CompiledFree, (dtype,), _ANY), (CompiledEdges, (), _ANY)
    return (FreeSearch, (dtype, device), _ANY), (EdgeSearch, (device,), _EDGE_CHUNK)


def _quick_pass(X, rows, search, chunk_size, write):
    """Fit rows (None: all), write them, and return those whose optimum was not found."""

    def fit_chunk(part):
        # All rows in order: a view instead of a copy.
        select = part if rows is None else rows[part]
        curves = search.send(X[select])
        fit, found = search(curves)
        write(select, curves, None, fit)
        left = np.flatnonzero(~found.cpu().numpy())
        return left + part.start if rows is None else select[left]

    n_rows = len(X) if rows is None else len(rows)
    return np.concatenate(run_chunks(fit_chunk, _chunks(n_rows, chunk_size), search.device))


def _exact_pass(X, rows, protocol, curve_weights, device, write):
    """Fit rows, write them, and make NaN of those that cannot be fitted."""
    search = _exact_search(protocol, device)

    def fit_chunk(part):
        part = rows[part]
        curves = torch.tensor(X[part], device=device, dtype=torch.float64)
        given = None if curve_weights is None else curve_weights[part]
        for which, weights in _by_weights(curves, protocol.weights, given):
            some = curves[which]
            fit = search(torch.where(torch.isfinite(some), some, 0.0), weights)
            fit.blank(~_is_fittable(some, protocol, weights))
            write(part[which.cpu().numpy()], some, weights, fit)

    run_chunks(fit_chunk, _chunks(len(rows), max(64, _EXACT_VALUES // search.width)), device)


def _chunks(n_rows, size):
    return (slice(begin, begin + size) for begin in range(0, n_rows, size))


def _exact_search(protocol, device):
    if protocol.fits_delay:
        return protocol.cached(DelaySearch, device)
    if protocol.model == "patlak":
        return protocol.cached(PatlakSearch, device)
    return protocol.cached(BoundedSearch, device)


def _by_weights(curves, common, given):
    """Curves that share the common weights, then curves with weights of their own."""
    missing = ~torch.isfinite(curves)
    own = missing.any(1) if given is None else torch.ones_like(missing[:, 0])
    if not own.all():
        yield torch.nonzero(~own)[:, 0], None
    if own.any():
        which = torch.nonzero(own)[:, 0]
        weights = torch.as_tensor(common).to(curves).expand(len(which), -1)
        if given is not None:
            weights = weights * torch.as_tensor(given).to(curves)[which]
        yield which, torch.where(missing[which], 0.0, weights)


def _is_fittable(curves, protocol, weights):
    """More frames than parameters, one of them with contrast agent, and none infinite."""
    weights = torch.as_tensor(protocol.weights).to(curves) if weights is None else weights
    counts = weights.expand_as(curves) > 0
    shows = torch.as_tensor(protocol.sees_contrast(), device=curves.device)
    return (
        (counts.sum(1) > protocol.n_params) & (counts & shows).any(1) & ~torch.isinf(curves).any(1)
    )
