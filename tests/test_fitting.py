"""ToftsTransformer: interface, statuses, odd curves, sklearn's checks."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from fitting_reference import TIME
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_dcedenoise.aif import aif_parker, aif_weinmann
from sk_dcedenoise.fitting import FitStatus, ToftsTransformer
from sk_dcedenoise.tofts import extended_tofts, patlak, tofts

ODD = {
    "zeros": np.zeros(32),
    "constant": np.full(32, 0.3),
    "negative": np.full(32, -0.3),
    "falling": -np.linspace(0, 1, 32),
    "huge": np.linspace(0, 1e6, 32),
    "tiny": 1e-6 * np.sin(np.arange(32.0)) + 1e-6,
    "spike": np.eye(32)[3],
    "first frame": np.eye(32)[0],
    "plasma alone": extended_tofts(TIME, 0.0, 0.5, 0.1),
    "plasma, bright": 30.0 * extended_tofts(TIME, 0.0, 0.5, 0.1),
}


class AnyWidth(ToftsTransformer):
    """For sklearn's checks, which feed any number of frames: the grid follows the curves."""

    def __init__(self, time=None, aif="parker"):
        super().__init__(time, aif)

    def _frame_times(self):
        return np.arange(self.n_features_in_) * 3.75


SCORE = "score compares with clean curves, one per row of X, and the check gives one number per row"


@parametrize_with_checks(
    [AnyWidth()],
    expected_failed_checks=lambda _: {
        "check_fit_score_takes_y": SCORE,
        "check_pipeline_consistency": SCORE,
    },
)
def test_sklearn_checks(estimator, check):
    check(estimator)


def law(n_curves, seed=0):
    rng = np.random.default_rng(seed)
    ktrans, kep = rng.uniform(0.02, 0.22, n_curves), rng.uniform(0.25, 2.2, n_curves)
    return ktrans, ktrans / kep, rng.uniform(0.002, 0.022, n_curves)


def noisy(n_curves, level=0.1, seed=0):
    clean = extended_tofts(TIME, *law(n_curves, seed))
    rng = np.random.default_rng(seed + 1)
    return clean + level * clean.mean(1, keepdims=True) * rng.normal(size=clean.shape)


@pytest.mark.parametrize(
    ("model", "forward", "names"),
    [
        ("extended_tofts", extended_tofts, ["Ktrans", "ve", "vp"]),
        ("tofts", lambda t, k, ve, vp, **kw: tofts(t, k, ve, **kw), ["Ktrans", "ve"]),
        ("patlak", lambda t, k, ve, vp, **kw: patlak(t, k, vp, **kw), ["Ktrans", "vp"]),
    ],
)
@pytest.mark.parametrize("aif", ["parker", "weinmann", aif_weinmann])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_recovers_noise_free_parameters(model, forward, names, aif, dtype):
    truth = dict(zip(["Ktrans", "ve", "vp"], law(300), strict=True))
    time = np.sort(np.random.default_rng(0).uniform(0, 240, 40))
    curves = forward(time, *truth.values(), aif=aif).astype(dtype)
    fit = ToftsTransformer(time, aif, model=model).fit(curves)
    found = fit.transform(curves)
    assert found.dtype == dtype
    assert list(fit.get_feature_names_out()) == names
    expected = np.column_stack([truth[name] for name in names])
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float64" else 1e-3)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-5), ("float32", 1e-3)])
def test_recovers_fast_return(dtype, rtol):
    kep = np.geomspace(0.05, 35.0, 200)
    ktrans = np.minimum(0.3, 0.9 * kep)
    curves = extended_tofts(TIME, ktrans, ktrans / kep, 0.02).astype(dtype)
    fit = ToftsTransformer(TIME, outputs=["Ktrans", "kep", "vp"])
    found = fit.fit(curves).transform(curves)
    np.testing.assert_allclose(found, np.column_stack([ktrans, kep, 0 * kep + 0.02]), rtol=rtol)


def test_hematocrit_and_known_delay():
    truth = law(50)
    curves = extended_tofts(TIME, *truth, hematocrit=0.4, delay=5.0)
    fit = ToftsTransformer(TIME, hematocrit=0.4, delay=5.0).fit(curves)
    np.testing.assert_allclose(fit.transform(curves), np.column_stack(truth), rtol=1e-5)


def test_inverse_transform_is_the_model():
    truth = np.column_stack(law(20))
    for outputs in (None, ["kep", "vp", "Ktrans"]):
        fit = ToftsTransformer(TIME, outputs=outputs).fit(np.zeros((1, 32)))
        curves = extended_tofts(TIME, *truth.T)
        np.testing.assert_allclose(
            fit.inverse_transform(fit.transform(curves)), curves, rtol=1e-5, atol=1e-9
        )
    with pytest.raises(ValueError, match="lack 've'"):
        ToftsTransformer(TIME, outputs=["Ktrans", "vp"]).fit(curves).inverse_transform(truth[:, :2])
    with pytest.raises(ValueError, match=r"shape \(20, 2\), but expected \(n_curves, 3\)"):
        fit.inverse_transform(truth[:, :2])


def test_set_output_and_frames():
    frame = pd.DataFrame(noisy(5), columns=[f"t{i}" for i in range(32)], index=list("abcde"))
    fit = ToftsTransformer(TIME).set_output(transform="pandas").fit(frame)
    found = fit.transform(frame)
    assert list(found.columns) == ["Ktrans", "ve", "vp"] and list(found.index) == list("abcde")


def test_predict_clone_and_pickle_agree():
    curves = noisy(40)
    fit = ToftsTransformer(TIME, delay=1.0, bounds={"vp": (0, 0.5)}).fit(curves)
    found = fit.transform(curves)
    for other in (clone(fit).fit(curves), pickle.loads(pickle.dumps(fit))):
        np.testing.assert_array_equal(other.transform(curves), found)
    np.testing.assert_array_equal(fit.predict(curves), found)


def test_input_is_not_modified():
    curves = noisy(30)
    curves[3, 4], curves[5] = np.nan, np.nan
    before = curves.copy()
    curves.flags.writeable = False
    ToftsTransformer(TIME, outputs=["Ktrans", "Ktrans_se", "status"]).fit_transform(curves)
    np.testing.assert_array_equal(curves, before)


def test_score_compares_with_curves():
    curves = noisy(200, level=0.2)
    clean = extended_tofts(TIME, *law(200))
    fit = ToftsTransformer(TIME).fit(curves)
    fitted = fit.inverse_transform(fit.transform(curves))

    def explained(truth):
        return 1 - np.sum((truth - fitted) ** 2) / np.sum((truth - truth.mean(0)) ** 2)

    assert fit.score(curves) == pytest.approx(explained(curves), rel=1e-12)
    assert fit.score(curves, clean) == pytest.approx(explained(clean), rel=1e-12)
    with_gaps = np.vstack([curves, np.full((1, 32), np.nan)])
    assert fit.score(with_gaps) == pytest.approx(explained(curves), rel=1e-12)
    with pytest.raises(ValueError, match=r"y has shape \(200,\), but expected \(200, 32\)"):
        fit.score(curves, np.zeros(200))


def test_a_pipeline_that_ends_in_the_fit_can_be_searched():
    curves, clean = noisy(120, level=0.3), extended_tofts(TIME, *law(120))
    smoother = FunctionTransformer(_scaled, kw_args={"factor": 1.0})
    search = GridSearchCV(
        make_pipeline(smoother, ToftsTransformer(TIME)),
        {"functiontransformer__kw_args": [{"factor": 0.5}, {"factor": 1.0}]},
        cv=2,
    ).fit(curves, clean)
    assert search.best_params_["functiontransformer__kw_args"] == {"factor": 1.0}


def _scaled(X, factor):
    return X * factor


@pytest.mark.parametrize("model", ["extended_tofts", "tofts", "patlak"])
@pytest.mark.parametrize("delay", [None, (0.0, 6.0)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_odd_curves_get_a_status(model, delay, dtype):
    curves = np.array(list(ODD.values())).astype(dtype)
    fit = ToftsTransformer(TIME, model=model, delay=delay).fit(curves)
    names = list(fit._protocol.possible_outputs)
    found = fit.set_params(outputs=names).fit(curves).transform(curves)
    found = dict(zip(names, found.T.astype(float), strict=True))
    for name in {"Ktrans", "ve", "vp", "kep", "delay"} & set(names):
        assert np.isfinite(found[name]).all()
    status = dict(zip(ODD, map(FitStatus, found["status"].astype(int).tolist()), strict=True))
    assert all(status[name] == FitStatus.NO_SIGNAL for name in ("zeros", "negative", "falling"))
    assert not any(status[name] & FitStatus.NO_SIGNAL for name in ("huge", "constant", "tiny"))
    assert status["huge"] & (FitStatus.KTRANS_HIGH | FitStatus.VE_HIGH)
    nothing = found["status"] == FitStatus.NO_SIGNAL
    assert (found["Ktrans"][nothing] == 0).all()
    if model != "tofts" and delay is None:
        assert status["plasma, bright"] & FitStatus.VP_HIGH
        assert found["vp"][list(ODD).index("plasma alone")] == pytest.approx(0.1, rel=1e-4)


def test_missing_frames_cost_only_their_own_curves():
    curves = noisy(12)
    names = ["Ktrans", "ve", "vp", "status"]
    fit = ToftsTransformer(TIME, outputs=names).fit(curves)
    whole = fit.transform(curves)
    gaps = curves.copy()
    gaps[1, 7] = np.nan
    gaps[2] = np.nan
    gaps[3, 1:] = np.nan
    gaps[4, 4:] = np.nan
    gaps[5, 3] = np.inf
    found = fit.transform(gaps)
    others = [0, *range(6, 12)]
    np.testing.assert_array_equal(found[others], whole[others])
    assert np.isfinite(found[1]).all() and not np.array_equal(found[1, :3], whole[1, :3])
    assert np.isnan(found[[2, 3, 5], :3]).all()
    assert (found[[2, 3, 5], 3] == FitStatus.NOT_FITTABLE).all()
    assert np.isfinite(found[4]).all()


@pytest.mark.parametrize("delay", [None, (0.0, 6.0)])
@pytest.mark.parametrize("model", ["extended_tofts", "tofts", "patlak"])
def test_frames_before_the_bolus_cannot_be_fitted(model, delay):
    time = np.arange(20) * 2.0
    curves = np.ones((3, 20))
    curves[1:, 8:] = np.nan
    late = (np.array([0.0, 22.0, 24.0, 60.0]), np.array([0.0, 0.0, 5.0, 1.0]))
    fit = ToftsTransformer(time, late, model=model, delay=delay, outputs=["Ktrans", "status"])
    found = fit.fit(curves).transform(curves)
    assert np.isnan(found[1:, 0]).all() and (found[1:, 1] == FitStatus.NOT_FITTABLE).all()
    assert np.isfinite(found[0]).all()


def test_zero_weight_leaves_a_frame_out():
    curves = noisy(60)
    weights = np.ones(32)
    weights[[3, 9, 20]] = 0.0
    kept = weights > 0
    expected = ToftsTransformer(TIME[kept], _parker(TIME)).fit(curves[:, kept])
    expected = expected.transform(curves[:, kept])
    by_frame = ToftsTransformer(TIME, _parker(TIME), weights=weights).fit(curves).transform(curves)
    gaps = np.where(kept, curves, np.nan)
    plain = ToftsTransformer(TIME, _parker(TIME)).fit(curves)
    by_curve = plain.transform(curves, curve_weights=np.tile(weights, (60, 1)))
    for found in (by_frame, by_curve, plain.transform(gaps)):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


def _parker(time):
    fine = np.arange(0, time[-1] + 0.25, 0.25)
    return fine, aif_parker(fine)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "twocxm"}, "model='twocxm', but expected one of"),
        ({"dtype": "float16"}, "dtype='float16', but expected one of"),
        ({"outputs": ["ktrans"]}, "outputs='ktrans', but expected one of"),
        ({"outputs": ["delay"]}, "outputs='delay', but expected one of"),
        ({"bounds": {"Fp": (0, 1)}}, "bounds has 'Fp', but expected some of"),
        ({"bounds": {"ve": (1, 0)}}, r"bounds\['ve'\]=\(1, 0\), but expected \(low, high\)"),
        ({"bounds": {"Ktrans": (-1, 1)}}, "expected .* 0 <= low"),
        ({"bounds": {"kep": (1, 1)}}, "expected low < high"),
        ({"bounds": {"kep": (0, np.inf)}}, "expected a finite rate"),
        ({"bounds": {"ve": (0.5, 1), "Ktrans": (0, 0.1), "kep": (1, 2)}}, "leave no rate"),
        ({"delay": (3, 1)}, r"delay=\(3, 1\), but expected"),
        ({"delay": (0, np.inf)}, "expected finite seconds"),
        ({"weights": np.ones(3)}, r"weights has shape \(3,\), but expected \(32,\)"),
        ({"weights": -np.ones(32)}, "weights contains negative"),
        ({"chunk_size": 0}, "chunk_size=0, but expected"),
        ({"time": TIME[:5]}, "time has 5 frames, but the curves have 32"),
        ({"time": TIME[::-1]}, "expected strictly increasing seconds"),
        ({"aif": np.ones(32), "delay": (-5, 5)}, "delay reaches down to -5 s"),
    ],
)
def test_says_what_is_wrong(settings, message):
    fit = ToftsTransformer(**{"time": TIME} | settings)
    with pytest.raises(ValueError, match=message):
        fit.fit(np.zeros((2, 32)))


def test_says_which_weights_are_wrong():
    curves = noisy(3)
    fit = ToftsTransformer(TIME).fit(curves)
    with pytest.raises(
        ValueError, match=r"curve_weights has shape \(32,\), but expected \(3, 32\)"
    ):
        fit.transform(curves, curve_weights=np.ones(32))


def test_torch_threads_are_left_alone():
    before = torch.get_num_threads()
    ToftsTransformer(TIME, chunk_size=16).fit_transform(noisy(200))
    assert torch.get_num_threads() == before
