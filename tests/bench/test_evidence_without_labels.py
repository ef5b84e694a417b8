"""Cells and scores of the parts `prednext` and `hrsnn`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.evidence import hrsnn, hrsnn_report, prednext, prednext_report
from bench.evidence.cells import DONE, Cell, CellResult, Context, pack_bits
from bench.evidence.hrsnn_data import TASKS
from pumice.train.hrsnn import HrsnnOptions
from pumice.train.ssl.recipe import PretrainRecipe


@pytest.fixture
def context(tmp_path: Path) -> Context:
    for folder in ("fashion_mnist", "spoken_digits", "imu_digits"):
        (tmp_path / folder).mkdir()
    return Context(tmp_path, False, tmp_path)


def recipe_of(cell: Cell) -> PretrainRecipe:
    return PretrainRecipe.model_validate(cell.settings["recipe"])


def test_cells_of_prednext_differ_in_what_they_name_alone(context: Context) -> None:
    cells = {str(each): each for each in prednext.list_cells(context, {})}
    assert len({cell.key for cell in cells.values()}) == len(cells)
    plain = recipe_of(cells["prednext: simsiam: plain, seed 0"])
    later = recipe_of(cells["prednext: simsiam: later clip as second view, seed 0"])
    assert plain.prednext.weight == later.prednext.weight == 0 and not plain.needs_later_clip
    assert later.needs_later_clip and later.views.second == "later"
    for objective in prednext.OBJECTIVES:
        first, second = (
            recipe_of(cells[f"prednext: {objective}: {name}, seed 1"]).model_dump()
            for name in ("plain", "PredNext")
        )
        assert first.pop("prednext")["weight"] == 0
        # Targets of MoCo and BYOL, too, are features of the network itself, as published.
        assert (
            second.pop("prednext")
            == plain.prednext.model_copy(
                update={"weight": prednext.WEIGHT, "targets": "online"}
            ).model_dump()
        )
        assert first == second and first["training"]["seed"] == 1


def test_without_data_there_are_no_cells(tmp_path: Path) -> None:
    empty = Context(tmp_path, False, tmp_path)
    assert not prednext.list_cells(empty, {}) and not hrsnn.list_cells(empty, {})


def make_video_result(name: str, seed: int, correct: np.ndarray) -> CellResult:
    stored = {metric: pack_bits(correct) for metric in prednext_report.ACCURACIES}
    values = {"test": {**stored, "error": (1.0 - correct).tolist()}, "effective_rank": 2.0}
    return CellResult(Cell("prednext", name, {"name": name}, seed), "", DONE, values)


def test_gains_of_prednext_are_paired_and_claimed_with_their_interval() -> None:
    generator = np.random.default_rng(0)
    results = []
    for seed in (0, 1):
        plain = generator.random(400) < 0.3
        better = plain | (generator.random(400) < 0.2)
        results += [
            make_video_result("simsiam: plain", seed, plain),
            make_video_result("simsiam: PredNext", seed, better),
        ]
    page = prednext_report.make_page(results, prednext.OBJECTIVES)
    row = next(each for each in page.tables[1].rows if "PredNext - simsiam: plain" in str(each[0]))
    gain = 100 * np.mean([
        np.subtract(results[k + 1].values["test"]["error"], results[k].values["test"]["error"])
        for k in (0, 2)
    ])  # fmt: skip
    assert str(row[2]).startswith(f"{-gain:+.2f} ±") and row[-1] == 2
    claims = {each.claim: each for each in page.claims}
    accuracy = claims["PredNext raises R@1 or the probe for at least 5 of 6 objectives, interval "
                      "above zero"]  # fmt: skip
    assert accuracy.verdict == "not reproduced" and accuracy.figure.startswith("1 of 1 measured")


def test_each_row_of_hrsnn_is_searched_as_long_and_on_the_same_draws(context: Context) -> None:
    searches = hrsnn.list_cells(context, {})
    rows = [cell.settings["row"] for cell in searches if "search" in cell.settings]
    assert rows == [*hrsnn.ROWS] * len(TASKS)
    assert {cell.settings["search"] for cell in searches if "search" in cell.settings} == {12}
    draw = np.random.default_rng(0).random(7).tolist()
    found = {
        row: HrsnnOptions.model_validate(
            hrsnn._settings(row, TASKS["pairs"], *hrsnn._draw_constants(draw))
        )
        for row in hrsnn.ROWS
    }
    means = {(o.tau_mem_excitatory.mean, o.tau_plus.mean) for o in found.values()}
    assert len(means) == 1
    for row, options in found.items():
        assert (options.tau_mem_excitatory.cv > 0) == ("HeN" in row)
        assert (options.potentiation.cv > 0) == ("HeS" in row)
        assert ("input" in options.plastic) == ("plastic input" in row)
        assert options.target_excitatory is options.target_inhibitory is None


def test_searches_come_before_the_cells_that_use_them(context: Context) -> None:
    search = next(c for c in hrsnn.list_cells(context, {}) if "search" in c.settings)
    settings = {"excitatory": 5}
    done = CellResult(search, "", DONE, {"settings": settings})
    later = hrsnn.list_cells(context, {search.key: done})
    measured = [c for c in later if c.settings.get("network") == settings]
    assert len(measured) == 2 * len(hrsnn.SEEDS)  # own speakers and a new one


def make_network_result(row: str, seed: int, modes: dict[str, np.ndarray]) -> CellResult:
    settings = {
        "task": "pairs", "split": "own speakers", "row": row, "source": "proposed", "network": None,
    }  # fmt: skip
    values: dict[str, Any] = {}
    for mode, correct in modes.items():
        stored = {name: pack_bits(correct) for name in TASKS["pairs"].readouts}
        values[mode] = stored if mode == "raw input" else {
            "correct": stored, "spikes": 10.0 + seed, "rates": [0.1, 0.2], "floor": 0.0,
            "memory_capacity": 1.0,
        }  # fmt: skip
    return CellResult(Cell("hrsnn", row, settings, seed), "", DONE, values)


def test_samples_that_share_a_recording_are_one_sample_of_the_interval() -> None:
    correct = np.repeat([True, False, True, True], 4)
    correct[0] = False
    result = make_network_result("HoN/HoS", 0, {"trained": correct})
    scores = hrsnn_report._scores("pairs", [result], "trained", "counts")
    assert scores.tolist() == [[75.0, 0.0, 100.0, 100.0]]


def test_effects_of_hrsnn_are_paired_over_seeds_with_the_controls() -> None:
    generator = np.random.default_rng(1)
    raw = make_network_result("raw input", 0, {"raw input": generator.random(80) < 0.1})
    results = [raw]
    for row in hrsnn.VARIANTS:
        for seed in hrsnn.SEEDS:
            settled = generator.random(80) < 0.5
            modes = {"trained": settled, "thresholds only": settled, "untrained": settled & False}
            results.append(make_network_result(row, seed, modes))
    page = hrsnn_report.make_page(results)
    effects = {(str(r[2]), str(r[3])): str(r[4]) for r in page.tables[1].rows}
    assert effects["counts", "learning: trained - thresholds only"] == "+0.00 ± 0.00"
    assert effects["counts", "homeostasis: thresholds only - untrained"].startswith("+")
    assert effects["counts", "HeN/HeS - raw input"].startswith("+")
    verdicts = {each.claim: each.verdict for each in page.claims}
    assert verdicts["STDP adds to adapted thresholds"] == "not reproduced"
    assert verdicts["homeostasis costs less than 1 point"] == "reproduced"
    assert verdicts["heterogeneous synapses fire fewer spikes"] == "not reproduced"
