"""Training on samples that are decoded when asked for, in any number of worker processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from pumice.runtime.errors import DataError
from pumice.train.data import Dataset, FrameSet
from pumice.train.data.sources import DecodedSource
from pumice.train.engine.fit import train_recipe
from pumice.train.recipes.recipe import Recipe

TRAINING = {"epochs": 4, "qat_epochs": 2, "batch_size": 8, "seed": 3}
NETWORK = {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]}
LABELS = np.arange(40) % 3
EVENTS = np.random.default_rng(0).random((3, 40, 2, 8, 8)) < 0.1 + 0.2 * LABELS[:, None, None, None]
EVENTS = EVENTS.astype(np.uint8)
PART = FrameSet(EVENTS, LABELS)
IN_MEMORY = Dataset("lazy", PART, PART, 3, "digest", {})


def decode(index: int) -> NDArray[np.uint8]:
    return np.asarray(EVENTS[:, index])


def decode_slowly(index: int) -> NDArray[np.uint8]:
    time.sleep(0.02)
    return decode(index)


def damaged(index: int) -> NDArray[np.uint8]:
    if index == 17:
        raise DataError("17.png: cannot be read")
    return decode(index)


def lazy_data(decode: object = decode) -> Dataset:
    shape = (3, 2, 8, 8)
    part = FrameSet(DecodedSource(range(40), decode, shape, max_value=1), LABELS)  # type: ignore[arg-type]
    return Dataset("lazy", part, part, 3, "digest", {})


def recipe(workers: int | None, **settings: float) -> Recipe:
    training = {**TRAINING, "num_workers": workers, **settings}
    tables = {"data": {"name": "lazy"}, "network": NETWORK, "augment": {"shift": 1}}
    return Recipe.model_validate({**tables, "training": training})


def weights(
    workers: int | None, data: Dataset, folder: Path, **settings: float
) -> dict[str, Tensor]:
    trained = train_recipe(recipe(workers, **settings), data, folder, resume=True)
    return trained.network.state_dict()


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("workers", [0, 1, 3, None])
def test_lazy_samples_train_the_weights_of_samples_in_memory(
    tmp_path: Path, workers: int | None
) -> None:
    expected = weights(0, IN_MEMORY, tmp_path / "memory")
    assert_equal(weights(workers, lazy_data(), tmp_path / "lazy"), expected)


SCRIPT = """
import sys
sys.path[:0] = {folders!r}
from pathlib import Path
import test_lazy_data as test

test.weights(int(sys.argv[2]), test.lazy_data(test.decode_slowly), Path(sys.argv[1]))
"""


@pytest.mark.parametrize(("killed", "resumed"), [(0, 0), (1, 3), (3, 1)])
def test_a_run_killed_in_an_epoch_resumes_with_any_number_of_workers(
    tmp_path: Path, killed: int, resumed: int
) -> None:
    script = SCRIPT.format(folders=[str(Path(__file__).parent)])
    command = [sys.executable, "-c", script, str(tmp_path / "run"), str(killed)]
    process = subprocess.Popen(command, start_new_session=True)
    while not (tmp_path / "run" / "last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)  # an epoch takes 0.8 s
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run" / "model.safetensors").exists()
    expected = weights(0, IN_MEMORY, tmp_path / "whole")
    assert_equal(weights(resumed, lazy_data(), tmp_path / "run"), expected)


class KilledError(Exception):
    """Stands for a kill: raised while a batch is read."""


class KillingSource(DecodedSource):
    """Ends the run at a batch; `reads` are the indices of the batches that were read."""

    limit = 10**9
    reads: list[list[int]]

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        if len(self.reads) >= self.limit:
            raise KilledError
        self.reads.append(indices.tolist())
        return super().read(indices)


def killing_data(limit: int) -> tuple[Dataset, KillingSource]:
    source = KillingSource(range(40), decode, (3, 2, 8, 8), max_value=1)
    object.__setattr__(source, "limit", limit)
    object.__setattr__(source, "reads", [])
    part = FrameSet(source, LABELS)
    return Dataset("lazy", part, PART, 3, "digest", {}), source


@pytest.mark.parametrize(
    ("limit", "settings"),  # of 5 batches an epoch, the last two epochs quantized
    [(3, {}), (8, {"accumulate_grad_batches": 2}), (13, {}), (18, {"qat_epochs": 4})],
)
def test_a_run_goes_on_with_the_batch_after_its_checkpoint(
    tmp_path: Path, limit: int, settings: dict[str, float]
) -> None:
    data, _ = killing_data(limit)
    with pytest.raises(KilledError):
        weights(0, data, tmp_path / "run", checkpoint_minutes=0, **settings)
    expected = weights(0, IN_MEMORY, tmp_path / "whole", **settings)
    data, source = killing_data(10**9)
    assert_equal(weights(0, data, tmp_path / "run", **settings), expected)
    repeated = len(source.reads) + limit - 20  # one batch is read ahead
    assert repeated <= 1 + settings.get("accumulate_grad_batches", 1)
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("run", "whole")]
    assert histories[0] == histories[1]


def test_the_time_of_a_resumed_epoch_begins_with_the_process(tmp_path: Path) -> None:
    data, _ = killing_data(3)
    with pytest.raises(KilledError):
        weights(0, data, tmp_path / "run", checkpoint_minutes=0)
    reported: list[tuple[int, float]] = []
    start = time.perf_counter()
    train_recipe(
        recipe(0, checkpoint_minutes=0), lazy_data(), tmp_path / "run", resume=True,
        on_epoch=lambda epoch, _, __, seconds: reported.append((epoch, seconds)),
    )  # fmt: skip
    elapsed = time.perf_counter() - start
    assert [epoch for epoch, _ in reported] == [1, 2, 3, 4]
    assert sum(seconds for _, seconds in reported) <= elapsed


@pytest.mark.parametrize(("killed", "resumed"), [(0, 3), (1, 0), (3, 1)])
def test_a_run_killed_between_checkpoints_in_an_epoch_resumes(
    tmp_path: Path, killed: int, resumed: int
) -> None:
    script = SCRIPT.format(folders=[str(Path(__file__).parent)])
    script = script.replace("Path(sys.argv[1]))", "Path(sys.argv[1]), checkpoint_minutes=0)")
    command = [sys.executable, "-c", script, str(tmp_path / "run"), str(killed)]
    process = subprocess.Popen(command, start_new_session=True)
    while not (tmp_path / "run" / "last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    progress = state["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
    assert state["epoch"] == 0 and 0 < progress["ready"] < 5
    expected = weights(0, IN_MEMORY, tmp_path / "whole")
    assert_equal(weights(resumed, lazy_data(), tmp_path / "run"), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_sample_that_cannot_be_read_ends_training_with_its_name(
    tmp_path: Path, workers: int
) -> None:
    with pytest.raises(DataError, match=r"^17.png: cannot be read$"):
        train_recipe(recipe(workers), lazy_data(damaged), tmp_path)
