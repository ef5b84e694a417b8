import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pumice.train.data.cache import cached_recordings
from pumice.train.data.events import Events
from pumice.train.data.recordings import Recordings

HELD = Recordings(
    (Events([1], [0], [1], [7], 2, 2),),  # type: ignore[arg-type]
    np.array([3]),
)


class Maker:
    """Makes the recordings and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Recordings:
        self.made += 1
        return HELD


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "pumice"


def ask(make: Callable[[], Recordings], **parameters: object) -> Recordings:
    return cached_recordings("small", {"seed": 1, **parameters}, 2, 2, make)


def test_what_was_made_once_is_kept(folder: Path) -> None:
    make = Maker()
    assert ask(make) == ask(make) == HELD and make.made == 1
    assert [file.suffix for file in folder.iterdir()] == [".npz"]


def test_other_parameters_are_made_apart(folder: Path) -> None:
    make = Maker()
    for parameters in ({}, {"seed": 2}, {"sensor": {"threshold": 0.5}}):
        ask(make, **parameters)
    assert make.made == 3 and len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:99] + b"x" + b[100:], bytes])
def test_a_damaged_file_is_made_anew(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    make = Maker()
    ask(make)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole) if damage is not bytes else b"")
    assert ask(make) == HELD and make.made == 2
    assert ask(make) == HELD and make.made == 2 and list(folder.iterdir()) == [file]


def test_without_a_folder_that_can_be_written_nothing_is_kept(folder: Path) -> None:
    folder.write_text("a file is in the way")
    make = Maker()
    assert ask(make) == ask(make) == HELD and make.made == 2


def test_a_relative_cache_folder_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    ask(Maker())
    assert os.listdir(tmp_path) == ["home"]
    assert len(list((tmp_path / "home" / ".cache" / "pumice").iterdir())) == 1


def test_a_user_without_a_home_gets_the_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert ask(Maker()) == HELD
