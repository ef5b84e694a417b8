from pathlib import Path

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data import load
from pumice.train.data.aer_files import write_events
from pumice.train.data.dvs_gesture import sliding_windows
from pumice.train.data.events import Events

TIMES = np.arange(0, 1200, 10)


def periodic_events() -> Events:
    zeros = np.zeros(len(TIMES), np.int64)
    return Events(zeros, zeros, zeros, TIMES + 500, 128, 128)


def test_windows_start_every_quarter_and_stay_in_their_part() -> None:
    train, test = (list(sliding_windows(periodic_events(), 200, part)) for part in (0, 1))
    # 1191 us in all: 794 train. Windows of 200 us start every 50.
    assert len(train) == (794 - 200) // 50 + 1 and len(test) == (397 - 200) // 50 + 1
    assert train[1].t.tolist() == list(range(0, 200, 10))
    assert test[0].t[0] == 800 - 794


def test_one_recording_per_class_gives_samples_of_both_parts(tmp_path: Path) -> None:
    for name in ("1", "3"):
        write_events(tmp_path / f"{name}.bs2", periodic_events())
    data = load("dvs-gesture", folder=tmp_path, timesteps=2, window=200, pool=4)
    assert data.train.events.shape == (2, 24, 2, 32, 32)
    assert sorted(set(data.train.labels.tolist())) == [0, 2] and data.classes == 11


def test_recorded_gestures_are_read(shared_data: Path) -> None:
    options = {"timesteps": 4, "window": 200_000, "size": 32}
    data = load("dvs-gesture", folder=shared_data / "dvs_gesture6", **options)
    assert data.train.events[:, 0].shape == (4, 2, 32, 32)
    assert sorted(set(data.test.labels.tolist())) == list(range(6))


def test_errors_name_the_expected_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no .bs2 files; needs DVSGesture/"):
        load("dvs-gesture", folder=tmp_path)
    write_events(tmp_path / "1.bs2", periodic_events())
    with pytest.raises(DataError, match="set data.window"):
        load("dvs-gesture", folder=tmp_path)
