"""Real data where it is present, Hypothesis profiles, and the environment of all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
# Before torch and numba load OpenMP: their idle threads would spin against each other's.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Tables are as wide as without a terminal; pytest-xdist sets it too.
os.environ.pop("COLUMNS", None)

# `ci` makes the same examples every time; `pytest --hypothesis-profile=nightly` looks for new ones.
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("nightly", deadline=None, max_examples=3400)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded data: `PUMICE_TEST_DATA`, or `../shared/data` beside the checkout."""
    named = os.environ.get("PUMICE_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder}: set PUMICE_TEST_DATA to a folder that has it")
    return folder
