"""The search: resumed, shared by workers, better than random search."""

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
from pumice.train.hrsnn.options import HrsnnOptions, apply_overrides
from pumice.train.hrsnn.search import (
    WORST_OUTCOME,
    TrialResult,
    best_trial,
    pareto_front,
    search,
)
from pumice.train.hrsnn.search_options import Range, SearchOptions

OPTIONS = HrsnnOptions()


def hill(options: HrsnnOptions) -> tuple[float, float]:
    """Objectives with a maximum at known distributions, and spikes that grow with the rate."""
    distance = np.log(options.tau_plus.mean / 5) ** 2 + np.log(options.tau_minus.mean / 12) ** 2
    return float(np.exp(-distance)), 100 * (options.target_excitatory or 0)


def settings(sampler: Any, trials: int, seed: int = 0) -> SearchOptions:
    """A search over three parameters."""
    ranges = {
        "tau_plus.mean": Range(low=1, high=40, log=True),
        "tau_minus.mean": Range(low=1, high=40, log=True),
        "target_excitatory": Range(low=0.01, high=0.2),
    }
    return SearchOptions(trials=trials, sampler=sampler, seed=seed, ranges=ranges)


@pytest.mark.parametrize("sampler", ["gp", "wasserstein", "random"])
def test_a_search_continues_from_its_journal(tmp_path: Path, sampler: str) -> None:
    first = search(OPTIONS, settings(sampler, 4), hill, tmp_path / "study")
    second = search(OPTIONS, settings(sampler, 7), hill, tmp_path / "study")
    assert len(first) == 4 and second[:4] == first and len(second) == 7
    assert all(
        hill(apply_overrides(OPTIONS, trial.overrides)) == (trial.accuracy, trial.spikes)
        for trial in second
    )


PROGRAM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_search import OPTIONS, hill, settings
from pumice.train.hrsnn.search import search

def slow_hill(options):
    time.sleep(0.05)
    return hill(options)

trials, worker = map(int, sys.argv[2:])
search(OPTIONS, settings("random", trials), slow_hill, Path(sys.argv[1]), worker)
"""


def start_search(study: Path, trials: int, worker: int) -> subprocess.Popen[bytes]:
    """Start a process that searches."""
    program = PROGRAM.format(tests=str(Path(__file__).parent))
    return subprocess.Popen([sys.executable, "-c", program, str(study), str(trials), str(worker)])


def test_a_killed_search_loses_no_trial(tmp_path: Path) -> None:
    process = start_search(tmp_path / "study", 1000, 0)
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


def test_two_workers_share_one_study(tmp_path: Path) -> None:
    workers = [start_search(tmp_path / "study", 12, number) for number in range(2)]
    assert [process.wait() for process in workers] == [0, 0]
    trials = search(OPTIONS, settings("random", 12), hill, tmp_path / "study")
    assert len(trials) in (12, 13)  # both may have run their last trial at once
    assert len({each.number for each in trials}) == len(trials)
    assert len({each.overrides["target_excitatory"] for each in trials}) == len(trials)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["gp", "wasserstein"])
def test_model_based_samplers_beat_random_search(tmp_path: Path, sampler: str) -> None:
    accuracies = {}
    for kind in (sampler, "random"):
        runs = [
            search(OPTIONS, settings(kind, 22, seed), hill, tmp_path / f"{kind}{seed}")
            for seed in range(2)
        ]
        accuracies[kind] = np.mean([best_trial(trials).accuracy for trials in runs])
    assert accuracies[sampler] > accuracies["random"]


def test_runaway_activity_is_the_worst_outcome(tmp_path: Path) -> None:
    def raise_runaway(_: HrsnnOptions) -> tuple[float, float]:
        raise EngineError("excitatory: over 60 %")

    trials = search(OPTIONS, settings("random", 2), raise_runaway, tmp_path / "study")
    assert [(each.accuracy, each.spikes) for each in trials] == [WORST_OUTCOME, WORST_OUTCOME]


def test_the_pareto_front_has_the_non_dominated_trials() -> None:
    trials = [
        TrialResult(n, {}, a, s)
        for n, (a, s) in enumerate([(0.5, 9), (0.7, 5), (0.6, 4), (0.9, 8)])
    ]
    assert [each.number for each in pareto_front(trials)] == [2, 1, 3]
    assert best_trial(trials).number == 3


def test_a_range_of_an_unknown_key_is_rejected(tmp_path: Path) -> None:
    unknown = SearchOptions(ranges={"tau_pluss.mean": Range(low=1, high=2)})
    with pytest.raises(RecipeError, match=r"tau_pluss.mean is not a number of \[hrsnn\]"):
        search(OPTIONS, unknown, hill, tmp_path / "study")


def test_a_reversed_range_is_rejected() -> None:
    with pytest.raises(ValidationError, match="is no range"):
        Range(low=2, high=1)
