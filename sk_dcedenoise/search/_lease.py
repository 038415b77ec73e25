"""Telling trials at work from trials whose process has died.

A process killed in mid-trial leaves it in the state RUNNING for ever. Each trial therefore carries
the name of its process and a beat. A dead process is seen at once on its own machine (if that runs
Linux), elsewhere by a beat that has stopped, by the watcher's own clock, so machines need not agree
on the time. A verdict that is wrong (a machine asleep, say) costs that trial and nothing else: the
storage refuses results of a trial that has been given up.
"""

import threading
import time
from contextlib import contextmanager, suppress

import optuna
from optuna.trial import TrialState

from sk_dcedenoise.search._process import has_died, signature

BEAT = 20.0  # seconds
SILENCE = 120.0


@contextmanager
def at_work(trial):
    """Sign a trial as this process's and keep its beat until the block ends."""
    trial.set_user_attr("worker", signature())
    done = threading.Event()
    beating = threading.Thread(target=_beat, args=(trial, done), daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()


def _beat(trial, done):
    count = 0
    while not done.wait(BEAT):
        count += 1
        try:
            trial.set_user_attr("beat", count)
        except optuna.exceptions.UpdateFinishedTrialError:
            return
        except Exception:
            continue  # a storage out of reach for a while: the next beat may get through


class Watch:
    """Find the trials of dead processes and mark them as failed.

    Parameters
    ----------
    study : optuna.study.Study
        The study that processes share.
    """

    def __init__(self, study):
        self.study = study
        self._last_seen = {}

    def give_up_dead(self):
        """Mark as failed each running trial whose process has died."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for trial in running:
            if self._is_dead(trial):
                # Another process may have come to the same verdict first.
                with suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):
                    self.study.tell(trial.number, state=TrialState.FAIL)

    def _is_dead(self, trial):
        worker = trial.user_attrs.get("worker")
        if worker is not None and has_died(worker):
            return True
        beat, now = trial.user_attrs.get("beat", 0), time.monotonic()
        seen, since = self._last_seen.get(trial.number, (None, now))
        self._last_seen[trial.number] = (beat, since if beat == seen else now)
        return now - self._last_seen[trial.number][1] > SILENCE
