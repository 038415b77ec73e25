"""Denoisers, pipelines and settings that the tests of searches share."""

import numpy as np
import optuna
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from small_networks import FAST

from sk_dcedenoise.datasets import make_dce_curves
from sk_dcedenoise.denoisers import DenoiserVanillaNL
from sk_dcedenoise.fitting import ToftsTransformer
from sk_dcedenoise.preprocessing import CurveScaler

TIME = 3.75 * np.arange(32)
X, Y = make_dce_curves(60, random_state=0)
TINY = DenoiserVanillaNL(width=0.1, kernel_size=3, **FAST)
LR = {"lr": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)}
QUIET = {"progress": False, "storage": None}


def chain(denoiser):
    # Without the guard, which makes up for networks that have hardly learned.
    unguarded = clone(denoiser).set_params(guard=None)
    return make_pipeline(CurveScaler(), unguarded, ToftsTransformer(TIME))


class PruneAt(optuna.pruners.BasePruner):
    """Prune every trial at one step."""

    def __init__(self, step):
        self.step = step

    def prune(self, study, trial):
        return trial.last_step >= self.step


def new_trial(pruner=None):
    return optuna.create_study(direction="maximize", pruner=pruner).ask()
