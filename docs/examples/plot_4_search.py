"""
A search that prunes
====================

``tune`` is cross-validation inside an Optuna study. Trials whose training goes badly are
stopped in the middle, and a study kept in a file goes on where it was.
"""

# %%
# Few curves, few epochs and a study in memory, so that this takes seconds. In earnest, leave out
# ``storage``: the study is then kept in ``tune.journal``, and the same call resumes it.

import matplotlib.pyplot as plt
import optuna

from sk_dcedenoise import DenoiserVanillaNL, make_dce_curves
from sk_dcedenoise.search import search_space, tune

X, y = make_dce_curves(200, random_state=0)
denoiser = DenoiserVanillaNL(max_epochs=5, random_state=0, device="cpu")
space = search_space(denoiser)
space["width"] = optuna.distributions.FloatDistribution(0.25, 0.5)
optuna.logging.set_verbosity(optuna.logging.WARNING)
result = tune(
    denoiser, X, y, space=space, n_trials=14, cv=2, storage=None, random_state=0, progress=False
)
print(result.best_params_)
print(f"cross-validated error {-result.best_score_:.4f} mM")

# %%
# Each line is a trial: the error of its validation curves during the trainings of its folds, one
# after the other. Grey ones were stopped.

figure, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for trial in result.study_.trials:
    pruned = trial.state == optuna.trial.TrialState.PRUNED
    reports = sorted(trial.intermediate_values.items())
    color = "0.7" if pruned else "C0"
    ax.plot([step for step, _ in reports], [-value for _, value in reports], color=color)
n_pruned = sum(t.state == optuna.trial.TrialState.PRUNED for t in result.study_.trials)
ax.set(xlabel="report", ylabel="validation error, scaled", yscale="log")
ax.set_title(f"{n_pruned} of {len(result.study_.trials)} trials were stopped")
