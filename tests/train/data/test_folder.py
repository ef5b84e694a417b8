"""Datasets of folders with one subfolder per class."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError, RecipeError
from pumice.train.data import Events, file_frames, from_folder, write_events

WIDTH, HEIGHT = 8, 6


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def recording(column: int) -> Events:
    """Ten ON events of one column, 100 us apart; the last pixel of the sensor, OFF, closes it."""
    y, t = np.arange(10) % HEIGHT, 1000 + 100 * np.arange(10)
    x = np.full(10, column)
    return Events(
        np.append(x, WIDTH - 1), np.append(y, HEIGHT - 1), np.append(np.ones(10, int), 0),
        np.append(t, 2000), WIDTH, HEIGHT,
    )  # fmt: skip


def write(path: Path, events: Events) -> None:
    """Write a recording in the format that the suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = events.t, events.x, events.y, events.polarity
    if path.suffix == ".bin":
        write_events(path, events)
    elif path.suffix == ".csv":
        rows = (",".join(map(str, row)) for row in zip(*columns, strict=True))
        path.write_text("\n".join(rows) + "\n")
    else:
        np.savez(path, x=events.x, y=events.y, p=events.polarity, t=events.t)


def active_columns(events: NDArray[np.uint8]) -> list[int]:
    return [int(column) for column in np.flatnonzero(events[:, 1].any(axis=(0, 1)))]


@pytest.mark.parametrize("suffix", [".bin", ".csv", ".npz"])
def test_recordings_are_binned_and_labeled_by_their_folders(tmp_path: Path, suffix: str) -> None:
    for label, name in enumerate(("down", "up")):
        for part, count in (("train", 3), ("test", 1)):
            for k in range(count):
                write(tmp_path / "data" / part / name / f"{k}{suffix}", recording(label))
    data = from_folder(tmp_path / "data", timesteps=4, values="counts")
    assert (len(data.train), len(data.test), data.classes) == (6, 2, 2)
    assert data.train.events.shape == (4, 6, 2, HEIGHT, WIDTH)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert [active_columns(events) for events, _ in data.test] == [[0], [1]]  # type: ignore[attr-defined]
    assert (data.train.events.sum(axis=(0, 2, 3, 4)) == 11).all()
    assert data.provenance["class_names"] == ["down", "up"]


def test_a_folder_without_parts_holds_a_fraction_of_each_class_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for k in range(5):
            write(tmp_path / "data" / name / f"{k}.npz", recording(k))
    data = from_folder(tmp_path / "data", test_fraction=0.4, timesteps=2)
    assert data.train.labels.tolist() == [0] * 3 + [1] * 3
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    again = from_folder(tmp_path / "data", test_fraction=0.4, timesteps=2)
    assert data == again
    columns = [c for part in (data.train, data.test) for c in (active_columns(e) for e, _ in part)]  # type: ignore[attr-defined]
    assert sorted(columns) == sorted([[k] for k in range(5)] * 2)


def test_val_is_the_validation_part_where_there_is_a_test_part(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        write(tmp_path / "data" / part / "a" / "0.bin", recording(0))
    data = from_folder(tmp_path / "data", timesteps=2)
    assert data.validation is not None and len(data.validation) == 1


def test_the_sensor_may_be_named_and_rescaled(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write(tmp_path / "data" / part / "a" / "0.npz", recording(0))
    data = from_folder(tmp_path / "data", timesteps=2, sensor=(16, 12), size=4)
    assert data.input_shape == (2, 4, 4)
    with pytest.raises(DataError, match=r"0.npz: event 10 is at x 7, .*set sensor=\(width, height"):
        from_folder(tmp_path / "data", timesteps=2, sensor=(4, 6))


def test_images_are_cropped_and_repeated_over_time(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name, level in (("dark", 10), ("light", 200)):
            path = tmp_path / "data" / part / name / "0.ppm"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"P6 6 4 255\n" + bytes([level] * 72))
    data = from_folder(str(tmp_path / "data"), timesteps=3, size=4)
    assert data.train.events.shape == (3, 2, 3, 4, 4) and data.train.events.strides[0] == 0
    assert [int(np.median(events)) for events, _ in data.test] == [10, 200]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "needs a folder of images or recordings per class"),
        (("a/0.bin", "b/notes.md"), "b: has no files of a known kind"),
        (("a/0.bin", "a/1.png"), "holds images and recordings; needs files of one kind"),
        (("train/a/0.bin",), "has train/, but neither test/ nor val/"),
        (("train/a/0.bin", "test/b/0.bin"), "test: its class folders are b, but those of"),
    ],
)
def test_folders_of_another_layout_are_rejected(
    tmp_path: Path, files: tuple[str, ...], message: str
) -> None:
    for name in files:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    with pytest.raises(DataError, match=message):
        from_folder(tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("0.bin", b"\0" * 7, "0.bin: 1 events cannot be read"),
        ("0.bin", b"", "0.bin: holds no events"),
        ("0.npz", b"PK", "0.npz: is not a complete .npz of arrays x, y, p and t"),
    ],
)
def test_damaged_recordings_are_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    for part in ("train", "test"):
        path = tmp_path / "data" / part / "a" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        from_folder(tmp_path / "data")


def test_an_unknown_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="timestep: unknown key; did you mean 'timesteps'"):
        from_folder(tmp_path, timestep=3)


def test_the_digest_is_that_of_names_and_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest(folder: Path) -> tuple[str, str]:
        data = from_folder(folder, timesteps=2, sensor=(WIDTH, HEIGHT))
        return data.digest, data.provenance["digest_covers"]

    for name in ("a", "b"):
        for k in range(4):
            write(tmp_path / "data" / name / f"{k}.bin", recording(k))
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    first = digest(tmp_path / "data")
    assert first == digest(tmp_path / "copy") and first[1] == "names and contents"
    changed = tmp_path / "copy" / "b" / "3.bin"
    os.utime(changed, ns=(1, 1))
    assert digest(tmp_path / "copy") == first
    write(changed, recording(5))  # as many bytes
    second = digest(tmp_path / "copy")
    assert second[0] != first[0]
    changed.rename(changed.with_name("4.bin"))
    assert digest(tmp_path / "copy")[0] not in (first[0], second[0])
    monkeypatch.setattr(file_frames, "MAX_HASHED_BYTES", 100)
    large = digest(tmp_path / "data")
    assert large[0] != first[0] and large[1] == "names and sizes"
