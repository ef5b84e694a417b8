"""The disk cache of decoded frames: parallel, resumable, complete or absent."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError, PumiceWarning
from pumice.train.data import frame_cache
from pumice.train.data.frame_cache import CacheOptions, cached_frames
from pumice.train.data.sources import DecodedSource, FileSource

SHAPE = (2, 1, 3, 4)
PARAMETERS = {"made": "by a test"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(frame_cache, "CHUNK_BYTES", 5 * np.prod(SHAPE))
    return tmp_path / "pumice"


def decode(item: int) -> NDArray[np.uint8]:
    """Frames that the item determines; every tenth of the high numbers is damaged."""
    if item >= 1000 and item % 10 == 0:
        raise DataError(f"item {item}: is damaged")
    return np.random.default_rng(item).integers(0, 200, SHAPE).astype(np.uint8)


def source(items: range, static: bool = False) -> DecodedSource:
    return DecodedSource(items, decode, SHAPE, static)


@pytest.mark.parametrize("samples", [7, 93])  # in this process, and in workers
def test_a_cache_holds_what_is_decoded_and_decodes_it_once(
    samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = source(range(samples))
    expected = decoded.read(np.arange(samples))
    cached = cached_frames("test", PARAMETERS, decoded)
    assert isinstance(cached.source, FileSource) and not cached.source.decodes
    assert np.array_equal(cached.source.read(np.arange(samples)), expected)
    assert cached.source.max_value == expected.max()
    monkeypatch.setattr(frame_cache, "_build", lambda *_: pytest.fail("is built again"))
    again = cached_frames("test", PARAMETERS, decoded)
    assert np.array_equal(again.source.read(np.array([6, 2])), expected[:, [6, 2]])


def test_a_cache_is_keyed_by_what_made_it(cache: Path) -> None:
    for parameters in (PARAMETERS, {"made": "otherwise"}):
        cached_frames("test", parameters, source(range(3)))
    assert len([each for each in cache.iterdir() if each.is_dir()]) == 2


def test_damaged_items_are_named_counted_and_left_out_below_the_limit() -> None:
    items = source(range(1000, 1020))  # 1000 and 1010 are damaged
    with pytest.raises(DataError, match=r"^item 1000: is damaged$"):
        cached_frames("test", PARAMETERS, items)
    with pytest.raises(DataError, match=r"2 of 20 .*unreadable = 0.05 .*first: item 1000"):
        cached_frames("test", PARAMETERS, items, CacheOptions(unreadable=0.05))
    for use in (True, False):
        with pytest.warns(PumiceWarning, match="^2 of 20 .* left out; the first: item 1000"):
            cached = cached_frames("test", PARAMETERS, items, CacheOptions(use, 0.1))
        assert cached.broken == {0: "item 1000: is damaged", 10: "item 1010: is damaged"}
        assert cached.kept.tolist() == [*range(1, 10), *range(11, 20)]
        good = np.stack([decode(1000 + k) for k in cached.kept], axis=1)
        assert np.array_equal(cached.source.read(np.arange(18)), good)
    with pytest.raises(DataError, match="2 of 20"):  # the complete cache, and a stricter limit
        cached_frames("test", PARAMETERS, items, CacheOptions(unreadable=0.05))


def test_without_a_folder_or_room_samples_are_decoded_when_asked_for(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where the folder should be")
    items = source(range(5))
    with pytest.warns(PumiceWarning, match="data is not cached"):
        assert cached_frames("test", PARAMETERS, items).source is items
    cache.unlink()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frame_cache, "_allocate", fail)
    with pytest.warns(PumiceWarning, match="No space left on device: data is not cached"):
        assert cached_frames("test", PARAMETERS, items).source is items
    assert not list((cache / "pumice").glob("*.partial"))  # which would fill the disk
    monkeypatch.setattr(frame_cache, "MAX_AUTO_BYTES", 10)
    assert cached_frames("other", PARAMETERS, items).source is items


def test_a_damaged_cache_is_made_again(cache: Path) -> None:
    items = source(range(3))
    cached_frames("test", PARAMETERS, items)
    (file,) = cache.glob("test-*/frames.bin")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"frames.bin: has 71 bytes, needs 72; remove it"):
        FileSource(file, 3, SHAPE)
    cached = cached_frames("test", PARAMETERS, items)
    assert isinstance(cached.source, FileSource) and file.stat().st_size == 72
    assert np.array_equal(cached.source.read(np.arange(3)), items.read(np.arange(3)))


SCRIPT = """
import sys, time
sys.path[:0] = [{tests!r}]
import numpy as np
import test_frame_cache as test
from pumice.train.data import frame_cache

frame_cache.CHUNK_BYTES = 5 * np.prod(test.SHAPE)


def slow(item):
    time.sleep(0.02)
    return test.decode(item)


items = frame_cache.DecodedSource(range(200), slow, test.SHAPE)
frame_cache.cached_frames("test", test.PARAMETERS, items)
"""


def test_a_killed_build_is_resumed_and_never_taken_for_complete(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    while not (journals := [*cache.glob("*.partial/journal")]) or not _lines(journals[0]):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = _lines(journals[0])
    assert 1 <= finished < 40 and not [*cache.glob("*/index.json")]
    with journals[0].open("ab") as file:
        file.write(b'{"chunk": 39, "max"')  # a line that the kill cut off
    decoded: list[int] = []

    def count(source: DecodedSource, done: set[int], progress: bool | None) -> object:
        decoded.extend(set(range(40)) - done)
        return decode_chunks(source, done, progress)

    decode_chunks = frame_cache._decode_chunks
    monkeypatch.setattr(frame_cache, "_decode_chunks", count)
    items = source(range(200))
    cached = cached_frames("test", PARAMETERS, items)
    assert len(decoded) == 40 - finished
    assert np.array_equal(cached.source.read(np.arange(200)), items.read(np.arange(200)))
    assert not [*cache.glob("*.partial")]


def _lines(journal: Path) -> int:
    return len([json.loads(line) for line in journal.read_text().splitlines()])


def test_an_abandoned_build_is_removed_unless_it_is_fresh_or_locked(tmp_path: Path) -> None:
    for name in ("old", "fresh", "locked"):
        (tmp_path / f"{name}.partial").mkdir()
        file = tmp_path / f"{name}.partial" / "frames.bin"
        file.write_bytes(b"1")
        if name != "fresh":
            os.utime(file, (1, 1))
            os.utime(file.parent, (1, 1))
    with frame_cache._lock(tmp_path / "locked.lock"):
        removed = frame_cache.remove_abandoned(tmp_path)
    assert removed == [tmp_path / "old.partial"]
    assert sorted(path.name for path in tmp_path.glob("*.partial")) == [
        "fresh.partial", "locked.partial",
    ]  # fmt: skip
