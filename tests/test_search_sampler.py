"""What a study tries: the estimator as it is, points all over the ranges, and near the best."""

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from small_networks import SMALL, name_of

from sk_dcedenoise.search import search_space
from sk_dcedenoise.search._sampler import NearTheBest, _place, _value

pytestmark = pytest.mark.usefixtures("quiet_optuna")

SPACE = {"x": FloatDistribution(1e-4, 1.0, log=True), "y": FloatDistribution(-1.0, 1.0)}
RANGES = [
    FloatDistribution(-2.0, 3.0),
    FloatDistribution(1e-4, 1e-2, log=True),
    FloatDistribution(0.0, 1.0, step=0.25),
    IntDistribution(3, 25, step=2),
    IntDistribution(1, 16, log=True),
    IntDistribution(4, 4),
    CategoricalDistribution([True, False, "auto"]),
]


def study_with(sampler):
    return optuna.create_study(direction="maximize", sampler=sampler)


def run(study, score, n_trials, space=SPACE):
    for _ in range(n_trials):
        trial = study.ask(space)
        study.tell(trial, score(trial.params))
    return study.trials


# ---- the first trial -------------------------------------------------------------------------


@pytest.mark.parametrize("denoiser", SMALL, ids=name_of)
def test_begins_with_the_estimator_as_it_is(denoiser):
    own = type(denoiser)().get_params()
    space = search_space(denoiser)
    study = study_with(NearTheBest(0, space, own))
    study.tell(study.ask(space), state=TrialState.FAIL)  # killed, say: the next one begins
    first, second = study.ask(space).params, study.ask(space).params
    # Their ranges have no "auto", and that of the decay has no zero.
    held = set(space) - {"optimizer__weight_decay"} - {k for k in space if own.get(k) == "auto"}
    assert {name: first[name] for name in held} == {name: own[name] for name in held}
    assert second["lr"] != own["lr"]


@pytest.mark.parametrize(
    ("distribution", "own"),
    [
        (FloatDistribution(1.0, 2.0), 3.0),
        (FloatDistribution(1.0, 2.0), None),
        (IntDistribution(1, 5, step=2), 2),
        (IntDistribution(1, 5), 2.5),
        (CategoricalDistribution(["dense", "conv"]), "other"),
        (CategoricalDistribution(["dense", "conv"]), np.zeros(3)),
        (CategoricalDistribution([1, 2]), True),
    ],
)
def test_what_the_ranges_do_not_hold_is_drawn(distribution, own):
    space = {"x": distribution}
    drawn = study_with(NearTheBest(0, space, {"x": own})).ask(space).params["x"]
    assert distribution._contains(distribution.to_internal_repr(drawn))


# ---- the others ------------------------------------------------------------------------------


def test_every_second_trial_is_near_the_best_of_the_others():
    trials = run(study_with(NearTheBest(0, SPACE)), lambda params: -abs(params["y"] - 0.5), 40)
    places = np.array([[_place(SPACE[k], t.params[k]) for k in SPACE] for t in trials])
    scores = np.array([t.value for t in trials])
    for number in range(1, 40, 2):
        best = places[2 * scores[:number:2].argmax()]
        assert np.abs(places[number] - best).max() < 0.5  # five standard deviations
        assert (places[number] != best).all()
    assert scores.max() > -0.05


@pytest.mark.parametrize("seed", range(5))
def test_the_others_are_evenly_all_over_the_ranges(seed):
    trials = run(study_with(NearTheBest(seed, SPACE)), lambda params: 0.0, 32)
    x, y = (np.array([_place(SPACE[k], t.params[k]) for t in trials[::2]]) for k in SPACE)
    assert sorted(np.floor(16 * x)) == list(range(16))  # one in each sixteenth
    assert sorted(np.floor(9 * y[:9])) == list(range(9))


def test_depends_on_the_number_of_the_trial_and_the_best_alone():
    def tried(sampler, bad):
        study = study_with(sampler())
        for number in range(12):
            trial = study.ask(SPACE)
            if number in bad:
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, float(number == 4))
        return [t.params for t in study.trials]

    whole = tried(lambda: NearTheBest(7, SPACE), bad=())
    assert tried(lambda: NearTheBest(7, SPACE), bad=(2, 3, 6, 7)) == whole
    assert tried(lambda: NearTheBest(8, SPACE), bad=()) != whole


def test_a_process_with_the_same_seed_tries_other_points():
    study = study_with(NearTheBest(0, SPACE))
    first = study.ask(SPACE)
    study.sampler = NearTheBest(0, SPACE)
    second = study.ask(SPACE)
    assert first.params["x"] != second.params["x"]


def test_what_is_no_part_of_the_ranges_is_drawn_as_well():
    study = study_with(NearTheBest(0, SPACE))
    drawn = {study.ask(SPACE).suggest_int("z", 0, 9) for _ in range(40)}
    assert drawn > {0, 9}


# ---- ranges as unit intervals ----------------------------------------------------------------


@pytest.mark.parametrize("distribution", RANGES, ids=str)
@given(at=st.floats(0.0, 1.0))
def test_places_hold_values(distribution, at):
    value = _value(distribution, at)
    assert distribution._contains(distribution.to_internal_repr(value))
    again = _value(distribution, _place(distribution, value))
    assert again == pytest.approx(value) if isinstance(value, float) else again == value


@pytest.mark.parametrize(
    ("distribution", "n"), [(RANGES[2], 5), (RANGES[3], 12), (RANGES[6], 3)], ids=str
)
def test_values_are_equally_likely(distribution, n):
    values = [str(_value(distribution, (i + 0.5) / (10 * n))) for i in range(10 * n)]
    assert {values.count(value) for value in values} == {10}
    assert len(set(values)) == n
