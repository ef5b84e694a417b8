"""Weights and checkpoints that were altered, cut or made by others are refused in one line."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load

from pumice.runtime.errors import FileError
from pumice.train.data.dataset import Dataset, FrameSet
from pumice.train.engine.callbacks import AtomicCheckpointIO
from pumice.train.engine.checkpoint import read_trained_model, write_trained_model
from pumice.train.engine.fit import train_recipe
from pumice.train.engine.run_folder import MODEL_FILE, RESUME_FILE
from pumice.train.engine.sealing import seal_checkpoint, unseal_checkpoint
from pumice.train.recipes.recipe import Recipe

SHORT: dict[str, Any] = {
    "data": {"name": "made", "timesteps": 3},
    "network": {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]},
    "training": {"epochs": 1, "qat_epochs": 0, "batch_size": 8},
}
Checkpoint = dict[str, Any]


def make_data() -> Dataset:
    random = np.random.default_rng(0)
    frames = FrameSet((random.random((3, 24, 2, 8, 8)) < 0.3).astype(np.uint8), np.arange(24) % 3)
    return Dataset("made", frames, frames, 3, "digest", {})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("sealed") / "run"
    train_recipe(Recipe.model_validate(SHORT), make_data(), folder)
    return folder


def mutate(content: bytes, count: int) -> list[bytes]:
    """Copies with one to twenty bytes replaced by others, cut, or grown."""
    random = np.random.default_rng(1)
    copies = []
    for _ in range(count):
        copy = bytearray(content)
        for place in random.integers(len(copy), size=random.choice([1, 3, 20])):
            copy[place] ^= random.integers(1, 256)
        copies.append(bytes(copy))
    cuts = [content[: random.integers(len(content))] for _ in range(count // 4)]
    return [*copies, *cuts, content + b"\0"]


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(FileError) as caught:
        call()
    message = str(caught.value)
    assert message and "\n" not in message
    return message


def test_altered_weights_are_refused(run: Path, tmp_path: Path) -> None:
    file = tmp_path / MODEL_FILE
    for content in mutate((run / MODEL_FILE).read_bytes(), 200):
        file.write_bytes(content)
        assert refusal(lambda: read_trained_model(file)).startswith(f"{file}: ")


def test_an_altered_checkpoint_is_refused(run: Path, tmp_path: Path) -> None:
    file = tmp_path / RESUME_FILE
    for content in mutate((run / RESUME_FILE).read_bytes(), 200):
        file.write_bytes(content)
        message = refusal(lambda: AtomicCheckpointIO().load_checkpoint(file))
        assert message.startswith(f"{file}: ") and "delete it to train from the start" in message


def test_torch_reads_a_sealed_checkpoint(run: Path) -> None:
    checkpoint = torch.load(run / RESUME_FILE, weights_only=True)
    assert checkpoint["epoch"] == 0 and checkpoint["state_dict"]


def test_weights_without_a_checksum_are_refused(run: Path, tmp_path: Path) -> None:
    content = (run / MODEL_FILE).read_bytes()
    start = content.index(b'"pumice":"') + len(b'"pumice":"')
    header = content[8:start] + content[start + 65 : 8 + int.from_bytes(content[:8], "little")]
    header += b" " * (-len(header) % 8)
    size = 8 + int.from_bytes(content[:8], "little")
    old = len(header).to_bytes(8, "little") + header + content[size:]
    assert load(old).keys() == load(content).keys()  # as an earlier version wrote it
    (tmp_path / MODEL_FILE).write_bytes(old)
    message = refusal(lambda: read_trained_model(tmp_path))
    assert "has no checksum" in message and "train again" in message


def test_weights_that_are_not_finite_are_refused(run: Path, tmp_path: Path) -> None:
    trained = read_trained_model(run)
    next(trained.network.parameters()).data.view(-1)[3] = torch.nan
    write_trained_model(tmp_path / MODEL_FILE, trained)
    message = refusal(lambda: read_trained_model(tmp_path))
    assert "weight holds NaN or infinite weights" in message


def drop(key: str) -> Callable[[Checkpoint], object]:
    return lambda checkpoint: checkpoint.pop(key)


def replace(key: str, value: Any) -> Callable[[Checkpoint], object]:
    return lambda checkpoint: checkpoint.update({key: value})


def spoil_weights(checkpoint: Checkpoint) -> None:
    next(iter(checkpoint["state_dict"].values())).view(-1)[0] = torch.nan


def spoil_moments(checkpoint: Checkpoint) -> None:
    checkpoint["optimizer_states"][0]["state"][0]["exp_avg"].view(-1)[0] = torch.inf


def reshape_weights(checkpoint: Checkpoint) -> None:
    name = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][name] = torch.zeros(3)


DAMAGES: dict[str, Callable[[Checkpoint], object]] = {
    "no weights": drop("state_dict"),
    "no optimizer": drop("optimizer_states"),
    "no loops": drop("loops"),
    "no version": drop("pytorch-lightning_version"),
    "weights of another shape": reshape_weights,
    "weights of other names": replace("state_dict", {"a": torch.zeros(3)}),
    "weights that are a list": replace("state_dict", [1, 2]),
    "weights that are NaN": spoil_weights,
    "moments that are infinite": spoil_moments,
    "optimizers of another number": replace("optimizer_states", [{}, {}]),
    "an optimizer that is empty": replace("optimizer_states", [{}]),
    "loops of other names": replace("loops", {"fit_loop": {"a": 1}}),
    "loops that are a number": replace("loops", 3),
    "callbacks that are text": replace("callbacks", {"HistoryLogger": "x"}),
    "schedules that are text": replace("lr_schedulers", ["x"]),
    "an epoch that is text": replace("epoch", "x"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_of_another_content_is_refused_or_trained_on(
    damage: str, run: Path, tmp_path: Path
) -> None:
    """With a right checksum: one line, or the weights of an undamaged run."""
    checkpoint = torch.load(run / RESUME_FILE, weights_only=True)
    DAMAGES[damage](checkpoint)
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    (tmp_path / "recipe.json").write_bytes((run / "recipe.json").read_bytes())
    (tmp_path / RESUME_FILE).write_bytes(seal_checkpoint(buffer.getvalue()))
    recipe = Recipe.model_validate(SHORT)
    try:
        train_recipe(recipe, make_data(), tmp_path, resume=True)
    except FileError as error:
        assert str(tmp_path / RESUME_FILE) in str(error) and "\n" not in str(error)
        assert "delete it to train from the start" in str(error)
    else:
        assert damage == "no version"
        assert (tmp_path / MODEL_FILE).read_bytes() == (run / MODEL_FILE).read_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\0" * 99, b"PK\x03\x04" * 99, b"\x80\x04." * 9, b"{}"]
)
def test_a_checkpoint_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    for sealed in (content, seal_checkpoint(content)):
        (tmp_path / RESUME_FILE).write_bytes(sealed)
        refusal(lambda: AtomicCheckpointIO().load_checkpoint(tmp_path / RESUME_FILE))


def test_objects_in_a_checkpoint_are_not_unpickled(tmp_path: Path) -> None:
    import pickle

    class Exploit:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "executed",))

    for content in (pickle.dumps(Exploit()), _torch_bytes(Exploit())):
        (tmp_path / RESUME_FILE).write_bytes(seal_checkpoint(content))
        refusal(lambda: AtomicCheckpointIO().load_checkpoint(tmp_path / RESUME_FILE))
    assert not (tmp_path / "executed").exists()


def _torch_bytes(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def test_a_seal_is_taken_off_again() -> None:
    assert unseal_checkpoint(seal_checkpoint(b"content")) == b"content"
