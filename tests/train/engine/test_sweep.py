import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest

from pumice.runtime.errors import FileError
from pumice.train import data as sets
from pumice.train.data import Dataset, FrameSet
from pumice.train.engine.sweep import Sweep, SweepTrial, run_sweep
from pumice.train.recipes.sweep_space import parse_parameter

PARAMETERS = tuple(map(parse_parameter, ("training.lr=1e-3:1e-1:log", "network.hidden=[4],[8]")))
OVERRIDES = ("training.epochs=1", "training.qat_epochs=0", "training.batch_size=8")
SWEEP = Sweep(
    "digits-events", (*OVERRIDES, "training.validation_per_class=4"), PARAMETERS, (0, 1), 3
)


def load_bars(name: str, **_: object) -> Dataset:
    """Clips of a vertical or a horizontal bar."""
    labels = np.arange(32) % 2
    frames = (np.random.default_rng(0).random((32, 4, 2, 6, 6)) < 0.1).astype(np.uint8)
    frames[labels == 0, :, :, 2] = 1
    frames[labels == 1, :, :, :, 2] = 1
    samples = FrameSet(frames.swapaxes(0, 1), labels)
    return Dataset(name, samples, samples, 2, "00", {})


@pytest.fixture(autouse=True)
def bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "load", load_bars)


def test_a_sweep_ranks_its_trials_and_continues(tmp_path: Path) -> None:
    seen: list[SweepTrial] = []
    trials = run_sweep(SWEEP, tmp_path, on_trial=seen.append)
    assert len(trials) == len(seen) == 3
    assert [t.mean for t in trials] == sorted((t.mean for t in trials), reverse=True)
    for trial in trials:
        assert len(trial.accuracies) == 2 and len(trial.settings) == 2
        assert trial.mean == fmean(trial.accuracies)
        assert trial.deviation == stdev(trial.accuracies)
    assert run_sweep(SWEEP, tmp_path, on_trial=seen.append) == trials and len(seen) == 3
    other = Sweep("digits-events", SWEEP.overrides, PARAMETERS[:1], (0, 1), 3)
    with pytest.raises(FileError, match="holds another sweep"):
        run_sweep(other, tmp_path)


def test_two_processes_share_a_study(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import test_sweep as t\n"
        "from pumice.train import data\n"
        "data.load = t.load_bars; t.run_sweep(t.SWEEP, Path(sys.argv[1]), int(sys.argv[2]))"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), worker], cwd=Path(__file__).parent
        )
        for worker in ("0", "1")
    ]
    assert [worker.wait() for worker in workers] == [0, 0]
    trials = run_sweep(SWEEP, tmp_path)
    assert 3 <= len(trials) <= 4 and len({t.settings for t in trials}) > 1
