"""Studies that survive a kill, and are shared by several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from search_cases import LR, TINY, X, Y, new_trial
from sklearn.base import BaseEstimator, clone

from sk_dcedenoise.search import _lease as lease
from sk_dcedenoise.search import _process as process
from sk_dcedenoise.search import _tune as tuning
from sk_dcedenoise.search import tune
from sk_dcedenoise.search._journal import JournalLock, open_storage
from sk_dcedenoise.search._process import has_died, signature

pytestmark = pytest.mark.usefixtures("quiet_optuna")

ENV = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def test_resumed_study_goes_on_as_an_unbroken_one(tmp_path):
    settings = {"space": LR, "random_state": 3, "cv": 2, "refit": False, "progress": False}
    for n_trials in (2, 5, 5):
        broken = tune(TINY, X, Y, n_trials=n_trials, storage=tmp_path / "a", **settings)
    unbroken = tune(TINY, X, Y, n_trials=5, storage=tmp_path / "b", **settings)
    assert [t.params for t in broken.study_.trials] == [t.params for t in unbroken.study_.trials]
    assert broken.best_score_ == unbroken.best_score_
    assert len({t.params["lr"] for t in broken.study_.trials}) == 5


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"X": X + 1e-9}, "data"),
        ({"estimator": clone(TINY).set_params(kernel_size=5)}, "estimator"),
        ({"space": {"lr": optuna.distributions.FloatDistribution(1e-4, 1e-3)}}, "space"),
        ({"cv": 2}, "cv"),
        ({"scoring": "neg_mean_squared_error"}, "scoring"),
    ],
)
def test_a_study_of_something_else_is_not_resumed(change, what, tmp_path):
    same = {"estimator": TINY, "X": X, "y": Y, "n_trials": 1, "space": LR, "refit": False,
            "storage": tmp_path / "j", "progress": False}  # fmt: skip
    tune(**same)
    tune(**same | {"estimator": clone(TINY).set_params(verbose=0, device="auto")})
    with pytest.raises(ValueError, match=f"was made with another {what}"):
        tune(**same | change)
    tune(**same | change | {"study_name": "another"})


def test_a_torn_last_line_is_mended(tmp_path):
    path = tmp_path / "j"
    settings = {"space": LR, "storage": path, "progress": False, "refit": False}
    tune(TINY, X, Y, n_trials=2, **settings)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"worker_id":"torn-in-mid-wri')
    result = tune(TINY, X, Y, n_trials=3, **settings)
    assert [t.state for t in result.study_.trials] == [TrialState.COMPLETE] * 3
    assert path.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_trials_of_the_dead_are_given_up_and_of_the_living_are_not(tmp_path, monkeypatch):
    settings = {"space": LR, "storage": tmp_path / "j", "progress": False, "refit": False}
    study = tune(TINY, X, Y, n_trials=1, **settings).study_
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    place = signature().rsplit(" ", 2)[0]
    for worker in (f"{place} {child.pid} 123", signature(), f"elsewhere {child.pid} 123"):
        study.ask(LR).set_user_attr("worker", worker)
    watch = lease.Watch(study)
    watch.give_up_dead()
    running, failed = TrialState.RUNNING, TrialState.FAIL
    assert [t.state for t in study.trials[1:]] == [failed, running, running]
    monkeypatch.setattr(lease, "SILENCE", 0.05)
    watch.give_up_dead()
    time.sleep(0.1)
    optuna.trial.Trial(study, study.trials[2]._trial_id).set_user_attr("beat", 1)
    watch.give_up_dead()
    assert [t.state for t in study.trials[1:]] == [failed, running, failed]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="only Linux tells of processes")
def test_a_killed_process_is_seen_to_be_dead():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    signed = f"{signature().rsplit(' ', 2)[0]} {child.pid} {process._start(child.pid)}"
    try:
        assert not has_died(signed)
    finally:
        child.kill()
    wait_for(lambda: has_died(signed))  # also before it has been waited for
    child.wait()
    assert has_died(signed)
    assert not has_died(signature())
    assert not has_died("elsewhere 1 123")


def test_the_lock_of_a_dead_process_does_not_last(tmp_path):
    path = str(tmp_path / "j")
    Path(path).touch()
    place = signature().rsplit(" ", 2)[0]
    os.symlink(f"{place} 1 123 0123", path + ".lock")  # process 1 began at another time
    started = time.monotonic()
    lock = JournalLock(path)
    assert lock.acquire()
    assert time.monotonic() - started < 20
    assert os.readlink(path + ".lock").startswith(signature())
    lock.release()
    assert os.listdir(tmp_path) == ["j"]


def test_the_lock_of_another_machine_is_waited_for(tmp_path, monkeypatch):
    path = str(tmp_path / "j")
    Path(path).touch()
    os.symlink("elsewhere 1 123 0123", path + ".lock")
    monkeypatch.setattr("sk_dcedenoise.search._journal._GRACE", 0.3)
    started = time.monotonic()
    lock = JournalLock(path)
    lock.acquire()
    assert time.monotonic() - started > 0.3
    os.unlink(path + ".lock")
    os.symlink("another 1 123 0123", path + ".lock")
    lock.release()  # what others took in the meantime is theirs
    assert os.readlink(path + ".lock") == "another 1 123 0123"


def test_beats_while_at_work(monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.01)
    trial = new_trial()
    with lease.at_work(trial):
        deadline = time.monotonic() + 30
        while trial.study.trials[0].user_attrs.get("beat", 0) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert trial.study.trials[0].user_attrs["worker"] == signature()


class GivenUp(BaseEstimator):
    """Has its trial failed by another process while it trains."""

    def __init__(self, path=None, x=0.0):
        self.path, self.x = path, x

    def fit(self, X, y):
        study = optuna.load_study(study_name=None, storage=open_storage(self.path))
        if len(study.trials) == 1:
            study.tell(0, state=TrialState.FAIL)
        return self

    def score(self, X, y):
        return self.x


def test_a_trial_given_up_by_others_counts_for_nothing(tmp_path):
    path = tmp_path / "j"
    path.touch()
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    result = tune(
        GivenUp(str(path)), X, Y, n_trials=2, space=space, storage=path, progress=False,
        scoring=lambda estimator, X, y: estimator.x,
    )  # fmt: skip
    states = [t.state for t in result.study_.trials]
    assert states == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]


def test_the_last_place_goes_to_the_lower_number():
    study = optuna.create_study(direction="maximize")
    first = study.ask(LR)
    tuning._run_trial(study, LR, lambda trial: 1.0, target=1)
    assert [t.state for t in study.trials] == [TrialState.RUNNING, TrialState.FAIL]
    study.tell(first, 1.0)


WORKER = """
import sys, time
from pathlib import Path
import numpy as np
import optuna
from sklearn.base import BaseEstimator
from sk_dcedenoise.search import tune

class Slow(BaseEstimator):
    def __init__(self, x=0.0, folder=""):
        self.x, self.folder = x, folder

    def fit(self, X, y):
        (Path(self.folder) / f"{self.x!r}").touch()
        while (Path(self.folder) / "hang").exists():
            time.sleep(0.01)
        return self

def score(estimator, X, y):
    return estimator.x

folder, role = sys.argv[1:]
optuna.logging.set_verbosity(optuna.logging.WARNING)
X = np.zeros((4, 2))
result = tune(
    Slow(folder=folder), X, X, n_trials=40, cv=2, scoring=score, random_state=0, progress=False,
    space={"x": optuna.distributions.FloatDistribution(0, 1)}, storage=folder + "/j", refit=False,
)
print(role, "done", result.best_score_)
"""


def start(folder, role):
    script = Path(folder) / "worker.py"
    script.write_text(WORKER)
    command = [sys.executable, str(script), str(folder), role]
    return subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE)


def test_killed_in_mid_trial_and_resumed(tmp_path):
    """Two processes share a study, one is killed at work, a third resumes: 40 trials, each once."""
    hang = tmp_path / "hang"
    hang.touch()
    workers = [start(tmp_path, "first"), start(tmp_path, "second")]
    try:
        wait_for(lambda: len(list(tmp_path.glob("0.*"))) == 2)  # both are in mid-trial
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait()
        hang.unlink()
        wait_for(lambda: len(list(tmp_path.glob("0.*"))) >= 10)
        hang.touch()
        time.sleep(0.5)
        workers[1].send_signal(signal.SIGKILL)
        workers[1].wait()
        before = optuna.load_study(study_name=None, storage=open_storage(tmp_path / "j")).trials
        hang.unlink()
        workers += [start(tmp_path, "third"), start(tmp_path, "fourth")]
        outputs = [worker.communicate(timeout=300)[0].decode() for worker in workers[2:]]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.stdout.close()
    trials = optuna.load_study(study_name=None, storage=open_storage(tmp_path / "j")).trials
    finished = [t for t in trials if t.state in tuning.FINISHED]
    assert len(finished) == 40
    assert len({t.params["x"] for t in finished}) == 40
    assert {t.state for t in trials} <= {TrialState.COMPLETE, TrialState.FAIL}
    lost = [t for t in before if t.state == TrialState.RUNNING]
    assert 1 <= len(lost) <= 2
    for t in before:
        expected = TrialState.FAIL if t.state == TrialState.RUNNING else t.state
        assert (trials[t.number].state, trials[t.number].value) == (expected, t.value)
    best = max(t.value for t in finished)
    assert outputs == [f"third done {best}\n", f"fourth done {best}\n"]


def wait_for(condition, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
