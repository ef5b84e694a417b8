"""Cells of `bench.evidence`: keys, results on disk, resuming, failures."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.evidence import cells, runner
from bench.evidence.cells import (
    DONE,
    FAILED,
    Cell,
    CellResult,
    Context,
    Page,
    Part,
    Results,
    code_digest,
    common_seeds,
    group_by_name,
    pack_bits,
    read_cell_result,
    unpack_bits,
    write_cell_result,
)
from bench.evidence.parts import load_part
from bench.evidence.runner import RunOptions, list_all_cells, run_parts

SOURCES = ("bench/evidence/statistics.py",)


def make_part(list_cells: Any) -> Part:
    return Part("low-timesteps", list_cells, lambda cell, context: {}, make_page, SOURCES)


def make_page(results: Sequence[CellResult], folder: Path) -> Page:
    return Page([])


def test_the_key_of_a_cell_is_that_of_its_settings_and_seed() -> None:
    cell = Cell("part", "a", {"x": 1, "y": [2]}, 0)
    assert cell.key == Cell("part", "b", {"y": [2], "x": 1}, 0).key
    others = [Cell("part", "a", {"x": 2, "y": [2]}, 0), Cell("part", "a", cell.settings, 1)]
    assert len({cell.key, *(other.key for other in others)}) == 3


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    cell = Cell("part", "a", {"x": 1}, 3)
    assert read_cell_result(tmp_path, cell) is None
    bits = np.random.default_rng(0).random((10, 7)) < 0.5
    result = CellResult(cell, "code", DONE, {"correct": pack_bits(bits)}, seconds=1.5)
    write_cell_result(tmp_path, result)
    found = read_cell_result(tmp_path, cell)
    assert found == result
    assert np.array_equal(unpack_bits(found.values["correct"]), bits)
    (file,) = (tmp_path / "cells/part").iterdir()
    file.write_text(file.read_text()[:40])
    assert read_cell_result(tmp_path, cell) is None


def test_wording_and_layout_do_not_change_the_digest_of_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "ROOT", tmp_path)
    digests = []
    for number, text in enumerate(
        ("def f():\n    '''One.'''\n    return 1\n", "def f():  # two\n    return 1\n", "x = 1\n")
    ):
        file = tmp_path / "a.py"
        file.write_text(text)
        code_digest.cache_clear()
        digests.append(code_digest(("a.py",)))
        assert number or digests[0]
    assert digests[0] == digests[1] != digests[2]
    with pytest.raises(ValueError, match="none.py: matches no file"):
        code_digest(("none.py",))
    code_digest.cache_clear()


def test_later_stages_see_the_results_of_earlier_ones(tmp_path: Path) -> None:
    def list_cells(context: Context, results: Results) -> list[Cell]:
        stages = [Cell("low-timesteps", str(k), {"stage": k}) for k in range(3)]
        return stages[: len(results) + 1]

    part, context = make_part(list_cells), Context(tmp_path, True, tmp_path)
    assert len(list_all_cells(part, context, tmp_path)) == 1
    for count in (2, 3):
        cell = list_all_cells(part, context, tmp_path)[-1]
        write_cell_result(tmp_path, CellResult(cell, code_digest(SOURCES), DONE))
        assert len(list_all_cells(part, context, tmp_path)) == count


def test_done_cells_are_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [{"n": k} for k in range(4)]
    listed = [Cell("low-timesteps", f"cell {k}", each) for k, each in enumerate(settings)]
    code = code_digest(SOURCES)
    write_cell_result(tmp_path, CellResult(listed[0], code, DONE))
    write_cell_result(tmp_path, CellResult(listed[1], code, FAILED, error="no"))
    write_cell_result(tmp_path, CellResult(listed[2], "older", DONE))
    part, context = make_part(lambda context, results: listed), Context(tmp_path, True, tmp_path)
    started: list[list[str]] = []
    monkeypatch.setattr(
        runner, "_run_cells", lambda pending, *_: started.append([c.name for _, c in pending])
    )
    run_parts([part], context, tmp_path, RunOptions())
    run_parts([part], context, tmp_path, RunOptions(retry=True, any_version=True))
    assert started == [["cell 2", "cell 3"], ["cell 1", "cell 3"]]


def test_a_cell_that_fails_is_recorded_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = Cell("low-timesteps", "bad", {"loss": {}})
    part = replace(load_part("low-timesteps"), list_cells=lambda context, results: [cell])
    run_parts([part], Context(tmp_path, True, tmp_path), tmp_path, RunOptions(jobs=1))
    found = read_cell_result(tmp_path, cell)
    assert found and found.status == FAILED and found.error.startswith("KeyError")
    assert "1 of 1: low-timesteps: bad, seed 0: failed, KeyError" in capsys.readouterr().out


@pytest.mark.parametrize("max_seconds", [600.0, 0.0])
def test_a_cell_that_somebody_stops_is_missing_and_a_late_one_fails(
    max_seconds: float, tmp_path: Path
) -> None:
    cell = Cell("low-timesteps", "a", {})
    options = RunOptions(jobs=1, max_seconds=max_seconds)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        process.kill()
        process.wait()
        ended = runner._Process(cell, load_part(cell.part), process, Path("log"))
        said = runner._conclude(ended, tmp_path, options)
    found = read_cell_result(tmp_path, cell)
    if max_seconds:
        assert said.endswith("was stopped by signal 9; the next run measures it")
        assert found is None
    else:
        assert found and found.error == "took longer than a cell may"


def test_a_run_that_is_terminated_stops_its_cells() -> None:
    cell, sleep = (
        Cell("low-timesteps", "a", {}),
        [sys.executable, "-c", "import time; time.sleep(60)"],
    )
    with subprocess.Popen(sleep) as process:
        running = [runner._Process(cell, load_part(cell.part), process, Path("log"))]
        with pytest.raises(SystemExit, match="143"), runner._stop_all(running):
            os.kill(os.getpid(), signal.SIGTERM)
        assert process.returncode == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_results_are_paired_by_seed_and_fold() -> None:
    def make(name: str, seed: int, fold: int) -> CellResult:
        return CellResult(Cell("p", name, {"fold": fold}, seed), "c", DONE)

    results = [make("a", 1, 0), make("a", 0, 0), make("a", 0, 1), make("b", 0, 1), make("b", 2, 0)]
    groups = group_by_name(results)
    assert [r.cell.seed for r in groups["a"]] == [0, 0, 1]
    pairs = list(common_seeds(groups["a"], groups["b"]))
    assert [(x.cell.settings, y.cell.seed) for x, y in pairs] == [({"fold": 1}, 0)]


def test_a_result_is_plain_json(tmp_path: Path) -> None:
    cell = Cell("part", "a", {"x": 1})
    write_cell_result(tmp_path, CellResult(cell, "code", DONE, {"a": [1.0]}))
    document = json.loads(next((tmp_path / "cells/part").iterdir()).read_text())
    assert document["cell"] == {"part": "part", "name": "a", "settings": {"x": 1}, "seed": 0}
