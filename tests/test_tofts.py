import csv
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad, solve_ivp

from sk_dcedenoise.aif import NAMED_AIFS, aif_parker, plasma_curve
from sk_dcedenoise.tofts import (
    exponential_convolution,
    extended_tofts,
    patlak,
    tofts,
    two_compartment_exchange,
)

FRAMES = np.arange(32) * 3.75
UNEVEN = np.array([0.0, 2.0, 3.0, 9.5, 10.0, 31.0, 32.0, 75.0, 120.0, 121.0, 300.0, 480.0])
KTRANS = np.array([0.02, 0.1, 0.22, 0.5, 0.2, 0.35, 0.003])
KEP = np.array([0.2, 1.0, 2.2, 5.0, 35.0, 0.05, 1e-4])
VP = np.array([0.002, 0.01, 0.022, 0.1, 0.05, 0.0, 0.1])
each_grid = pytest.mark.parametrize("time", [FRAMES, UNEVEN], ids=["uniform", "uneven"])


def peak_error(curves, truth):
    return np.max(np.abs(curves - truth).max(axis=-1) / np.abs(truth).max(axis=-1))


def weinmann_response(time, rate):
    """Weinmann's biexponential convolved with exp(-rate t), on paper."""
    t, rate = time / 60.0, np.asarray(rate)[:, None]
    total = 0.0
    for a, m in ((0.399, 0.144), (0.478, 0.0111)):
        total = total + a * (np.exp(-m * t) - np.exp(-rate * t)) / (rate - m)
    return total


def weinmann_plasma(time):
    return 0.399 * np.exp(-0.144 * time / 60.0) + 0.478 * np.exp(-0.0111 * time / 60.0)


def read_rows(path):
    csv.field_size_limit(10**9)
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {k: v if k == "label" else np.array(v.split(), float).squeeze() for k, v in row.items()}
        for row in rows
    ]


# Closed forms


@each_grid
def test_tofts_models_against_the_closed_form(time):
    flow = KTRANS[:, None] * weinmann_response(time, KEP)
    plasma = VP[:, None] * weinmann_plasma(time)
    ve = KTRANS / KEP
    assert peak_error(tofts(time, KTRANS, ve, aif="weinmann"), flow) < 1e-5
    curves = extended_tofts(time, KTRANS, ve, VP, aif="weinmann")
    assert peak_error(curves, flow + plasma) < 1e-5
    taken_up = KTRANS[:, None] * weinmann_response(time, np.zeros(7))
    curves = patlak(time, KTRANS, VP, aif="weinmann")
    assert peak_error(curves, taken_up + plasma) < 1e-5


@each_grid
def test_two_compartment_exchange_against_the_closed_form(time):
    rng = np.random.default_rng(0)
    Fp, PS = rng.uniform(0.05, 2.0, 20), rng.uniform(0.01, 0.5, 20)
    ve, vp = rng.uniform(0.05, 0.5, 20), rng.uniform(0.01, 0.2, 20)
    mean = ((Fp + PS) / vp + PS / ve) / 2.0
    root = np.sqrt(mean**2 - Fp * PS / (vp * ve))
    fast, slow = mean + root, mean - root
    # The response starts at Fp, and its slope there is -Fp^2 / vp.
    share = (fast - Fp / vp) / (fast - slow)
    truth = Fp[:, None] * (
        (1.0 - share)[:, None] * weinmann_response(time, fast)
        + share[:, None] * weinmann_response(time, slow)
    )
    curves = two_compartment_exchange(time, Fp, PS, ve, vp, aif="weinmann")
    assert peak_error(curves, truth) < 1e-5


def test_two_compartment_exchange_against_its_differential_equations():
    Fp, PS, ve, vp = 0.6, 0.12, 0.25, 0.08

    def slopes(t, c):
        plasma, tissue = c
        exchange = PS * (plasma - tissue)
        inflow = Fp * (float(aif_parker(60.0 * t)) - plasma)
        return [(inflow - exchange) / vp, exchange / ve]

    solution = solve_ivp(
        slopes, (0.0, 2.0), [0.0, 0.0], t_eval=FRAMES / 60.0, rtol=1e-9, atol=1e-11, max_step=0.01
    )
    truth = vp * solution.y[0] + ve * solution.y[1]
    assert peak_error(two_compartment_exchange(FRAMES, Fp, PS, ve, vp), truth) < 2e-5


@pytest.mark.parametrize("name", ["parker", "georgiou", "fritz_hansen", "mcgrath"])
def test_sampling_of_formulas_is_fine_enough(name):
    dense = np.linspace(0.0, FRAMES[-1], 11_626)
    values = NAMED_AIFS[name](dense)
    integral = exponential_convolution(FRAMES, KEP, dense, values)
    curves = tofts(FRAMES, KTRANS, KTRANS / KEP, aif=name)
    assert peak_error(curves, KTRANS[:, None] * integral) < 2e-5


@pytest.mark.parametrize("kep", [0.0, 1e-9, 0.37, 3.0, 35.0, 400.0])
def test_piecewise_linear_curve_against_quadrature(kep):
    rng = np.random.default_rng(1)
    nodes = np.sort(rng.uniform(-5.0, 100.0, 25))
    values = rng.normal(1.0, 1.0, 25)
    queries = np.concatenate([rng.uniform(nodes[0] - 5.0, nodes[-1], 20), nodes[[0, 7, -1]]])

    def integrand(u, t):
        return np.interp(u, nodes / 60.0, values) * np.exp(-kep * (t - u))

    expected = []
    for t in queries / 60.0:
        edges = np.append(nodes[nodes / 60.0 < t] / 60.0, t)
        expected.append(
            sum(quad(integrand, a, b, args=(t,), epsabs=1e-14)[0] for a, b in pairwise(edges))
        )
    result = exponential_convolution(queries, kep, nodes, values)
    assert result.shape == (1, 23)
    assert_allclose(result[0], expected, rtol=1e-10, atol=1e-13)


def test_constant_plasma_at_tiny_and_huge_rates():
    rates = np.concatenate([[0.0], np.logspace(-14, 6, 81)])
    result = exponential_convolution(FRAMES[1:], rates, [0.0, 200.0], [2.0, 2.0])
    minutes = FRAMES[1:] / 60.0
    truth = np.empty_like(result)
    truth[0] = 2.0 * minutes
    truth[1:] = -2.0 * np.expm1(-rates[1:, None] * minutes) / rates[1:, None]
    assert_allclose(result, truth, rtol=1e-13)


def test_ramp_does_not_lose_digits_where_the_series_ends():
    x = np.array([0.05, 0.099999, 0.100001, 0.2])
    result = exponential_convolution([60.0], x, [0.0, 60.0], [0.0, 1.0])[:, 0]
    truth = [quad(lambda u, k=k: u * np.exp(-k * (1 - u)), 0, 1, epsabs=1e-15)[0] for k in x]
    assert_allclose(result, truth, rtol=1e-13)


# Limits and symmetries


def test_extended_tofts_holds_the_other_models():
    assert_array_equal(
        extended_tofts(FRAMES, KTRANS, 0.3, 0.0, delay=2.0), tofts(FRAMES, KTRANS, 0.3, delay=2.0)
    )
    assert_allclose(extended_tofts(FRAMES, KTRANS, 1e9, VP), patlak(FRAMES, KTRANS, VP), rtol=1e-7)
    plasma = VP[:, None] * aif_parker(FRAMES)
    assert_allclose(extended_tofts(FRAMES, KTRANS, 0.0, VP), plasma, rtol=1e-12)
    assert_allclose(extended_tofts(FRAMES, 0.0, [0.0, 0.3], 0.02)[0], 0.02 * aif_parker(FRAMES))


def test_limits_of_two_compartment_exchange():
    plug = two_compartment_exchange(FRAMES, 0.5, 0.1, 0.3, [0.0, 1e-9])
    Ktrans = 0.5 * 0.1 / 0.6
    assert_allclose(plug[0], tofts(FRAMES, Ktrans, 0.3), rtol=1e-12)
    assert_allclose(plug[1], plug[0], rtol=1e-5)
    one_compartment = tofts(FRAMES, 0.5, 0.08)
    assert_allclose(two_compartment_exchange(FRAMES, 0.5, 0.0, 0.3, 0.08), one_compartment)
    assert_allclose(two_compartment_exchange(FRAMES, 0.5, 0.0, 0.0, 0.08), one_compartment)
    assert_allclose(two_compartment_exchange(FRAMES, 0.5, 0.1, 0.0, 0.08), one_compartment)
    mixed = two_compartment_exchange(FRAMES, 0.5, 1e9, 0.3, 0.08)
    assert_allclose(mixed, tofts(FRAMES, 0.5, 0.38), rtol=1e-6, atol=1e-9)
    # Not at t = 0: Parker's formula jumps there, and no flow fills the plasma in no time.
    fast = two_compartment_exchange(FRAMES, 1e6, 0.1, 0.3, 0.08)[1:]
    assert_allclose(fast, extended_tofts(FRAMES, 0.1, 0.3, 0.08)[1:], rtol=1e-5)
    assert (two_compartment_exchange(FRAMES, [0.0, 0.5], 0.1, 0.0, 0.0) == 0.0).all()


@pytest.mark.parametrize("aif", ["parker", "weinmann"])
def test_delay_moves_the_curve(aif):
    time = np.arange(0.0, 120.0, 0.75)
    early = extended_tofts(time, KTRANS, 0.3, VP, aif=aif)
    late = extended_tofts(time, KTRANS, 0.3, VP, aif=aif, delay=7.5)
    assert (late[:, :10] == 0.0).all()
    assert_allclose(late[:, 10:], early[:, :-10], atol=2e-5 * early.max())
    each = extended_tofts(time, KTRANS, 0.3, VP, aif=aif, delay=np.linspace(-3.0, 9.0, 7))
    for row, shift in enumerate(np.linspace(-3.0, 9.0, 7)):
        alone = extended_tofts(time, KTRANS[row], 0.3, VP[row], aif=aif, delay=shift)
        assert_allclose(each[row], alone, atol=3e-5 * alone.max())


def test_rows_of_times_and_common_times_agree():
    nodes, cp = plasma_curve("parker", FRAMES)
    common = exponential_convolution(FRAMES, KEP, nodes, cp)
    rows = exponential_convolution(np.tile(FRAMES, (7, 1)), KEP, nodes, cp)
    assert_allclose(rows, common, rtol=1e-12)
    many = np.tile(KEP, 3)
    assert_allclose(exponential_convolution(FRAMES, many, nodes, cp), np.tile(common, (3, 1)))
    assert_allclose(
        exponential_convolution(np.tile(FRAMES, (2, 1)), 1.0, nodes, cp), common[[1, 1]]
    )


def test_chunks_do_not_show(monkeypatch):
    rng = np.random.default_rng(2)
    nodes, cp = plasma_curve("parker", FRAMES)
    kep, time = rng.uniform(0, 5, 50), FRAMES - rng.uniform(0, 10, (50, 1))
    whole = (
        exponential_convolution(time, kep, nodes, cp),
        exponential_convolution(FRAMES, kep, nodes, cp),
    )
    monkeypatch.setattr("sk_dcedenoise.convolution._CHUNK_VALUES", 7 * (nodes.size + 8 * 32))
    assert_array_equal(exponential_convolution(time, kep, nodes, cp), whole[0])
    assert_array_equal(exponential_convolution(FRAMES, kep, nodes, cp), whole[1])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(0.01, 20.0), min_size=1, max_size=12),
    st.floats(0.0, 50.0),
    st.floats(-3.0, 3.0),
    st.integers(0, 2**32 - 1),
)
def test_convolution_is_linear_and_knows_no_origin_of_time(gaps, kep, factor, seed):
    rng = np.random.default_rng(seed)
    nodes = np.cumsum([0.0, *gaps])
    one, two = rng.normal(size=(2, nodes.size))
    time = rng.uniform(0.0, nodes[-1], 6)

    def convolve(values, shift=0.0):
        return exponential_convolution(time + shift, kep, nodes + shift, values)[0]

    scale = 1e-11 * nodes[-1]
    assert_allclose(
        convolve(one + factor * two), convolve(one) + factor * convolve(two), atol=scale
    )
    # Splitting a line segment changes nothing.
    middle = (nodes[0] + nodes[1]) / 2
    finer, values = np.insert(nodes, 1, middle), np.insert(one, 1, (one[0] + one[1]) / 2)
    assert_allclose(exponential_convolution(time, kep, finer, values)[0], convolve(one), atol=scale)
    assert_allclose(convolve(one, shift=64.0), convolve(one), atol=1e-11 * nodes[-1] + 1e-12)


def test_hematocrit_scales_every_model():
    args = {"aif": "parker", "hematocrit": 0.45}
    assert_allclose(tofts(FRAMES, 0.1, 0.3, **args), tofts(FRAMES, 0.1, 0.3) / 0.55)
    assert_allclose(
        two_compartment_exchange(FRAMES, 0.5, 0.1, 0.3, 0.1, **args),
        two_compartment_exchange(FRAMES, 0.5, 0.1, 0.3, 0.1) / 0.55,
    )


def test_frames_before_the_bolus_are_zero():
    time = np.arange(-20.0, 60.0, 5.0)
    curve = extended_tofts(time, 0.1, 0.3, 0.05, aif="weinmann")
    assert (curve[time < 0] == 0.0).all()
    assert_allclose(curve[time >= 0], extended_tofts(time[4:], 0.1, 0.3, 0.05, aif="weinmann"))


# Reference data: simulated by others, from the AIF samples that stand beside each curve


@pytest.mark.parametrize("name", ["osipi_tofts.csv", "osipi_extended_tofts.csv"])
def test_noise_free_phantoms(reference_data, name):
    rows = [row for row in read_rows(reference_data / name) if "highSNR" in row["label"]]
    assert rows
    for row in rows:
        aif = (row["ta"], row["ca"])
        curve = extended_tofts(row["t"], row["Ktrans"], row["ve"], row.get("vp", 0.0), aif=aif)
        # Simulated with rules of their own: we differ by at most 0.24 % of the peak.
        assert peak_error(curve, row["C"]) < 0.003, row["label"]


@pytest.mark.parametrize(
    ("name", "sd"),
    [("osipi_2cxm.csv", 0.001), ("osipi_patlak.csv", 0.02), ("osipi_patlak_delay5s.csv", 0.02)],
)
def test_noisy_simulations_differ_by_their_noise(reference_data, name, sd):
    for row in read_rows(reference_data / name):
        given = {"aif": (row["t"], row["cp_aif"]), "delay": row["arterial_delay"]}
        if "fp" in row:
            flow = row["fp"] / 100.0
            curve = two_compartment_exchange(
                row["t"], flow, row["ps"], row["ve"], row["vp"], **given
            )
        else:
            curve = patlak(row["t"], row["ps"], row["vp"], **given)
        residual = curve - row["C_t"]
        assert abs(residual.mean()) < 4 * sd / np.sqrt(residual.size) + 0.002 * curve.max()
        assert 0.85 * sd < residual.std() < 1.15 * sd, row["label"]


# Shapes, memory, bad input


def test_shapes_and_broadcasting():
    assert tofts(FRAMES, 0.1, 0.3).shape == (32,)
    assert tofts(FRAMES, [0.1], 0.3).shape == (1, 32)
    assert tofts(FRAMES, 0.1, 0.3, delay=[0.0, 1.0]).shape == (2, 32)
    assert tofts(FRAMES, [], []).shape == (0, 32)
    assert two_compartment_exchange(FRAMES, KTRANS, 0.1, 0.3, 0.1).shape == (7, 32)
    assert patlak(FRAMES, KTRANS, 0.1).dtype == np.float64


def test_a_curve_without_parameters_is_nan_and_leaves_the_others_alone():
    nan = np.nan
    curves = extended_tofts(
        FRAMES,
        [nan, 0.1, 0.1, 0.1, 0.0, 0.1],
        [0.3, nan, 0.3, 0.3, nan, 0.3],
        [0.0, 0.0, nan, 0.0, 0.0, 0.01],
        delay=[0.0, 0.0, 0.0, nan, 0.0, 0.0],
    )
    assert np.isnan(curves[:5]).all()
    assert_allclose(curves[5], extended_tofts(FRAMES, 0.1, 0.3, 0.01), rtol=1e-12)
    exchange = two_compartment_exchange(FRAMES, [nan, 0.5], [0.1, 0.1], 0.0, 0.0)
    assert np.isnan(exchange[0]).all() and (exchange[1] == 0.0).all()


def test_inputs_are_not_modified():
    time, Ktrans, ve, delay = FRAMES.copy(), KTRANS.copy(), KTRANS / KEP, np.arange(7.0)
    before = [a.copy() for a in (time, Ktrans, ve, delay)]
    extended_tofts(time, Ktrans, ve, 0.0, delay=delay)
    for array, copy in zip((time, Ktrans, ve, delay), before, strict=True):
        assert_array_equal(array, copy)


def test_memory_is_bounded_with_one_delay_for_each_curve():
    n_curves = 20_000
    rng = np.random.default_rng(3)
    Ktrans, delay = rng.uniform(0.01, 0.3, n_curves), rng.uniform(0, 12, n_curves)
    tracemalloc.start()
    try:
        curves = extended_tofts(FRAMES, Ktrans, 0.3, 0.01, delay=delay)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # All states at once would be 120 MB.
    assert peak < 6 * curves.nbytes + 60e6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tofts(FRAMES, [0.1, 0.2], [0.3] * 3), r"Ktrans \(2,\), ve \(3,\)"),
        (lambda: tofts(FRAMES, np.ones((2, 2)), 0.3), r"Ktrans \(2, 2\)"),
        (lambda: tofts(FRAMES, [0.1, -0.2], 0.3), r"Ktrans=-0.2 and ve=0.3 \(curve 1\)"),
        (lambda: patlak(FRAMES, 0.1, np.inf), "vp contains inf"),
        (lambda: tofts(FRAMES, 0.1, 0.3, delay=np.inf), "delay contains inf"),
        (lambda: two_compartment_exchange(FRAMES, 0.5, -0.1, 0.3, 0.1), "PS contains -0.1"),
        (lambda: two_compartment_exchange(FRAMES, 0.5, 0.1, np.inf, 0.1), "ve contains inf"),
        (lambda: tofts(FRAMES[::-1], 0.1, 0.3), "strictly increasing"),
        (lambda: tofts(FRAMES, 0.1, 0.3, aif=FRAMES, delay=-1.0), "reaches 117.25 s"),
        (lambda: tofts(FRAMES, 0.1, 0.3, aif="Parker"), "aif='Parker'"),
        (lambda: exponential_convolution(FRAMES, -1.0, FRAMES, FRAMES), "kep contains -1"),
        (lambda: exponential_convolution(FRAMES, np.inf, FRAMES, FRAMES), "kep contains inf"),
        (lambda: exponential_convolution(FRAMES, 1.0, FRAMES, FRAMES[:3]), r"cp has shape \(3,\)"),
        (lambda: exponential_convolution(FRAMES + 1, 1.0, FRAMES, FRAMES), "after the AIF's end"),
        (lambda: exponential_convolution(np.ones((2, 3)), [1.0] * 3, [0, 9], [0, 1]), "one row"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
