"""Shards of a dataset: the same samples, batches and weights as those of its files."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from command import pumice
from media import write_jpegs

from pumice.runtime.errors import DataError, FileError
from pumice.train.data import DataOptions, Dataset, FrameSet, from_shards, load, write_shards
from pumice.train.data.shards import INDEX_FILE, open_shards
from pumice.train.data.sources import ConcatSource
from pumice.train.engine.fit import train_recipe
from pumice.train.recipes.recipe import Recipe

records = pytest.importorskip("array_record.python.array_record_module")

RANDOM = np.random.default_rng(0)
LABELS = np.arange(40) % 3
EVENTS = (RANDOM.random((3, 40, 2, 8, 8)) < 0.3).astype(np.uint8)
PART = FrameSet(EVENTS, LABELS)
DATA = Dataset("events", PART, PART[::3], 3, "digest", {"split": "as given"}, PART[:7])
SAMPLE_BYTES = EVENTS[:, 0].size
OPTIONS = DataOptions(name="digits-events", timesteps=3)


def shards(folder: Path, data: Dataset = DATA, samples: int = 9) -> DataOptions:
    write_shards(data, folder, OPTIONS, shard_bytes=samples * SAMPLE_BYTES)
    return OPTIONS.model_copy(update={"shards": folder})


@pytest.mark.parametrize("samples", [1, 9, 40, 1000])
def test_shards_hold_the_samples_of_all_parts(tmp_path: Path, samples: int) -> None:
    opened = open_shards(shards(tmp_path / "shards", samples=samples))
    assert len([*(tmp_path / "shards").glob("train-*.array_record")]) == -(-40 // samples)
    assert (opened.train, opened.test, opened.validation) == (
        DATA.train, DATA.test, DATA.validation)  # fmt: skip
    assert opened.digest == DATA.digest and dict(opened.provenance) == dict(DATA.provenance)
    assert (opened.name, opened.classes, opened.augmented) == ("events", 3, False)
    indices = RANDOM.permutation(np.repeat(np.arange(40), 2))
    assert np.array_equal(opened.train.source.read(indices), EVENTS[:, indices])
    assert opened.train.max_value == 1
    for (events, labels), start in zip(opened.train.batches(16, workers=2), (0, 16, 32),
                                       strict=True):  # fmt: skip
        assert np.array_equal(events, EVENTS[:, start : start + 16])
        assert np.array_equal(labels, LABELS[start : start + 16])


def test_static_samples_are_stored_once(tmp_path: Path) -> None:
    images = RANDOM.integers(0, 200, (10, 3, 8, 8), np.uint8)
    part = FrameSet(np.broadcast_to(images, (5, *images.shape)), np.arange(10) % 2)
    data = Dataset("images", part, part, 2, "d")
    write_shards(data, tmp_path / "s", OPTIONS)
    opened = from_shards(tmp_path / "s")
    events = opened.train.source.read(np.array([3, 1]))
    assert events.strides[0] == 0 and np.array_equal(events, part.source.read(np.array([3, 1])))
    reader = records.ArrayRecordReader(str(tmp_path / "s" / "train-00000-of-00001.array_record"))
    assert reader.num_records() == 10 and bytes(reader.read([4])[0]) == images[4].tobytes()


def test_targets_of_a_regression_and_mixed_sources_are_kept(tmp_path: Path) -> None:
    targets = RANDOM.normal(size=(40, 2))
    source = ConcatSource((PART.source, PART.source))
    data = Dataset("r", FrameSet(source, np.concatenate([targets, targets])),
                   FrameSet(EVENTS, targets), 2, "d")  # fmt: skip
    write_shards(data, tmp_path / "s", OPTIONS)
    opened = from_shards(tmp_path / "s")
    assert opened.task == "regression" and opened.train == data.train


def recipe(workers: int) -> Recipe:
    training = {"epochs": 4, "qat_epochs": 2, "batch_size": 8, "seed": 3, "num_workers": workers}
    network = {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]}
    tables = {"data": {"name": "digits-events"}, "network": network, "training": training}
    return Recipe.model_validate({**tables, "augment": {"shift": 1}})


def weights(workers: int, data: Dataset, folder: Path) -> dict[str, torch.Tensor]:
    return train_recipe(recipe(workers), data, folder, resume=True).network.state_dict()


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


SCRIPT = """
import sys
sys.path[:0] = {folders!r}
from pathlib import Path
import test_shards as test
from pumice.train.data.shards import ShardSource

run, shards, workers = sys.argv[1:]
read = ShardSource.read
def slow(self, indices):
    test.time.sleep(0.1)
    return read(self, indices)
ShardSource.read = slow
test.weights(int(workers), test.from_shards(shards), Path(run))
"""


@pytest.mark.parametrize(("killed", "resumed"), [(2, 0)])
def test_a_run_on_shards_killed_in_an_epoch_ends_with_the_weights_of_samples_in_memory(
    tmp_path: Path, killed: int, resumed: int
) -> None:
    shards(tmp_path / "shards")
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "common")]
    script = SCRIPT.format(folders=folders)
    command = [sys.executable, "-c", script, str(tmp_path / "run"), str(tmp_path / "shards"),
               str(killed)]  # fmt: skip
    process = subprocess.Popen(command, start_new_session=True)
    while not (tmp_path / "run" / "last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)  # an epoch takes 0.25 s and more
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run" / "model.safetensors").exists()
    expected = weights(0, DATA, tmp_path / "memory")
    assert_equal(weights(resumed, from_shards(tmp_path / "shards"), tmp_path / "run"), expected)


def test_an_interrupted_write_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shards"
    shards(folder)
    written = {file: file.stat().st_mtime_ns for file in folder.glob("train-*.array_record")}
    (folder / "index.json").rename(folder / "plan.json")
    lost = sorted(written)[2]
    lost.unlink()
    with pytest.raises(DataError, match="is being written; write them with: pumice shard"):
        from_shards(folder)
    shards(folder)
    assert from_shards(folder).train == PART
    assert all(file.stat().st_mtime_ns == at for file, at in written.items() if file != lost)
    assert sorted(file.name for file in folder.iterdir() if file.name.startswith(".")) == []


def test_other_or_damaged_shards_are_rejected(tmp_path: Path) -> None:
    options = shards(tmp_path / "s")
    other = options.model_copy(update={"timesteps": 4})
    with pytest.raises(DataError, match="with timesteps = 3, but the recipe has 4; write them"):
        open_shards(other)
    renamed = Dataset("other", PART, PART, 3, "digest")
    with pytest.raises(DataError, match="holds shards of other samples; name another folder"):
        shards(tmp_path / "s", renamed)
    file = tmp_path / "s" / "test-00001-of-00002.array_record"
    content = bytearray(file.read_bytes())
    where = content.index(b"\x28\xb5\x2f\xfd") + 9  # in the first Zstandard frame
    content[where] ^= 0xFF
    file.write_bytes(content)
    opened = open_shards(options)
    with pytest.raises(DataError, match=r"test-00001-of-00002.*: cannot be read .*write the shar"):
        opened.test.source.read(np.arange(len(opened.test)))
    file.unlink()
    with pytest.raises(DataError, match="no such file; copy all shards of the folder"):
        open_shards(options)
    labels = tmp_path / "s" / "train-labels.npy"
    np.save(labels, LABELS[::-1])
    shards(tmp_path / "t")
    (tmp_path / "t" / "train-labels.npy").write_bytes(labels.read_bytes())
    with pytest.raises(DataError, match=r"train-labels\.npy: was altered"):
        from_shards(tmp_path / "t")
    (tmp_path / "t" / INDEX_FILE).write_text(json.dumps({"format": 99}))
    with pytest.raises(DataError, match="has format 99, needs 1"):
        from_shards(tmp_path / "t")
    with pytest.raises(DataError, match="holds no shards; write them with"):
        from_shards(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="is a file; name a folder"):
        shards(tmp_path / "file")


RECIPE = """
[data]
name = "folder"
path = "{path}"
timesteps = 3
size = 8
value_bits = 4
encoding = "latency"
[network]
channels = [4]
kernels = [3]
strides = [1]
hidden = []
[training]
epochs = 1
qat_epochs = 1
batch_size = 4
"""


def test_the_command_writes_shards_that_train_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for label, name in enumerate(("dark", "light")):
        files = [tmp_path / "images" / name / f"{k}.jpg" for k in range(8)]
        level = 40 + 120 * label
        write_jpegs(files, RANDOM.integers(level, level + 60, (8, 16, 16, 3), np.uint8))
    own = tmp_path / "own.toml"
    own.write_text(RECIPE.format(path=tmp_path / "images"))
    result = pumice("shard", own, "-o", tmp_path / "shards", "--json")
    assert result.status == 0, result.err
    assert result.document["samples"] == {"train": 12, "test": 4}
    assert result.document["shards"] == 2
    first = pumice("train", own, "-o", tmp_path / "a", "--json")
    (tmp_path / "images").rename(tmp_path / "gone")
    place = f"data.shards={tmp_path / 'shards'}"
    second = pumice("train", own, "--set", place, "-o", tmp_path / "b", "--json")
    assert second.status == first.status == 0, second.err
    assert first.document["provenance"]["data"]["digest"] == (
        second.document["provenance"]["data"]["digest"])  # fmt: skip
    contents = [(tmp_path / name / "history.csv").read_text() for name in "ab"]
    assert contents[0] == contents[1]
    evaluated = pumice("evaluate", tmp_path / "b", "--json")
    assert evaluated.status == 0 and evaluated.document["samples"] == 4
    changed = pumice("train", own, "--set", place, "--set", "data.size=4", "-o", tmp_path / "c")
    assert changed.status == 2 and "shards of data with size = 8" in changed.err
    plain = load("folder", timesteps=3, size=8, value_bits=4, shards=tmp_path / "shards")
    assert 1 < plain.train.max_value <= 15  # before latency coding
