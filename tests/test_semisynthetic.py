"""Training without clean curves, judged by curves whose law is known."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_dcedenoise.baselines import LinearMMSEDenoiser, PosteriorMeanDenoiser
from sk_dcedenoise.datasets import add_noise, make_dce_curves
from sk_dcedenoise.denoisers import DenoiserVanillaNL
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.persistence import load, save
from sk_dcedenoise.semisynthetic import SemiSyntheticDenoiser
from sk_dcedenoise.semisynthetic._deconvolution import deconvolve, likelihoods
from sk_dcedenoise.semisynthetic._strata import even_out, strata
from sk_dcedenoise.tofts import extended_tofts, patlak

TIME = 3.75 * np.arange(32)
X, Y = make_dce_curves(1000, random_state=0)
LINEAR = LinearMMSEDenoiser()
SMALL = DenoiserVanillaNL(width=0.25, kernel_size=5, device="cpu", random_state=0)


def denoiser(estimator=LINEAR, **params):
    given = {"time": TIME, "n_pairs": 3000, "random_state": 0} | params
    return SemiSyntheticDenoiser(clone(estimator), **given)


@pytest.fixture(scope="module")
def fitted():
    return denoiser().fit(X)


# ---- scikit-learn --------------------------------------------------------------------------------


class AnyWidth(SemiSyntheticDenoiser):
    """For scikit-learn's checks, which feed any number of frames: the grid follows the curves."""

    def __init__(
        self, estimator=None, *, time=None, aif="parker", model="patlak", n_pairs=50,
        random_state=None,
    ):  # fmt: skip
        super().__init__(
            estimator, time=time, aif=aif, model=model, n_pairs=n_pairs, random_state=random_state
        )

    def _frame_times(self):
        return np.arange(self.n_features_in_) * 3.75


TWO_FRAMES = (
    "check_estimators_overwrite_params",
    "check_estimators_fit_returns_self",
    "check_readonly_memmap_input",
    "check_fit_idempotent",
    "check_fit_check_is_fitted",
    "check_n_features_in",
)
SCORE = "score compares with clean curves, one per row of X, and the check gives one number per row"


@pytest.mark.filterwarnings("ignore:The kinetic model leaves")  # of numbers that are no curves
@parametrize_with_checks(
    [AnyWidth(LinearMMSEDenoiser(), random_state=0)],
    expected_failed_checks=lambda _: (
        dict.fromkeys(TWO_FRAMES, "2 frames are too few to fit")
        | {
            "check_fit_score_takes_y": SCORE,
            "check_pipeline_consistency": SCORE,
        }
    ),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_is_cloned_searched_and_stands_in_a_pipeline():
    # Without the guard, which makes up for a network that has hardly learned.
    unguarded = clone(SMALL).set_params(guard=None)
    search = GridSearchCV(
        make_pipeline(denoiser(unguarded, n_pairs=500)),
        {"semisyntheticdenoiser__estimator__max_steps": [1, 150]},
        cv=2,
        error_score="raise",
    )
    search.fit(X[:300], Y[:300])
    assert search.best_params_["semisyntheticdenoiser__estimator__max_steps"] == 150
    assert search.transform(X).shape == X.shape
    step = search.best_estimator_[0]
    assert not hasattr(clone(step), "law_")
    assert not hasattr(step.estimator, "module_")  # the one given is left alone


def test_without_an_estimator_it_trains_the_default_network(monkeypatch):
    steps = []
    monkeypatch.setattr(DenoiserVanillaNL, "fit", lambda self, *pairs: steps.append(pairs) or self)
    fitted = denoiser().set_params(estimator=None, n_pairs=70).fit(X[:100])
    assert type(fitted.estimator_) is DenoiserVanillaNL
    assert fitted.estimator_.random_state is not None
    assert [curves.shape for curves in steps[0]] == [(70, 32)] * 2


def test_same_seed_same_result_and_y_is_not_looked_at(fitted):
    expected = fitted.transform(X)
    np.testing.assert_array_equal(denoiser().fit(X, np.full(3, np.nan)).transform(X), expected)
    np.testing.assert_array_equal(denoiser().fit(X).predict(X), expected)
    assert (denoiser(random_state=1).fit(X).transform(X) != expected).any()
    first, second = (denoiser(random_state=None).fit(X).transform(X) for _ in range(2))
    assert (first != second).any()


def test_the_input_and_numpy_s_generator_are_left_alone():
    before, curves = np.random.get_state()[1].copy(), X.copy()  # noqa: NPY002
    curves.flags.writeable = False
    denoiser(random_state=None).fit(curves).transform(curves)
    np.testing.assert_array_equal(curves, X)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("how", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_draw_and_denoise_alike(fitted, how):
    copied = how(fitted)
    np.testing.assert_array_equal(copied.transform(X), fitted.transform(X))
    np.testing.assert_array_equal(copied.law_.draw(9, 3)[0], fitted.law_.draw(9, 3)[0])


def test_it_asks_its_estimator_which_curves_are_explained(fitted):
    guarded = denoiser(clone(SMALL).set_params(max_steps=200)).fit(X)
    inner = guarded.estimator_
    assert np.array_equal(guarded.score_samples(X[:50]), inner.score_samples(X[:50]))
    assert np.array_equal(guarded.fell_back(X[:50]), inner.fell_back(X[:50]))
    assert np.array_equal(guarded.trust(X[:50]), inner.trust(X[:50]))
    assert guarded.fell_back(X[:, ::-1]).mean() > 0.5
    assert guarded.fell_back(X).mean() < 0.2
    assert not hasattr(fitted, "score_samples")
    assert not hasattr(fitted, "trust")
    assert not hasattr(fitted, "fell_back")
    assert hasattr(SemiSyntheticDenoiser(time=TIME), "fell_back")


def test_score_is_that_of_the_clean_curves_or_of_the_learned_law(fitted):
    square = ((fitted.transform(X) - Y) ** 2).sum()
    assert fitted.score(X, Y) == pytest.approx(1 - square / ((Y - Y.mean(axis=0)) ** 2).sum())
    assert fitted.score(X) == fitted.score(X[::-1]) < 1


# ---- what is learned -----------------------------------------------------------------------------


def test_the_law_is_nearly_as_good_a_prior_as_the_truth(fitted):
    X_new, y_new = make_dce_curves(400, random_state=5)

    def error(clean):
        clean = clean[clean.mean(axis=1) > 0]
        return np.mean((PosteriorMeanDenoiser().fit(clean, clean).transform(X_new) - y_new) ** 2)

    truth = error(make_dce_curves(6000, noise_levels=0, random_state=6)[1])
    assert error(fitted.law_.draw(6000, 0)[1]) < 1.15**2 * truth
    assert truth < 0.35**2 * np.mean((X_new - y_new) ** 2)  # there is something to lose


def test_scatter_of_the_noise_is_taken_off():
    params = {"Ktrans": 0.1, "ve": 0.2, "vp": 0.01}
    clean = np.tile(extended_tofts(TIME, **params), (800, 1))
    noisy = add_noise(clean, 0.3, random_state=0)
    fits = ToftsTransformer(TIME).fit(noisy).transform(noisy)
    law = denoiser(stratify=0.0, widen=0.0).fit(noisy).law_
    drawn = law.draw(4000, 0, return_params=True)[2]
    for name, scattered in zip(params, fits.T, strict=True):
        assert np.std(drawn[name]) < 0.8 * np.std(scattered), name
        assert np.median(drawn[name]) == pytest.approx(params[name], rel=0.25), name


def ar1(correlation):
    return correlation ** np.abs(np.subtract.outer(np.arange(32), np.arange(32)))


def noise_of(kind, rng):
    noise = 0.01 * rng.standard_normal((4000, 32))
    clean = make_dce_curves(4000, noise_levels=0, random_state=3)[1]
    if kind == "correlated":
        noise = noise @ np.linalg.cholesky(ar1(0.5)).T
    elif kind == "uneven":
        noise *= np.linspace(0.5, 1.5, 32)
    elif kind == "proportional":
        noise *= 10 * clean.mean(axis=1, keepdims=True)
    return clean, noise


@pytest.mark.parametrize(
    ("kind", "exponent"), [("white", 0), ("proportional", 1), ("correlated", 0), ("uneven", 0)]
)
def test_noise_is_learned_without_the_truth(kind, exponent):
    clean, noise = noise_of(kind, np.random.default_rng(0))
    law = denoiser(n_pairs=100).fit(clean + noise).law_
    assert law.noise.exponent == exponent
    drawn = np.subtract(*law.draw(20000, 0)[:2])
    if kind == "proportional":
        drawn = drawn / law.draw(20000, 0)[1].mean(axis=1, keepdims=True)
        assert drawn.std() == pytest.approx(0.1, rel=0.05)
    else:
        assert drawn.std() == pytest.approx(noise.std(), rel=0.05)
    assert (law.noise.factor is None) == (kind in ("white", "proportional"))
    profile = drawn.std(axis=0) / drawn.std()
    expected = np.linspace(0.5, 1.5, 32) if kind == "uneven" else np.ones(32)
    np.testing.assert_allclose(profile[4:], expected[4:], rtol=0.15, atol=0.05)
    neighbours = np.mean(np.diagonal(np.corrcoef(drawn.T), 1))
    assert neighbours == pytest.approx(0.5 if kind == "correlated" else 0.0, abs=0.05)
    # All curves have noise of one level, and scattered estimates of it are known for such.
    if exponent == 0:
        most = np.quantile(law.noise.levels, [0.05, 0.95]) / noise.std()
        assert np.abs(most - 1).max() < 0.1


def test_frames_that_the_model_cannot_say_are_no_noise():
    clean, noise = noise_of("white", np.random.default_rng(0))
    clean[:, 3] += 0.1  # as from a bolus that comes early
    law = denoiser(n_pairs=100).fit(clean + noise).law_
    drawn = np.subtract(*law.draw(20000, 0))
    # The fit bends towards that frame, which others pay for.
    assert drawn.std() < 1.4 * noise.std()
    assert drawn[:, 3].std() < 2 * noise.std()


def test_signals_in_place_of_concentrations_are_noticed():
    with pytest.warns(UserWarning, match="leaves 100% of the energy of the curves unexplained"):
        denoiser(n_pairs=100).fit(1e5 * (1 + X[:100]))


def test_delay_is_learned_where_asked_for():
    rng = np.random.default_rng(0)
    delay = rng.uniform(2.0, 9.0, 600)
    clean = extended_tofts(TIME, rng.uniform(0.05, 0.2, 600), 0.2, 0.03, delay=delay)
    noisy = add_noise(clean, 0.05, random_state=0)
    drawn = (
        denoiser(delay=(-2.0, 15.0), widen=0.0).fit(noisy).law_.draw(3000, 0, return_params=True)
    )
    found = np.quantile(drawn[2].delay, [0.05, 0.5, 0.95])
    np.testing.assert_allclose(found, np.quantile(delay, [0.05, 0.5, 0.95]), atol=0.5)
    known = denoiser(delay=5.0).fit(noisy).law_.draw(10, 0, return_params=True)
    assert "delay" not in known[2]
    assert not known[1][:, TIME < 5.0].any()


@pytest.mark.parametrize("model", ["tofts", "patlak"])
def test_models_with_fewer_parameters(model):
    rng = np.random.default_rng(0)
    rates, others = rng.uniform(0.02, 0.1, 300), rng.uniform(0.05, 0.2, 300)
    curves = {"tofts": lambda: extended_tofts(TIME, rates, others, 0.0),
              "patlak": lambda: patlak(TIME, rates, others)}  # fmt: skip
    noisy = add_noise(curves[model](), 0.05, random_state=0)
    law = denoiser(model=model).fit(noisy).law_
    params = law.draw(500, 0, return_params=True)[2]
    assert set(params) == {"Ktrans", "ve" if model == "tofts" else "vp"}
    assert np.median(params.Ktrans) == pytest.approx(np.median(rates), rel=0.2)


def test_lesions_are_drawn_more_often_than_they_occur():
    tissue = extended_tofts(TIME, np.linspace(0.02, 0.08, 985), 0.2, 0.01)
    lesions = extended_tofts(TIME, np.linspace(0.4, 0.8, 15), 0.5, 0.04)
    noisy = add_noise(np.concatenate([tissue, lesions]), 0.05, random_state=0)

    def share(stratify):
        law = denoiser(stratify=stratify, widen=0.0).fit(noisy).law_
        return np.mean(law.draw(20000, 0, return_params=True)[2].Ktrans > 0.35)

    assert share(0.0) == pytest.approx(15 / len(noisy), rel=0.5)
    assert share(0.5) > 3 * share(0.0)
    assert share(1.0) > share(0.5)


def test_tissue_beyond_what_was_seen_is_drawn_where_asked_for(fitted):
    settings = {"return_params": True, "random_state": 0}
    law = copy.copy(fitted.law_)
    law.stratify, law.widen = 0.0, 0.0
    narrow = law.draw(5000, **settings)[2]
    law.widen = 0.5
    wide = law.draw(5000, **settings)[2]
    assert wide.Ktrans.max() > narrow.Ktrans.max()
    assert (wide.ve <= 1).all() and (wide.vp <= 1).all()


def test_only_a_part_of_many_curves_is_looked_at_closely_and_rare_ones_stay(monkeypatch):
    monkeypatch.setattr("sk_dcedenoise.semisynthetic._tissue._MOST_CURVES", 200)
    lesions = extended_tofts(TIME, np.full(10, 0.6), 0.5, 0.04)
    noisy = add_noise(np.concatenate([Y, lesions]), 0.05, random_state=0)
    law = denoiser(stratify=0.0, widen=0.0).fit(noisy).law_
    assert len(law.tissue.weights) < 800
    share = np.mean(law.draw(20000, 0, return_params=True)[2].Ktrans > 0.4)
    assert share == pytest.approx(10 / len(noisy), rel=0.7)


# ---- the parts -----------------------------------------------------------------------------------


def test_likelihood_is_the_distance_to_the_power_of_the_frames():
    rng = np.random.default_rng(0)
    curves, candidates = rng.normal(size=(5, 6)), rng.normal(size=(7, 6))
    distance = np.linalg.norm(curves[:, None] - candidates, axis=2)
    expected = distance**-6 / (distance**-6).max(axis=1, keepdims=True)
    np.testing.assert_allclose(likelihoods(curves, candidates), expected, rtol=1e-4)
    np.testing.assert_allclose(likelihoods(1e9 * curves, 1e9 * candidates), expected, rtol=1e-4)


def test_deconvolution_climbs_to_the_mixture_that_is_most_likely():
    # Two candidates, curves that tell them apart: the answer is how often each occurs.
    table = np.array([[1.0, 1e-6], [1.0, 1e-6], [1.0, 1e-6], [1e-6, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(deconvolve(table, np.ones(4), 50), [0.75, 0.25], atol=1e-4)
    np.testing.assert_allclose(deconvolve(table, np.r_[1, 1, 1, 3.0], 50), [0.5, 0.5], atol=1e-4)
    rng = np.random.default_rng(0)
    table = rng.uniform(size=(50, 20)).astype(np.float32)
    counts = rng.uniform(0.5, 2, 50)
    gains = [counts @ np.log(table @ deconvolve(table, counts, steps)) for steps in range(6)]
    assert (np.diff(gains) > 0).all()


@given(st.floats(0, 1), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_evening_out_keeps_order_and_sum(amount, seed):
    rng = np.random.default_rng(seed)
    weights, stratum = rng.uniform(0.01, 1, 30), rng.permutation(np.arange(30) % 4)
    even = even_out(weights, stratum, amount)
    assert even.sum() == pytest.approx(1)
    before, after = np.bincount(stratum, weights / weights.sum()), np.bincount(stratum, even)
    np.testing.assert_allclose(after, before ** (1 - amount) / (before ** (1 - amount)).sum())
    for one in range(4):
        np.testing.assert_allclose(even[stratum == one] / weights[stratum == one] * weights.sum(),
                                   after[one] / before[one])  # fmt: skip


def test_a_stratum_spans_a_factor_of_two():
    ktrans = np.array([0.0, 1e-9, 0.0010, 0.0019, 0.0021, 0.0039, 0.0041])
    params = {"Ktrans": ktrans, "delay": np.arange(7.0)}
    np.testing.assert_array_equal(strata(params), [0, 0, 0, 0, 1, 1, 2])


# ---- what cannot be done, and odd curves ---------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_pairs": 0}, "n_pairs=0, but expected a whole number of at least 1"),
        ({"stratify": 1.5}, "stratify=1.5, but expected a number from 0 to 1"),
        ({"stratify": "even"}, "stratify='even', but expected a number from 0 to 1"),
        ({"widen": 1}, "widen=1, but expected a fraction"),
        ({"time": TIME[:5]}, "time has 5 frames, but the curves have 32"),
        ({"model": "2cxm"}, "model='2cxm', but expected one of"),
        ({"aif": "park"}, "aif='park', but expected"),
        ({"delay": (3, 1)}, "delay"),
    ],
)
def test_bad_parameters_are_refused_in_words(params, message):
    with pytest.raises(ValueError, match=message):
        denoiser(**params).fit(X)


def spoilt(value):
    curves = X[:50].copy()
    curves[7, 3] = value
    return curves


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_values_are_refused_in_words(fitted, value):
    message = r"X contains NaN or infinity in 1 of 50 curves \(the first is row 7\)"
    with pytest.raises(ValueError, match=message):
        denoiser().fit(spoilt(value))
    with pytest.raises(ValueError, match=message):
        fitted.transform(spoilt(value))


def test_before_fit_and_with_too_little_it_says_so():
    with pytest.raises(NotFittedError):
        denoiser().transform(X)
    with pytest.raises(ValueError, match="50 curves and none of them can be fitted"):
        denoiser().fit(np.zeros((50, 32)))
    with pytest.raises(ValueError, match=r"3 feature\(s\), but expected more frames than the 3"):
        denoiser(time=TIME[:3]).fit(X[:, :3])


def test_curves_of_zeros_teach_nothing():
    padded = np.concatenate([np.zeros((500, 32)), X])
    with_padding, without = denoiser().fit(padded).law_, denoiser().fit(X).law_
    np.testing.assert_allclose(with_padding.draw(50, 0)[0], without.draw(50, 0)[0])


def test_tissue_that_does_not_enhance_is_learned_as_such():
    rng = np.random.default_rng(0)
    curves = np.concatenate([0.01 * rng.standard_normal((700, 32)), Y[:300]])
    curves[700:] += 0.01 * rng.standard_normal((300, 32))
    fitted = denoiser(stratify=0.0, widen=0.0).fit(curves)
    means = fitted.law_.draw(4000, 0)[1].mean(axis=1)
    assert np.mean(means < 0.01) == pytest.approx(0.7, abs=0.1)
    flat = 0.01 * rng.standard_normal((200, 32))
    assert fitted.transform(flat).std() < 0.5 * flat.std()


def test_one_curve_will_do():
    assert np.isfinite(denoiser().fit(X[:1]).transform(X[:1])).all()


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 30.0])
def test_other_units_than_mm(factor):
    # The dose that fractions allow: enhancement is a fraction of plasma at most.
    aif = (TIME, factor * np.interp(TIME, TIME, np.exp(-(((TIME - 20) / 9) ** 2)) + 0.1))
    rng = np.random.default_rng(0)
    clean = extended_tofts(TIME, rng.uniform(0.05, 0.2, 300), 0.2, 0.02, aif=aif)
    noisy = add_noise(clean, 0.1, random_state=0)
    found = denoiser(aif=aif).fit(noisy).transform(noisy)
    assert np.mean((found - clean) ** 2) < 0.4**2 * np.mean((noisy - clean) ** 2)


def test_a_saved_one_draws_and_denoises_alike(fitted, tmp_path):
    path = tmp_path / "denoiser.safetensors"
    save(fitted, path)
    opened = load(path)
    np.testing.assert_array_equal(opened.transform(X), fitted.transform(X))
    for found, expected in zip(opened.law_.draw(9, 3), fitted.law_.draw(9, 3), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_file_whose_parts_are_of_other_lengths_is_refused(fitted, tmp_path):
    path = tmp_path / "denoiser.safetensors"
    spoilt = copy.deepcopy(fitted)
    spoilt.law_.simulator.time = TIME[:5]
    save(spoilt, path)
    with pytest.raises(ValueError, match="law_ is no law of curves of 32 frames"):
        load(path)
    spoilt = copy.deepcopy(fitted)
    spoilt.estimator_.n_features_in_ = 31
    save(spoilt, path)
    with pytest.raises(ValueError, match="does not describe an estimator"):
        load(path)
