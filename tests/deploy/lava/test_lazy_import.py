import importlib.metadata
import subprocess
import sys

import numpy as np
import pytest

from pumice.deploy.lava import build, run
from pumice.runtime import Network, Population
from pumice.runtime.errors import MissingPackage

NETWORK = Network((Population("input", (1,), kind="input"), Population("cell", (1,))), ())


def without_lava(name: str) -> str:
    """Say what `importlib.metadata` says where nothing is installed."""
    raise importlib.metadata.PackageNotFoundError(name)


def test_a_missing_lava_is_met_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", without_lava)
    command = "pip install --no-deps --ignore-requires-python lava-nc==0.10.0"
    with pytest.raises(MissingPackage, match=command):
        run(NETWORK, np.zeros((1, 1, 1), np.uint8))
    with pytest.raises(MissingPackage, match="pumice doctor --fix"):
        build(NETWORK, timesteps=1)


def said_by(code: str) -> str:
    """What a fresh interpreter prints that runs `code`; warnings are errors."""
    arguments = [sys.executable, "-P", "-W", "error", "-c", code]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()


def test_the_engine_imports_no_lava_until_it_is_used() -> None:
    code = "import sys, pumice.deploy.lava; print('lava' in sys.modules, 'torch' in sys.modules)"
    assert said_by(code) == "False False"


@pytest.mark.lava
def test_preparing_changes_nothing_for_others() -> None:
    code = (
        "import dataclasses, sys\nbefore = dataclasses.dataclass\n"
        "from pumice.runtime.lava_compat import patch_lava\npatch_lava()\npatch_lava()\n"
        "print(dataclasses.dataclass is before, 'lava.magma.compiler.var_model' in sys.modules)"
    )
    assert said_by(code) == "True True"


def test_a_module_imported_late_loads_when_asked() -> None:
    code = (
        "import sys\nfrom pumice.deploy.lava.lazy_import import lazy_import\n"
        "lazy_import('colorsys')\n"
        "import colorsys\nprint(sys.modules['colorsys'].__dict__.get('rgb_to_hsv'))\n"
        "print(colorsys.rgb_to_hsv(0, 0, 0), sys.modules['colorsys'] is colorsys)"
    )
    assert said_by(code).splitlines() == ["None", "(0.0, 0.0, 0) False"]
