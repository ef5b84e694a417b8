"""Compiled loops run where their cache cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pumice.runtime.errors import PumiceWarning
from pumice.train import jit


def double(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    total = 0.0
    for value in values:
        total += 2 * value
    return total


def test_without_a_folder_for_the_cache_loops_are_compiled_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: object) -> None:
        raise RuntimeError("cannot cache function 'double': no locator available")

    monkeypatch.setattr("numba.core.registry.CPUDispatcher.enable_caching", fail)
    with pytest.warns(PumiceWarning, match="are not cached \\(no folder can be written"):
        loop = jit.njit_cached()(double)
    assert loop(np.ones(3)) == 6


def test_on_a_full_disk_loops_are_compiled_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: object, *_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.FunctionCache.save_overload", fail)
    loop = jit.njit_cached()(double)
    with pytest.warns(PumiceWarning, match="are not cached \\(No space left on device\\)"):
        assert loop(np.ones(3)) == 6
    assert loop(np.ones(2)) == 4


@pytest.mark.skipif(os.name == "nt", reason="needs /dev/null as a folder that cannot be written")
def test_a_network_trains_without_a_home_or_a_cache(tmp_path: Path) -> None:
    """The caches have no folder: a warning, and the same weights."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        "[data]\nname = 'digits-events'\ntimesteps = 2\n[network]\nchannels = [2]\nkernels = [3]\n"
        "strides = [4]\nhidden = []\n[training]\nepochs = 1\nqat_epochs = 1\nbatch_size = 256\n"
    )
    command = [sys.executable, "-c", "from pumice.cli import main; main()", "train", str(recipe)]
    nowhere = {"HOME": "/dev/null", "NUMBA_CACHE_DIR": "/dev/null/numba"}
    inherited = {k: v for k, v in os.environ.items() if k != "XDG_CACHE_HOME"}
    results = []
    for name, changed in (("nowhere", nowhere), ("home", {"HOME": str(tmp_path / "home")})):
        run = tmp_path / name
        done = subprocess.run(
            [*command, "-o", str(run)], env=inherited | changed, capture_output=True, text=True
        )
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        assert ("data is not cached" in done.stderr) == (name == "nowhere")
        results.append((run / "model.safetensors").read_bytes())
    assert results[0] == results[1]


def test_every_cached_loop_is_compiled_by_this_module() -> None:
    for file in Path(jit.__file__).parent.rglob("*.py"):
        assert file.name == "jit.py" or "cache=True" not in file.read_text(encoding="utf-8"), file
