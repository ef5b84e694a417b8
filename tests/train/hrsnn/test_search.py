"""The search: resumed without a loss, shared by workers, better than chance."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pumice.runtime.errors import EngineError, RecipeError
from pumice.train.hrsnn.options import HrsnnOptions
from pumice.train.hrsnn.search import (
    WORST_OUTCOME,
    Range,
    SearchOptions,
    TrialResult,
    apply_overrides,
    best_trial,
    pareto_front,
    search,
)

OPTIONS = HrsnnOptions()


def hill(options: HrsnnOptions) -> tuple[float, float]:
    """A goal with its top at known laws, and a price that grows with the rate."""
    off = np.log(options.tau_plus.mean / 5) ** 2 + np.log(options.tau_minus.mean / 12) ** 2
    return float(np.exp(-off)), 100 * options.target_rate


def settings(sampler: Any, trials: int, seed: int = 0) -> SearchOptions:
    """A search over three numbers."""
    ranges = {
        "tau_plus.mean": Range(low=1, high=40, log=True),
        "tau_minus.mean": Range(low=1, high=40, log=True),
        "target_rate": Range(low=0.01, high=0.2),
    }
    return SearchOptions(trials=trials, sampler=sampler, seed=seed, ranges=ranges)


@pytest.mark.parametrize("sampler", ["gp", "wasserstein", "random"])
def test_a_search_goes_on_where_it_stopped(tmp_path: Path, sampler: str) -> None:
    first = search(OPTIONS, settings(sampler, 4), hill, tmp_path / "study")
    second = search(OPTIONS, settings(sampler, 7), hill, tmp_path / "study")
    assert len(first) == 4 and second[:4] == first and len(second) == 7
    assert all(
        hill(apply_overrides(OPTIONS, f.overrides)) == (f.accuracy, f.spikes) for f in second
    )


PROGRAM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_search import OPTIONS, hill, settings
from pumice.train.hrsnn.search import search

def slowly(options):
    time.sleep(0.05)
    return hill(options)

trials, worker = map(int, sys.argv[2:])
search(OPTIONS, settings("random", trials), slowly, Path(sys.argv[1]), worker)
"""


def started(study: Path, trials: int, worker: int) -> subprocess.Popen[bytes]:
    """A process that searches."""
    program = PROGRAM.format(tests=str(Path(__file__).parent))
    return subprocess.Popen([sys.executable, "-c", program, str(study), str(trials), str(worker)])


def test_a_search_that_was_killed_loses_no_trial(tmp_path: Path) -> None:
    process = started(tmp_path / "study", 1000, 0)
    while (tmp_path / "study").is_file() is False or _lines(tmp_path / "study") < 30:
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = search(OPTIONS, settings("random", 1), hill, tmp_path / "study")
    after = search(OPTIONS, settings("random", len(before) + 2), hill, tmp_path / "study")
    assert len(before) >= 3 and after[: len(before)] == before
    assert len(after) == len(before) + 2


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n")


def test_two_workers_share_a_study(tmp_path: Path) -> None:
    workers = [started(tmp_path / "study", 12, number) for number in range(2)]
    assert [process.wait() for process in workers] == [0, 0]
    found = search(OPTIONS, settings("random", 12), hill, tmp_path / "study")
    assert len(found) in (12, 13)  # both may have had their last one under way
    assert len({each.number for each in found}) == len(found)
    assert len({each.overrides["target_rate"] for each in found}) == len(found)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["gp", "wasserstein"])
def test_a_model_finds_more_than_chance_does(tmp_path: Path, sampler: str) -> None:
    tops = {}
    for kind in (sampler, "random"):
        runs = [
            search(OPTIONS, settings(kind, 22, seed), hill, tmp_path / f"{kind}{seed}")
            for seed in range(2)
        ]
        tops[kind] = np.mean([best_trial(found).accuracy for found in runs])
    assert tops[sampler] > tops["random"]


def test_rates_that_run_away_are_a_trial_without_worth(tmp_path: Path) -> None:
    def wild(_: HrsnnOptions) -> tuple[float, float]:
        raise EngineError("excitatory: over 60 %")

    found = search(OPTIONS, settings("random", 2), wild, tmp_path / "study")
    assert [(each.accuracy, each.spikes) for each in found] == [WORST_OUTCOME, WORST_OUTCOME]


def test_the_front_holds_what_nothing_beats_in_both_goals() -> None:
    found = [
        TrialResult(n, {}, a, s)
        for n, (a, s) in enumerate([(0.5, 9), (0.7, 5), (0.6, 4), (0.9, 8)])
    ]
    assert [each.number for each in pareto_front(found)] == [2, 1, 3]
    assert best_trial(found).number == 3


def test_a_range_of_an_unknown_key_is_refused(tmp_path: Path) -> None:
    wrong = SearchOptions(ranges={"tau_pluss.mean": Range(low=1, high=2)})
    with pytest.raises(RecipeError, match=r"tau_pluss.mean is no number of \[hrsnn\]"):
        search(OPTIONS, wrong, hill, tmp_path / "study")


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValidationError, match="is no range"):
        Range(low=2, high=1)
