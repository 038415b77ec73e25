"""What several test files share."""

import os
from pathlib import Path

import optuna
import pytest
import torch

# Networks of the tests' size gain nothing from a second thread and lose tenfold where other
# processes want the same cores; and sums of one thread are the same on every machine.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def reference_data():
    """Folder of published reference values and measured curves; skips where it is absent."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("SK_DCEDENOISE_REFERENCE_DATA", root.parent / "shared" / "data"))
    if not (folder / "README.md").exists():
        pytest.skip(
            f"no reference data at {folder}: set SK_DCEDENOISE_REFERENCE_DATA to their folder"
        )
    return folder


@pytest.fixture(scope="module")
def quiet_optuna():
    """No line for every trial."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)
