from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data.events import Events
from pumice.train.data.recordings import Recordings, read_recordings, write_recordings


def small_recordings() -> Recordings:
    first = Events([1, 2], [0, 1], [0, 1], [3, 8], 4, 2)  # type: ignore[arg-type]
    empty = Events([], [], [], [], 4, 2)  # type: ignore[arg-type]
    last = Events([3], [1], [1], [5], 4, 2)  # type: ignore[arg-type]
    return Recordings((first, empty, last), np.array([2, 0, 2]))


def arrays(**changes: object) -> dict[str, Any]:
    """Arrays in the file of `small_recordings()`, with some replaced."""
    contents = {
        "x": [1, 2, 3],
        "y": [0, 1, 1],
        "p": [0, 1, 1],
        "t": [3, 8, 5],
        "offsets": [0, 2, 2, 3],
        "labels": [2, 0, 2],
        **changes,
    }
    return {name: np.array(values) for name, values in contents.items() if values is not None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "digits.npz"


def test_recordings_survive_a_round_trip(path: Path) -> None:
    write_recordings(path, small_recordings())
    assert read_recordings(path, 4, 2) == small_recordings()


def test_a_file_without_a_digest_is_read_too(path: Path) -> None:
    np.savez(path, **arrays())
    assert read_recordings(path, 4, 2) == small_recordings()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "is not a complete .npz of recordings .*labels"),
        ({"p": [0, 1]}, r"p \(2,\).* needs x, y, p and t of one length"),
        ({"offsets": [[0, 2, 2, 3]]}, r"offsets \(1, 4\)"),
        ({"offsets": [0, 2, 3]}, "offsets do not cut 3 events into 3 recordings; needs 4"),
        ({"offsets": [0, 2, 1, 3]}, "needs 4 ascending numbers from 0 to 3"),
        ({"offsets": [1, 2, 2, 3]}, "needs 4 ascending numbers from 0 to 3"),
        ({"offsets": [0, 2, 2, 4]}, "needs 4 ascending numbers from 0 to 3"),
        ({"offsets": [0, 0.5, 2, 3]}, "offsets: value 0.5"),
        ({"x": [1, 2, 4]}, "recording 2: event 0 is at x 4, y 1"),
        ({"t": [3, 2, 5]}, "recording 0: event 1 is at 2 us"),
        ({"labels": [0, -1, 2]}, "labels: hold -1"),
        ({"x": ["a", "b", "c"]}, "x: holds <U1 values"),
        ({"x": [], "y": [], "p": [], "t": [], "offsets": [0], "labels": []}, "one recording or"),
    ],
)
def test_other_contents_are_rejected(path: Path, changes: dict[str, object], message: str) -> None:
    np.savez(path, **arrays(**changes))
    with pytest.raises(DataError, match=f"digits.npz: .*{message}"):
        read_recordings(path, 4, 2)


def test_a_pickle_is_not_opened(path: Path) -> None:
    np.savez(path, **{**arrays(), "x": np.array([{}, {}, {}], object)})
    with pytest.raises(DataError, match="is not a complete .npz of recordings .*allow_pickle"):
        read_recordings(path, 4, 2)


def test_a_wrong_digest_is_rejected(path: Path) -> None:
    write_recordings(path, small_recordings())
    with np.load(path) as file:
        contents = dict(file)
    np.savez(path, **{**contents, "t": contents["t"] + 1})
    with pytest.raises(DataError, match="was altered"):
        read_recordings(path, 4, 2)


def test_a_truncated_file_is_rejected_with_one_line(path: Path) -> None:
    write_recordings(path, small_recordings())
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="digits.npz: ") as caught:
            read_recordings(path, 4, 2)
        assert "\n" not in str(caught.value)


def test_a_flipped_bit_is_rejected_or_changes_nothing(path: Path) -> None:
    write_recordings(path, small_recordings())
    content = path.read_bytes()
    rejections = 0
    for bit in range(0, 8 * len(content), 53):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert read_recordings(path, 4, 2) == small_recordings()
        except DataError:
            rejections += 1
    assert rejections > 50


@pytest.mark.parametrize("content", [b"", b"not a zip", b"\x93NUMPY\x01\x00\x00\x00"])
def test_another_kind_of_file_is_rejected(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a complete .npz"):
        read_recordings(path, 4, 2)


def test_a_single_array_is_rejected(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match="is not a complete .npz"):
        read_recordings(path, 4, 2)


def test_a_missing_file_is_rejected(path: Path) -> None:
    with pytest.raises(DataError, match="digits.npz: no such file"):
        read_recordings(path, 4, 2)


def test_recordings_of_two_sensors_are_rejected() -> None:
    first, second, third = small_recordings().events
    wider = replace(third, width=5)
    with pytest.raises(DataError, match=r"different sizes: \[\(4, 2\), \(5, 2\)\]"):
        Recordings((first, second, wider), np.zeros(3, np.int64))


def test_every_recording_needs_a_label() -> None:
    with pytest.raises(DataError, match=r"labels: shape \(2,\), but there are 3 recordings"):
        Recordings(small_recordings().events, np.zeros(2, np.int64))


def test_the_recorded_nmnist_is_read_completely(shared_data: Path) -> None:
    file = shared_data / "nmnist900" / "nmnist900.npz"
    if not file.exists():
        pytest.skip(f"no N-MNIST recordings at {file}")
    recordings = read_recordings(file, 34, 34)
    assert len(recordings) == 900 and set(recordings.labels) == set(range(10))
    assert sum(len(events) for events in recordings.events) == 3_712_168
    assert max(int(events.x.max()) for events in recordings.events) == 33
