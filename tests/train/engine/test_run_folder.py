import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pumice.runtime.errors import FileError, RecipeError
from pumice.train.engine.run_folder import (
    LOCK_FILE,
    RECIPE_FILE,
    RESUME_FILE,
    check_unlocked,
    lock_run,
    prepare_run,
    read_run_recipe,
)
from pumice.train.recipes.recipe import Recipe

RECIPE = Recipe.model_validate({"data": {"name": "digits-events"}})
HOLD = """
import sys, time
from pathlib import Path
from pumice.train.engine.run_folder import lock_run
with lock_run(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def hold_lock(folder: Path) -> "subprocess.Popen[str]":
    """Start a process that holds the lock of `folder`."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "locked\n"
    return process


def test_a_second_process_is_refused_by_the_name_of_the_first(tmp_path: Path) -> None:
    process = hold_lock(tmp_path)
    try:
        message = f"{tmp_path}: is used by process {process.pid} on .*; wait for it"
        with pytest.raises(FileError, match=message), lock_run(tmp_path):
            pass
        with pytest.raises(FileError, match=message):
            check_unlocked(tmp_path)
    finally:
        process.kill()
        process.communicate()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    process = hold_lock(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert (tmp_path / LOCK_FILE).exists()
    check_unlocked(tmp_path)
    with lock_run(tmp_path):
        assert f"process {os.getpid()}" in (tmp_path / LOCK_FILE).read_text()
    assert not (tmp_path / LOCK_FILE).exists()


def test_a_process_locks_a_folder_once(tmp_path: Path) -> None:
    with (
        lock_run(tmp_path / "run"),
        pytest.raises(FileError, match="another run of this process"),
        lock_run(tmp_path / "." / "run"),
    ):
        pass
    with lock_run(tmp_path / "run"):
        pass


def test_a_further_process_of_a_distributed_run_takes_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lock_run(tmp_path):
        monkeypatch.setenv("LOCAL_RANK", "1")
        with lock_run(tmp_path):
            check_unlocked(tmp_path)
        monkeypatch.undo()


def test_a_file_is_no_folder_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileError, match="is a file; name a folder"):
        prepare_run(RECIPE, tmp_path / "file", False, "model")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_run_is_identified_by_its_recipe_but_for_the_folder_of_its_data(tmp_path: Path) -> None:
    assert prepare_run(RECIPE, tmp_path, False, "model") is None
    (tmp_path / RESUME_FILE).touch()
    table = RECIPE.model_dump(mode="json")
    del table["training"]["schedule"]  # as earlier versions wrote it
    (tmp_path / RECIPE_FILE).write_text(json.dumps(table))
    moved = Recipe.model_validate({"data": {"name": "digits-events", "folder": "moved"}})
    assert prepare_run(moved, tmp_path, True, "model") == str(tmp_path / RESUME_FILE)
    assert read_run_recipe(tmp_path, Recipe) == moved
    other = Recipe.model_validate({"data": {"name": "digits-events"}, "augment": {"shift": 3}})
    with pytest.raises(FileError, match="another recipe; .* pumice train --resume -o"):
        prepare_run(other, tmp_path, True, "model.safetensors")


def test_a_folder_without_a_run_has_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="holds no run"):
        read_run_recipe(tmp_path, Recipe)
    (tmp_path / RECIPE_FILE).write_text("{")
    with pytest.raises(FileError, match="cannot be read"):
        read_run_recipe(tmp_path, Recipe)
    (tmp_path / RECIPE_FILE).write_text('{"dat": {}}')
    with pytest.raises(RecipeError, match="did you mean 'data'"):
        read_run_recipe(tmp_path, Recipe)
