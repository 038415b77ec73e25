"""The loops of the compiled searches; importing this module needs numba.

Curves lie in lanes: an array (n_rows, LANES) holds one number of each curve of a tile per row, so
that every inner loop runs over curves and is turned into vector instructions. A tile stays in the
processor's caches from the curves to the parameters.
"""

import numpy as np
from numba import njit

LANES = 128
# Rungs on either side of the best that belong to the same top.
SAME_TOP = 2
# Rows and columns of a matrix that are worked on together; sizes are padded to multiples of it.
BLOCK = 4
# Vector sums and fused operations are welcome, but NaN and infinity keep their meaning.
_SETTINGS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


@njit(**_SETTINGS)
def _load(curves, begin, columns):
    """Transpose some curves into lanes, and fill lanes without a curve with zeros."""
    n_here = min(LANES, len(curves) - begin)
    if n_here < LANES:
        columns[:] = 0.0
    n_whole = curves.shape[1] // 4 * 4
    # Few rows at a time, so that their ends stay in the nearest cache.
    for t in range(0, n_whole, 4):
        for i in range(n_here):
            columns[t, i] = curves[begin + i, t]
            columns[t + 1, i] = curves[begin + i, t + 1]
            columns[t + 2, i] = curves[begin + i, t + 2]
            columns[t + 3, i] = curves[begin + i, t + 3]
    for t in range(n_whole, curves.shape[1]):
        for i in range(n_here):
            columns[t, i] = curves[begin + i, t]
    return n_here


@njit(**_SETTINGS)
def _multiply(matrix, columns, out):
    """``out = matrix @ columns``."""
    nothing = matrix[0, 0] - matrix[0, 0]
    for k in range(0, matrix.shape[0], 4):
        for t in range(0, matrix.shape[1], 4):
            a0, a1, a2, a3 = matrix[k, t], matrix[k, t + 1], matrix[k, t + 2], matrix[k, t + 3]
            k1 = k + 1
            b0, b1, b2, b3 = matrix[k1, t], matrix[k1, t + 1], matrix[k1, t + 2], matrix[k1, t + 3]
            k2 = k + 2
            c0, c1, c2, c3 = matrix[k2, t], matrix[k2, t + 1], matrix[k2, t + 2], matrix[k2, t + 3]
            k3 = k + 3
            d0, d1, d2, d3 = matrix[k3, t], matrix[k3, t + 1], matrix[k3, t + 2], matrix[k3, t + 3]
            for i in range(LANES):
                x0, x1 = columns[t, i], columns[t + 1, i]
                x2, x3 = columns[t + 2, i], columns[t + 3, i]
                before = out[k, i] if t > 0 else nothing
                out[k, i] = before + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
                before = out[k1, i] if t > 0 else nothing
                out[k1, i] = before + b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
                before = out[k2, i] if t > 0 else nothing
                out[k2, i] = before + c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
                before = out[k3, i] if t > 0 else nothing
                out[k3, i] = before + d0 * x0 + d1 * x1 + d2 * x2 + d3 * x3


@njit(**_SETTINGS)
def _project(row, columns, out):
    """``out = row @ columns``."""
    out[:] = 0.0
    for t in range(len(row)):
        x = row[t]
        for i in range(LANES):
            out[i] += x * columns[t, i]


@njit(**_SETTINGS)
def _top_rungs(gains, rungs, top, best):
    """Largest gain of each lane, and its rung as a real number."""
    top[:] = gains[0]
    best[:] = 0.0
    for k in range(0, gains.shape[0], 4):
        r0, r1, r2, r3 = rungs[k], rungs[k + 1], rungs[k + 2], rungs[k + 3]
        for i in range(LANES):
            x0, x1, x2, x3 = gains[k, i], gains[k + 1, i], gains[k + 2, i], gains[k + 3, i]
            # The old values come first: to end with them would be compiled to slow masked stores.
            x, r = top[i], best[i]
            r = r0 if x0 > x else r
            x = x0 if x0 > x else x
            r = r1 if x1 > x else r
            x = x1 if x1 > x else x
            r = r2 if x2 > x else r
            x = x2 if x2 > x else x
            best[i] = r3 if x3 > x else r
            top[i] = x3 if x3 > x else x


@njit(**_SETTINGS)
def _polynomials(gains, middle, even, odd, near, out):
    """Polynomials through some rungs and their neighbours, coefficients from the constant up."""
    half = odd.shape[0]
    for i in range(LANES):
        k = middle[i]
        near[0, i] = gains[k, i]
        for w in range(1, half + 1):
            right, left = gains[k + w, i], gains[k - w, i]
            near[w, i] = right + left
            near[half + w, i] = right - left
    _multiply_few(even, near, 0, out, 0)
    _multiply_few(odd, near, half + 1, out, 1)


@njit(**_SETTINGS)
def _multiply_few(matrix, columns, first, out, begin):
    """``out[begin::2] = matrix @ columns[first:]``, for small matrices."""
    for j in range(matrix.shape[0]):
        m = matrix[j, 0]
        for i in range(LANES):
            out[begin + 2 * j, i] = m * columns[first, i]
        for w in range(1, matrix.shape[1]):
            m = matrix[j, w]
            for i in range(LANES):
                out[begin + 2 * j, i] += m * columns[first + w, i]


@njit(**_SETTINGS)
def _differentiate(polynomial, orders, slopes):
    """Coefficients of the polynomials' slopes."""
    for j in range(slopes.shape[0]):
        order = orders[j + 1]
        for i in range(LANES):
            slopes[j, i] = order * polynomial[j + 1, i]


@njit(**_SETTINGS)
def _evaluate(polynomial, t, out):
    """Values of the polynomials."""
    out[:] = polynomial[-1]
    for j in range(polynomial.shape[0] - 2, -1, -1):
        for i in range(LANES):
            out[i] = out[i] * t[i] + polynomial[j, i]


@njit(**_SETTINGS)
def _newton(slopes, n_steps, reach, t, first, step, slope, bend):
    """Newton's steps to the tops, in place: `t`, the last `step`, and the `bend` before it."""
    for i in range(LANES):
        first[i] = t[i]
    for _ in range(n_steps):
        for i in range(LANES):
            slope[i] = slopes[-1, i]
            bend[i] = 0.0
        for j in range(slopes.shape[0] - 2, -1, -1):
            for i in range(LANES):
                bend[i] = bend[i] * t[i] + slope[i]
                slope[i] = slope[i] * t[i] + slopes[j, i]
        for i in range(LANES):
            step[i] = slope[i] / bend[i]
            new = t[i] - step[i]
            # Written so that NaN stays NaN.
            new = first[i] - reach if new < first[i] - reach else new
            t[i] = first[i] + reach if new > first[i] + reach else new


@njit(**_SETTINGS)
def _series(table, index, function, off):
    """One of the table's functions."""
    value = table[index, function, 2] + off * table[index, function, 3]
    return table[index, function, 0] + off * (table[index, function, 1] + off * value)


@njit(**_SETTINGS)
def free_optima(curves, ladder, tolerances, box, table, out, found):
    """Free optima of curves: rows Ktrans, kep, vp of `out`, and whether they are in the box.

    Parameters
    ----------
    curves : ndarray of shape (n_curves, n_times)
        Contiguous, in the type of everything else.
    ladder : tuple
        Basis (padded_rungs, padded_times), plasma (n_times,), rungs (padded_rungs,), and the even
        and the odd part of the matrix from values to a polynomial's coefficients.
    tolerances : tuple
        Newton steps; what the last step, a flat top's bend, and the distance of a top from the
        ladder's centre may be at most; that centre.
    box : tuple of seven floats
        Ends of Ktrans, ve and vp, and whether there is plasma (above zero).
    table : ndarray of shape (n_places, n_functions, 4)
        Taylor series of 1 / length, plasma share and kep, at evenly spaced places.
    out, found : ndarray of shape (3, n_curves), (n_curves,)
        Where to write.
    """
    basis, plasma, rungs, even, odd, orders = ladder
    n_steps, arrived, flat, inner, centre, per_rung = tolerances
    ktrans_low, ktrans_high, ve_low, ve_high, vp_low, vp_high, has_plasma = box
    half, kind = odd.shape[0], curves.dtype
    last = len(rungs) - 1 - half
    columns = np.zeros((basis.shape[1], LANES), kind)
    gains = np.empty((basis.shape[0], LANES), kind)
    near = np.empty((2 * half + 1, LANES), kind)
    polynomial, slopes = np.empty_like(near), np.empty((2 * half, LANES), kind)
    top, best, height = np.empty(LANES, kind), np.empty(LANES, kind), np.empty(LANES, kind)
    t, first, step = np.empty(LANES, kind), np.empty(LANES, kind), np.empty(LANES, kind)
    slope, bend, alone = np.empty(LANES, kind), np.empty(LANES, kind), np.empty(LANES, kind)
    middle, fine = np.empty(LANES, np.int64), np.empty(LANES, kind)
    series, functions = np.empty((12, LANES), kind), np.empty((3, LANES), kind)
    for begin in range(0, len(curves), LANES):
        n_here = _load(curves, begin, columns)
        _multiply(basis, columns, gains)
        _project(plasma, columns, alone)
        _top_rungs(gains, rungs, top, best)
        for i in range(LANES):
            middle[i] = min(max(int(best[i]), half), last)
            t[i] = best[i] - rungs[middle[i]]
        _polynomials(gains, middle, even, odd, near, polynomial)
        _differentiate(polynomial, orders, slopes)
        _newton(slopes, n_steps, orders[1], t, first, step, slope, bend)
        _evaluate(polynomial, t, height)
        for i in range(LANES):
            t[i] += rungs[middle[i]]
            fine[i] = t[i] * per_rung
            index = min(max(int(fine[i]), 0), table.shape[0] - 1)
            fine[i] -= kind.type(index)
            for f in range(3):
                for term in range(4):
                    series[4 * f + term, i] = table[index, f, term]
        for f in range(3):
            for i in range(LANES):
                off = fine[i]
                value = series[4 * f + 2, i] + off * series[4 * f + 3, i]
                value = series[4 * f, i] + off * (series[4 * f + 1, i] + off * value)
                functions[f, i] = value
        for i in range(LANES):
            kep = functions[2, i]
            ktrans = height[i] * functions[0, i]
            vp = alone[i] - ktrans * functions[1, i]
            # The least distance from an edge of the box, or from what is trusted.
            slack = min(ktrans - kep * ve_low, kep * ve_high - ktrans)
            slack = min(slack, min(ktrans - ktrans_low, ktrans_high - ktrans))
            slack = min(slack, min(inner - abs(t[i] - centre), arrived - abs(step[i])))
            slack = min(slack, -bend[i] - flat * height[i])
            within = min(vp - vp_low, vp_high - vp)
            top[i] = min(slack, within if has_plasma > 0 else slack)
            functions[0, i], functions[1, i] = ktrans, vp
        for i in range(n_here):
            out[0, begin + i], out[1, begin + i] = functions[0, i], functions[2, i]
            out[2, begin + i] = functions[1, i]
            found[begin + i] = top[i] > 0


@njit(**_SETTINGS)
def _scan_edges(part, excess, per_rung, energy, half, rungs, gain, lanes, best):
    """Gains in the box on all rungs; per lane the best rung, and three judgements of the ladder.

    Rows of `lanes`: the highest gain, the highest outside of the best rung's neighbourhood, and
    the highest and the lowest projection that Ktrans asks for.
    """
    along, across, asks = per_rung[0], per_rung[1], per_rung[4]
    most, most_whole = per_rung[2], per_rung[3]
    top, other, highest, lowest = lanes[0], lanes[1], lanes[2], lanes[3]
    zero = energy - energy
    for i in range(LANES):
        whole = part[half, i] * along[half] + excess[i] * across[half]
        asked = part[half, i] if excess[i] > zero else whole
        highest[i], lowest[i] = asked, asked
    for k in range(part.shape[0]):
        a, c, m, m_whole, ask = along[k], across[k], most[k], most_whole[k], asks[k]
        for i in range(LANES):
            p, e = part[k, i], excess[i]
            whole = p * a + e * c
            x = p if p > zero else zero
            x = x if x < m else m
            above = (p + p - x) * x + energy * e * e
            # Where the part displaces more plasma than there is, this edge is out of reach.
            above = zero if x * ask > e else above
            x = whole if whole > zero else zero
            x = x if x < m_whole else m_whole
            floor = (whole + whole - x) * x
            gain[k, i] = above if above > floor else floor
        if not half <= k < part.shape[0] - half:
            continue
        for i in range(LANES):
            p, e = part[k, i], excess[i]
            asked = p if e > zero else p * a + e * c
            # Sums with what is new, because stores on condition are slow.
            rise, fall = asked - highest[i], asked - lowest[i]
            highest[i] += rise if rise > zero else zero
            lowest[i] += fall if fall < zero else zero
    _top_rungs(gain, rungs, top, best)
    other[:] = 0.0
    for k in range(part.shape[0]):
        for i in range(LANES):
            rise = gain[k, i] - other[i]
            far = abs(rungs[k] - best[i]) > SAME_TOP
            other[i] += rise if far & (rise > zero) else zero


@njit(**_SETTINGS)
def _first_edges(part, excess, per_rung, rung, energy):
    """Whether on a rung vp is best at its lower bound, and ve at its upper one."""
    along, across, asks = per_rung[0, rung], per_rung[1, rung], per_rung[4, rung]
    most, most_whole = per_rung[2, rung], per_rung[3, rung]
    whole = part * along + excess * across
    x = min(max(part, 0.0), most)
    above = (2.0 * part - x) * x + energy * excess * excess
    if x * asks > excess:
        above = 0.0
    x = min(max(whole, 0.0), most_whole)
    held = (2.0 * whole - x) * x >= above
    return held, whole > most_whole if held else part > most


@njit(**_SETTINGS)
def _first_top(part, excess, per_rung, half, energy):
    """Most to be gained along the edge of ve between the first two rungs, as in `EdgeSearch`."""
    most, most_whole = per_rung[2], per_rung[3]
    whole = part * per_rung[0, half] + excess * per_rung[1, half]
    gain = 0.0
    if most[half] < part < most[half + 1] and part * per_rung[4, half] <= excess:
        gain = part * part + energy * excess * excess
    if most_whole[half] < whole < most_whole[half + 1]:
        gain = max(gain, whole * whole)
    return gain


@njit(**_SETTINGS)
def _climb(near, even, odd, n_steps, t, polynomial):
    """Top of the polynomial through `near`: place, last step, bend before it, and height."""
    half = odd.shape[0]
    for w in range(half):
        left, right = near[half - 1 - w], near[half + 1 + w]
        near[half - 1 - w], near[half + 1 + w] = left + right, right - left
    for j in range(half + 1):
        value = even[j, 0] * near[half]
        for w in range(half):
            value += even[j, w + 1] * near[half - 1 - w]
        polynomial[2 * j] = value
    for j in range(half):
        value = odd[j, 0] * near[half + 1]
        for w in range(1, half):
            value += odd[j, w] * near[half + 1 + w]
        polynomial[2 * j + 1] = value
    low, high = t - 1.0, t + 1.0
    step, bend = 1.0, 0.0
    for _ in range(n_steps):
        slope, bend = 2.0 * half * polynomial[2 * half], 0.0
        for j in range(2 * half - 1, 0, -1):
            bend = bend * t + slope
            slope = slope * t + j * polynomial[j]
        step = slope / bend
        t = min(max(t - step, low), high)
        if abs(step) < 1e-6:
            break
    height = 0.0
    for j in range(2 * half, -1, -1):
        height = height * t + polynomial[j]
    return t, step, bend, height


@njit(**_SETTINGS)
def _edge_fit(part, e, rung, ladder, tolerances, per_rung, box, table, work):
    """Optimum near a rung: whether it is one in the box, Ktrans, kep and vp.

    An optimum beside an edge may have its best rung beyond it: so the climb is repeated along the
    edges that a top asks for.
    """
    rungs, even, odd = ladder[2], ladder[3], ladder[4]
    n_steps, arrived, flat, inner, centre, places, n_tries, energy, _, _ = tolerances
    ktrans_low, ktrans_high, ve_low, ve_high, vp_low = box[:5]
    half = odd.shape[0]
    middle = min(max(rung, half), len(rungs) - 1 - half)
    held, capped = _first_edges(part[rung], e, per_rung, rung, energy)
    holds, ktrans, kep, vp = False, 0.0, 0.0, 0.0
    for _ in range(n_tries):
        for w in range(2 * half + 1):
            k = middle - half + w
            g, limit = part[k], per_rung[2, k]
            if held:
                g, limit = g * per_rung[0, k] + e * per_rung[1, k], per_rung[3, k]
            work[0, w] = limit * (2.0 * g - limit) if capped else g
        t = rungs[rung] - rungs[middle]
        t, step, bend, height = _climb(work[0], even, odd, n_steps, t, work[1])
        place = t + rungs[middle]
        fine = place * places
        index = min(max(int(fine), 0), table.shape[0] - 1)
        off = fine - index
        by_norm, by_length = _series(table, index, 0, off), _series(table, index, 1, off)
        share, kep = _series(table, index, 2, off), _series(table, index, 3, off)
        scale, most = by_norm if held else by_length, kep * ve_high
        ktrans = height * scale
        # Along the edge of ve, height = x (2 asked - x) where x is Ktrans at the edge.
        asked = 0.5 * (ktrans * scale / most + most) if capped else ktrans
        ktrans = most if capped else ktrans
        above = e - ktrans * share
        vp = vp_low if held else vp_low + above
        holds = (held == (above <= 0.0)) & (capped == (asked >= most)) & (ktrans > 0.0)
        holds &= (max(kep * ve_low, ktrans_low) <= ktrans) & (ktrans <= min(most, ktrans_high))
        holds &= (abs(place - centre) < inner) & (abs(step) < arrived) & (bend < -flat * height)
        if holds:
            break
        held, capped = above <= 0.0, asked >= most
    return holds, ktrans, kep, vp


@njit(**_SETTINGS)
def edge_optima(curves, ladder, tolerances, per_rung, box, table, out, found):
    """Optima along the edges of the box, as `free_optima` returns the free ones.

    Parameters
    ----------
    curves : ndarray of shape (n_curves, n_times)
        Contiguous, float64 like everything else.
    ladder, box, out, found
        As in `free_optima`.
    tolerances : tuple
        As in `free_optima`, then the most tries, the energy of plasma, by how much a gain between
        rungs may exceed that on rungs, and how far below zero a projection has to be.
    per_rung : ndarray of shape (5, n_rungs)
        As `EdgeSearch` knows them.
    table : ndarray of shape (n_places, n_functions, 4)
        Taylor series of 1 / norm, 1 / length, plasma share and kep.
    """
    basis, plasma, rungs, odd = ladder[0], ladder[1], ladder[2], ladder[4]
    energy, margin, below = tolerances[7], tolerances[8], tolerances[9]
    ktrans_low, ve_low, vp_low, vp_high, has_plasma = box[0], box[2], box[4], box[5], box[6]
    half, size, kind = odd.shape[0], len(rungs), curves.dtype
    columns, part = np.zeros((basis.shape[1], LANES), kind), np.empty((size, LANES), kind)
    gain, lanes = np.empty((size, LANES), kind), np.empty((4, LANES), kind)
    excess, best = np.empty(LANES, kind), np.empty(LANES, kind)
    work = np.empty((2, 2 * half + 1), kind)
    for begin in range(0, len(curves), LANES):
        n_here = _load(curves, begin, columns)
        _multiply(basis, columns, part)
        _project(plasma, columns, excess)
        for i in range(LANES):
            excess[i] = excess[i] - vp_low if has_plasma > 0 else -1.0
        _scan_edges(part, excess, per_rung, energy, half, rungs, gain, lanes, best)
        for i in range(n_here):
            settings = (ladder, tolerances, per_rung, box, table, work)
            holds, ktrans, kep, vp = _edge_fit(part[:, i], excess[i], int(best[i]), *settings)
            # Another top may come so close that the rungs cannot tell which is higher.
            rival = lanes[1, i]
            if best[i] > half + SAME_TOP:
                first = _first_top(part[half, i], excess[i], per_rung, half, energy)
                rival = max(rival, first)
            holds &= rival < (1.0 - margin) * lanes[0, i]
            if lanes[2, i] < below * lanes[3, i] and ktrans_low == 0.0 and ve_low == 0.0:
                ktrans, kep, vp, holds = 0.0, 0.0, vp_low + max(excess[i], 0.0), True
            out[0, begin + i], out[1, begin + i], out[2, begin + i] = ktrans, kep, vp
            found[begin + i] = holds & (vp <= vp_high)
