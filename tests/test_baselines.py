"""Classical denoisers against closed forms, brute force, and the limit of the reference law."""

import pickle
import sys

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_dcedenoise.baselines import (
    IdentityDenoiser,
    LinearMMSEDenoiser,
    PCADenoiser,
    PosteriorMeanDenoiser,
    SavitzkyGolayDenoiser,
    ToftsResimulator,
    WaveletDenoiser,
    _posterior_mean,
)
from sk_dcedenoise.datasets import make_dce_curves, reference_law_dictionary
from sk_dcedenoise.metrics import root_mean_squared_error

LEVELS = (0.02, 0.05, 0.1, 0.2, 0.3)


class CurvesAsTarget:
    """Widens the narrow y of scikit-learn's checks, which know no y of the shape of X."""

    def fit(self, X, y=None, **kwargs):
        shape = np.asarray(X).shape
        if y is not None and len(shape) == 2 and np.asarray(y).size == shape[0]:
            # Half off the class labels, so that no curve has mean zero.
            y = np.tile(np.asarray(y).reshape(-1, 1), (1, shape[1])) + 0.5
        return super().fit(X, y, **kwargs)


class LinearMMSEForChecks(CurvesAsTarget, LinearMMSEDenoiser):
    pass


class PCAForChecks(CurvesAsTarget, PCADenoiser):
    pass


class PosteriorMeanForChecks(CurvesAsTarget, PosteriorMeanDenoiser):
    pass


CHECKED = [
    IdentityDenoiser(),
    LinearMMSEForChecks(),
    PCAForChecks(n_components=1),
    PosteriorMeanForChecks(),
    PosteriorMeanForChecks(noise_levels=None),
    # Checks come with one frame, too.
    SavitzkyGolayDenoiser(window_length=1, polyorder=0),
    # A kinetic model has its own number of frames; any invertible transformer takes its place.
    ToftsResimulator(StandardScaler()),
]


@parametrize_with_checks(CHECKED)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def wavelet():
    pytest.importorskip("pywt", reason="PyWavelets is not installed")


@pytest.mark.usefixtures("wavelet")
@pytest.mark.filterwarnings("ignore:Level value of:UserWarning")
@parametrize_with_checks([WaveletDenoiser(wavelet="haar")])
def test_sklearn_checks_of_wavelets(estimator, check):
    check(estimator)


# What all of them promise


def small_denoisers():
    dictionary = PosteriorMeanDenoiser(noise_levels=(0.1,))
    linear = [IdentityDenoiser(), PCADenoiser(), LinearMMSEDenoiser(), SavitzkyGolayDenoiser()]
    return [*linear, dictionary, ToftsResimulator(StandardScaler())]


@pytest.fixture(scope="module")
def pairs():
    return make_dce_curves(200, random_state=0)


@pytest.mark.parametrize("denoiser", small_denoisers(), ids=lambda d: type(d).__name__)
def test_promises(denoiser, pairs):
    pandas = pytest.importorskip("pandas")
    X, y = (array.astype(np.float32) for array in pairs)
    X.flags.writeable = y.flags.writeable = False
    fitted = clone(denoiser).fit(X, y)
    out = fitted.transform(X)
    assert out.dtype == np.float32 and out.shape == X.shape
    assert not np.shares_memory(out, X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), out)

    frames = [f"{t} s" for t in range(32)]
    table = pandas.DataFrame(X.astype(np.float64), columns=frames)
    fitted = clone(denoiser).fit(table, y).set_output(transform="pandas")
    out = fitted.transform(table)
    assert list(out.columns) == list(fitted.get_feature_names_out()) == frames
    assert (out.dtypes == np.float64).all()


@pytest.mark.parametrize("denoiser", small_denoisers(), ids=lambda d: type(d).__name__)
def test_units_do_not_matter(denoiser, pairs):
    X, y = pairs
    out = clone(denoiser).fit(X, y).transform(X)
    scaled = clone(denoiser).fit(1e-6 * X, 1e-6 * y).transform(1e-6 * X)
    np.testing.assert_allclose(scaled, 1e-6 * out, rtol=1e-6, atol=1e-6 * 1e-9)


@pytest.mark.parametrize("denoiser", small_denoisers(), ids=lambda d: type(d).__name__)
def test_unfitted(denoiser, pairs):
    with pytest.raises(NotFittedError):
        clone(denoiser).transform(pairs[0])


# Single methods against closed forms


def test_identity(pairs):
    np.testing.assert_array_equal(IdentityDenoiser().fit_transform(pairs[0]), pairs[0])


def test_pca_keeps_its_space_and_drops_the_rest():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(30, 3)))[0].T
    clean = 1.0 + rng.normal(size=(4000, 3)) @ basis
    noise = 1e-3 * rng.normal(size=clean.shape)
    for y in (clean, None):
        fitted = PCADenoiser(3).fit(clean + noise, y)
        np.testing.assert_allclose(fitted.transform(clean[:5]), clean[:5], rtol=0, atol=1e-3)
        left = fitted.transform(clean + noise) - clean
        # Three of thirty directions keep their noise.
        assert (left**2).mean() / 1e-6 == pytest.approx(0.1, rel=0.05)


def test_linear_mmse_is_the_wiener_filter():
    """Curves a * s with a ~ N(0, 1) in noise of variance v: the matrix is s s' / (s's + v)."""
    rng = np.random.default_rng(0)
    shape, variance = np.array([0.0, 3.0, 2.0, 1.0]), 0.5
    y = rng.normal(size=(100_000, 1)) * shape
    X = y + np.sqrt(variance) * rng.normal(size=y.shape)
    fitted = LinearMMSEDenoiser(alpha=0.0).fit(X, y)
    expected = np.outer(shape, shape) / (shape @ shape + variance)
    np.testing.assert_allclose(fitted.coef_, expected, atol=0.01)
    np.testing.assert_allclose(fitted.intercept_, 0, atol=0.01)
    # A strong penalty leaves the mean curve alone.
    flat = LinearMMSEDenoiser(alpha=1e9).fit(X, y + 1.0).transform(X[:3])
    np.testing.assert_allclose(flat, np.tile(y.mean(axis=0) + 1.0, (3, 1)), atol=1e-6)


def test_savitzky_golay_is_a_local_polynomial():
    rng = np.random.default_rng(0)
    curve = rng.normal(size=20)
    out = SavitzkyGolayDenoiser(window_length=5, polyorder=2).fit_transform(curve[None])[0]
    steps = np.arange(-2, 3)
    for i in range(2, 18):
        assert out[i] == pytest.approx(np.polyfit(steps, curve[i - 2 : i + 3], 2)[-1])
    assert out[0] == pytest.approx(np.polyval(np.polyfit(steps, curve[:5], 2), -2))


@pytest.mark.usefixtures("wavelet")
def test_wavelet_shrinks(pairs):
    X, y = pairs
    same = WaveletDenoiser(threshold=0).fit_transform(X[:, :31])
    np.testing.assert_allclose(same, X[:, :31], atol=1e-12)
    out = WaveletDenoiser().fit_transform(X)
    assert root_mean_squared_error(y, out) < 0.75 * root_mean_squared_error(y, X)
    # All details gone: a constant is all that the deepest Haar wavelet keeps of 32 frames.
    flat = WaveletDenoiser("haar", threshold=1e3).fit_transform(X)
    np.testing.assert_allclose(flat, X.mean(axis=1, keepdims=True) + 0 * X, atol=1e-12)


def test_missing_pywavelets_is_said(monkeypatch, pairs):
    monkeypatch.setitem(sys.modules, "pywt", None)
    with pytest.raises(ImportError, match="pip install PyWavelets"):
        WaveletDenoiser().fit(pairs[0])


def test_resimulation_of_exact_curves():
    fitting = pytest.importorskip("sk_dcedenoise.fitting")
    _, y = make_dce_curves(50, random_state=0)
    denoiser = ToftsResimulator(fitting.ToftsTransformer(3.75 * np.arange(32)))
    np.testing.assert_allclose(denoiser.fit_transform(y), y, rtol=0, atol=1e-5 * y.max())
    assert not hasattr(denoiser.tofts, "n_features_in_")


# The posterior mean


def brute_force(X, curves, values, levels):
    """Posterior means by the definition, in no clever order; one log density at a time."""
    means = np.empty((len(X), values.shape[1]))
    for i, x in enumerate(X):
        log_weight = np.empty((len(levels), len(curves)))
        for j, level in enumerate(levels):
            sd = level * curves.mean(axis=1)
            log_weight[j] = -0.5 * ((x - curves) ** 2).sum(axis=1) / sd**2 - curves.shape[
                1
            ] * np.log(sd)
        weight = np.exp(logsumexp(log_weight, axis=0) - logsumexp(log_weight))
        means[i] = weight @ values
    return means


@pytest.fixture(scope="module")
def few():
    """A small dictionary with parameters, and noisy curves that come from it."""
    _, curves, params = make_dce_curves(400, random_state=1, return_params=True)
    X, _ = make_dce_curves(30, random_state=2)
    return X, curves, params


def test_posterior_mean_is_brute_force(few):
    X, curves, params = few
    fitted = PosteriorMeanDenoiser(LEVELS, batch_size=7).fit(curves, curves, params=params)
    expected = brute_force(X, curves, curves, LEVELS)
    np.testing.assert_allclose(fitted.transform(X), expected, rtol=1e-9)
    for name, values in fitted.predict_params(X).items():
        expected = brute_force(X, curves, params[name][:, None], LEVELS)[:, 0]
        np.testing.assert_allclose(values, expected, rtol=1e-9, err_msg=name)


def test_unknown_sd_is_that_of_many_levels(few):
    """Integrating sd out over 1 / sd is the limit of a fine, wide, log-uniform grid of sds."""
    X, curves, _ = few
    sds = np.geomspace(1e-4, 1.0, 400)
    expected = np.empty_like(X)
    for i, x in enumerate(X):
        square = ((x - curves) ** 2).sum(axis=1)
        log_weight = logsumexp(
            [-0.5 * square / sd**2 - curves.shape[1] * np.log(sd) for sd in sds], axis=0
        )
        expected[i] = np.exp(log_weight - logsumexp(log_weight)) @ curves
    fitted = PosteriorMeanDenoiser(noise_levels=None).fit(curves, curves)
    np.testing.assert_allclose(fitted.transform(X), expected, rtol=1e-6)


def test_blocks_and_order_do_not_matter(few, monkeypatch):
    X, curves, _ = few
    whole = PosteriorMeanDenoiser().fit(curves, curves).transform(X)
    monkeypatch.setattr(_posterior_mean, "_CPU_BLOCK", 64)
    for order in (curves, curves[::-1]):
        blocks = PosteriorMeanDenoiser(batch_size=4).fit(order, order)
        np.testing.assert_allclose(blocks.transform(X), whole, rtol=1e-9)
    single = PosteriorMeanDenoiser(dtype="float32").fit(curves, curves)
    np.testing.assert_allclose(single.transform(X), whole, rtol=0, atol=1e-3 * whole.max())


def test_far_curves_and_exact_ones_stay_finite(few):
    _, curves, _ = few
    X = np.vstack([1e6 + 0 * curves[:1], -1e6 * curves[:1], 0 * curves[:1], curves[:3]])
    for levels in (LEVELS, None):
        for dtype in ("float64", "float32"):
            fitted = PosteriorMeanDenoiser(levels, dtype=dtype).fit(curves, curves)
            out = fitted.transform(X)
            low, high = curves.min(axis=0), curves.max(axis=0)
            assert ((out >= low - 1e-6) & (out <= high + 1e-6)).all()
    exact = PosteriorMeanDenoiser(1e-4).fit(curves, curves).transform(curves[:3])
    np.testing.assert_allclose(exact, curves[:3], rtol=1e-12)


# The limit of the reference law


@pytest.fixture(scope="module")
def limit():
    """Balanced noisy and clean curves, 400 a level, with their exact posterior means."""
    parts = [make_dce_curves(400, noise_levels=s, random_state=i) for i, s in enumerate(LEVELS)]
    X, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    curves, params = reference_law_dictionary()
    fitted = PosteriorMeanDenoiser(dtype="float32").fit(curves, curves, params=params)
    return X, y, fitted.transform(X), fitted


def ratio(limit, denoised, rows=slice(None)):
    _, y, best, _ = limit
    return root_mean_squared_error(y[rows], denoised[rows]) / root_mean_squared_error(
        y[rows], best[rows]
    )


def test_limit_of_the_reference_law(limit):
    X, y, best, _ = limit
    assert root_mean_squared_error(y, best) == pytest.approx(0.0050, abs=0.0004)
    assert ratio(limit, X) == pytest.approx(4.0, abs=0.25)


def test_errors_of_the_posterior_mean_are_orthogonal_to_it(limit):
    """The mark of a posterior mean: what is left cannot be told from the estimate."""
    X, y, best, _ = limit
    for function in (best, X, np.ones_like(best)):
        products = ((y - best) * function).mean(axis=1)
        assert abs(products.mean()) < 4 * products.std() / np.sqrt(len(products))


def test_parameters_of_the_limit(limit):
    X, _, _, fitted = limit
    truth = [
        make_dce_curves(400, noise_levels=s, random_state=i, return_params=True)[2]
        for i, s in enumerate(LEVELS)
    ]
    means = fitted.predict_params(X)
    # Few curves with a small kep make up most of the error of ve, which is loose for that.
    for name, expected, within in [
        ("Ktrans", 0.0104, 0.1),
        ("kep", 0.153, 0.1),
        ("vp", 0.00214, 0.1),
        ("ve", 0.0297, 0.3),
    ]:
        true = np.concatenate([part[name] for part in truth])
        assert np.sqrt(((means[name] - true) ** 2).mean()) == pytest.approx(expected, rel=within)


def test_others_against_the_limit(limit):
    X = limit[0]
    pairs = make_dce_curves(20_000, random_state=9)
    for denoiser, expected in [(PCADenoiser(3), 1.25), (LinearMMSEDenoiser(), 1.18)]:
        assert ratio(limit, denoiser.fit(*pairs).transform(X)) == pytest.approx(expected, abs=0.04)
    smooth = SavitzkyGolayDenoiser().fit_transform(X)
    assert 2.2 < ratio(limit, smooth) < 3.5
    # At 2 % noise, smoothing is worse than leaving the curve alone.
    assert ratio(limit, smooth, slice(400)) > ratio(limit, X, slice(400))


def test_resimulation_against_the_limit(limit):
    fitting = pytest.importorskip("sk_dcedenoise.fitting")
    denoiser = ToftsResimulator(fitting.ToftsTransformer(3.75 * np.arange(32)))
    assert ratio(limit, denoiser.fit_transform(limit[0])) == pytest.approx(1.20, abs=0.05)


# Bad input


@pytest.mark.parametrize(
    ("denoiser", "message"),
    [
        (LinearMMSEDenoiser(alpha=-1), "alpha=-1, but expected"),
        (PCADenoiser(n_components=99), "n_components=99"),
        (
            SavitzkyGolayDenoiser(window_length=99),
            "polyorder=2 and window_length=99 for curves of 32",
        ),
        (SavitzkyGolayDenoiser(3, 3), "0 <= polyorder < window_length"),
        (WaveletDenoiser(threshold=-1), "threshold=-1, but expected"),
        (PosteriorMeanDenoiser(noise_levels=[]), r"noise_levels=\[\], but expected"),
        (PosteriorMeanDenoiser(noise_levels=(0.1, 0.0)), "finite levels above 0"),
        (PosteriorMeanDenoiser(noise_levels=np.inf), "finite levels above 0"),
        (PosteriorMeanDenoiser(batch_size=0), "batch_size=0, but expected a positive integer"),
        (PosteriorMeanDenoiser(dtype="float16"), "dtype='float16', but expected one of"),
    ],
)
def test_bad_settings(denoiser, message, pairs):
    with pytest.raises(ValueError, match=message):
        denoiser.fit(*pairs)


@pytest.mark.parametrize("denoiser", [LinearMMSEDenoiser(), PCADenoiser(), PosteriorMeanDenoiser()])
def test_bad_pairs(denoiser, pairs):
    X, y = pairs
    for wrong in (y[:-1], y[:, :-1], y[:, 0]):
        with pytest.raises(ValueError, match=r"y has shape .*, but expected \(200, 32\)"):
            denoiser.fit(X, wrong)
    with pytest.raises(ValueError, match="y contains NaN"):
        denoiser.fit(X, np.where(y > y.mean(), np.nan, y))


def test_bad_dictionaries(pairs):
    X, y = pairs
    with pytest.raises(ValueError, match="y has 200 curves of mean zero"):
        PosteriorMeanDenoiser().fit(X, np.zeros_like(y))
    assert PosteriorMeanDenoiser(None).fit(X, np.zeros_like(y)).transform(X[:1]).max() == 0
    for params in ({"ve": np.ones(3)}, {"ve": np.full(200, np.nan)}):
        with pytest.raises(ValueError, match="params\\['ve'\\] has shape"):
            PosteriorMeanDenoiser().fit(X, y, params=params)
    with pytest.raises(ValueError, match="fit with params="):
        PosteriorMeanDenoiser().fit(X, y).predict_params(X)
