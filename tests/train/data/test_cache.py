import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pumice.runtime.errors import PumiceWarning
from pumice.train.data.cache import cached_recordings
from pumice.train.data.events import Events
from pumice.train.data.recordings import Recordings

RECORDINGS = Recordings(
    (Events([1], [0], [1], [7], 2, 2),),  # type: ignore[arg-type]
    np.array([3]),
)


class CountingFactory:
    """Returns the recordings and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Recordings:
        self.calls += 1
        return RECORDINGS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "pumice"


def request(make: Callable[[], Recordings], **parameters: object) -> Recordings:
    return cached_recordings("small", {"seed": 1, **parameters}, 2, 2, make)


def test_recordings_are_generated_once(folder: Path) -> None:
    make = CountingFactory()
    assert request(make) == request(make) == RECORDINGS and make.calls == 1
    assert [file.suffix for file in folder.iterdir()] == [".npz"]


def test_each_set_of_parameters_has_its_own_file(folder: Path) -> None:
    make = CountingFactory()
    for parameters in ({}, {"seed": 2}, {"sensor": {"threshold": 0.5}}):
        request(make, **parameters)
    assert make.calls == 3 and len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:99] + b"x" + b[100:], bytes])
def test_a_damaged_file_is_generated_again(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    make = CountingFactory()
    request(make)
    (file,) = folder.iterdir()
    content = file.read_bytes()
    file.write_bytes(damage(content) if damage is not bytes else b"")
    assert request(make) == RECORDINGS and make.calls == 2
    assert request(make) == RECORDINGS and make.calls == 2 and list(folder.iterdir()) == [file]


def test_an_unwritable_folder_disables_the_cache(folder: Path) -> None:
    folder.write_text("a file is in the way")
    make = CountingFactory()
    with pytest.warns(PumiceWarning, match="data is not cached but made anew at every start"):
        assert request(make) == request(make) == RECORDINGS and make.calls == 2


def test_a_relative_cache_folder_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    request(CountingFactory())
    assert os.listdir(tmp_path) == ["home"]
    assert len(list((tmp_path / "home" / ".cache" / "pumice").iterdir())) == 1


def test_a_user_without_a_home_gets_the_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.warns(PumiceWarning, match="there is no home folder: data is not cached"):
        assert request(CountingFactory()) == RECORDINGS
