"""Files that users name: regular ones alone are opened, and Git LFS pointers are named."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pumice.report.write import read_curve, read_report
from pumice.runtime.encoders.waveform import read_waveform
from pumice.runtime.errors import DataError, PumiceError
from pumice.runtime.input_file import LFS_POINTER, open_input
from pumice.runtime.toml import read_toml
from pumice.train.data.aer_files import read_events
from pumice.train.data.array_file import load_array_file
from pumice.train.data.options import DataOptions
from pumice.train.data.readers.audio import read_audio
from pumice.train.data.readers.images import read_image
from pumice.train.data.readers.series import read_series
from pumice.train.data.recordings import read_recordings
from pumice.train.data.video_file import decode_video
from pumice.train.data.video_options import VideoOptions

POINTER = LFS_POINTER + b"v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


def read_arrays(path: Path) -> Any:
    return load_array_file(DataOptions(name="folder", folder=path, timesteps=2))


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "image": ("a.png", lambda path: read_image(path, 8)),
    "audio": ("a.flac", read_audio),
    "waveform": ("a.wav", lambda path: read_waveform(path, 8000)),
    "video": ("a.mp4", lambda path: decode_video(path, VideoOptions())),
    "series": ("a.csv", read_series),
    "series in an array": ("a.npy", read_series),
    "arrays": (
        "a.npz",
        read_arrays,
    ),
    "recordings": ("b.npz", lambda path: read_recordings(path, 8, 8)),
    "events": ("a.bin", lambda path: read_events(path, 8, 8)),
    "TOML": ("a.toml", read_toml),
    "report": ("report.json", read_report),
    "curve": ("a.json", lambda path: read_curve("a", path)),
}


def test_a_regular_file_is_opened_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "link"):
        with open_input(tmp_path / name) as file:
            assert file.read() == b"content"


@pytest.mark.parametrize("name", READERS)
def test_a_git_lfs_pointer_is_named_by_every_reader(name: str, tmp_path: Path) -> None:
    path = tmp_path / READERS[name][0]
    path.write_bytes(POINTER)
    with pytest.raises(PumiceError, match=rf"{path.name}: is a Git LFS pointer, .*: git lfs pull$"):
        READERS[name][1](path)


@pytest.mark.parametrize("name", READERS)
def test_no_reader_waits_for_a_pipe(name: str, tmp_path: Path) -> None:
    path = tmp_path / READERS[name][0]
    os.mkfifo(path)
    with pytest.raises(PumiceError, match=rf"{path.name}: is no regular file; name one$"):
        READERS[name][1](path)


def test_devices_are_not_read() -> None:
    with pytest.raises(DataError, match="/dev/zero: is no regular file"):
        open_input("/dev/zero")


def test_an_empty_file_of_audio_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.flac").touch()
    with pytest.raises(DataError, match="a.flac: is empty"):
        read_audio(tmp_path / "a.flac")
    assert capfd.readouterr().err == ""
