import importlib.metadata
import subprocess
import sys

import numpy as np
import pytest

from pumice.deploy.lava import build, run
from pumice.runtime import Network, Population
from pumice.runtime.errors import MissingPackage

NETWORK = Network((Population("input", (1,), kind="input"), Population("cell", (1,))), ())


def raise_not_installed(name: str) -> str:
    """`importlib.metadata.version` if nothing is installed."""
    raise importlib.metadata.PackageNotFoundError(name)


def test_missing_lava_raises_with_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", raise_not_installed)
    command = "pip install --no-deps --ignore-requires-python lava-nc==0.10.0"
    with pytest.raises(MissingPackage, match=command):
        run(NETWORK, np.zeros((1, 1, 1), np.uint8))
    with pytest.raises(MissingPackage, match="pumice doctor --fix"):
        build(NETWORK, timesteps=1)


def run_code(code: str) -> str:
    """Output of `code` in a fresh interpreter; warnings are errors."""
    arguments = [sys.executable, "-P", "-W", "error", "-c", code]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()


def test_lava_is_not_imported_before_use() -> None:
    code = "import sys, pumice.deploy.lava; print('lava' in sys.modules, 'torch' in sys.modules)"
    assert run_code(code) == "False False"


@pytest.mark.lava
def test_patch_lava_restores_dataclasses() -> None:
    code = (
        "import dataclasses, sys\nbefore = dataclasses.dataclass\n"
        "from pumice.runtime.lava_compat import patch_lava\npatch_lava()\npatch_lava()\n"
        "print(dataclasses.dataclass is before, 'lava.magma.compiler.var_model' in sys.modules)"
    )
    assert run_code(code) == "True True"


def test_lazy_import_loads_on_first_attribute_access() -> None:
    code = (
        "import sys\nfrom pumice.deploy.lava.lazy_import import lazy_import\n"
        "lazy_import('colorsys')\n"
        "import colorsys\nprint(sys.modules['colorsys'].__dict__.get('rgb_to_hsv'))\n"
        "print(colorsys.rgb_to_hsv(0, 0, 0), sys.modules['colorsys'] is colorsys)"
    )
    assert run_code(code).splitlines() == ["None", "(0.0, 0.0, 0) False"]
