from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data import load

rng = np.random.default_rng(0)


def random_rows(number: int, labels: int, classes: int) -> NDArray[np.uint8]:
    bytes_ = rng.integers(0, 256, (number, labels + 3072), dtype=np.uint8)
    bytes_[:, :labels] %= classes
    return bytes_


def test_the_binary_version_of_cifar10(tmp_path: Path) -> None:
    files = {f"data_batch_{k}.bin": random_rows(2, 1, 10) for k in range(1, 6)}
    files["test_batch.bin"] = random_rows(3, 1, 10)
    for name, content in files.items():
        content.tofile(tmp_path / name)
    data = load("cifar10", folder=tmp_path, timesteps=4)
    assert data.train.events.shape == (4, 10, 3, 32, 32) and len(data.test) == 3
    assert data.test.labels.tolist() == files["test_batch.bin"][:, 0].tolist()
    for step in range(4):
        images = data.test.events[step].reshape(3, -1)
        assert np.array_equal(images, files["test_batch.bin"][:, 1:])


def test_cifar100_has_its_fine_labels(tmp_path: Path) -> None:
    files = {name: random_rows(3, 2, 100) for name in ("train.bin", "test.bin")}
    for name, content in files.items():
        content.tofile(tmp_path / name)
    data = load("cifar100", folder=tmp_path, timesteps=2)
    assert data.train.labels.tolist() == files["train.bin"][:, 1].tolist()
    assert data.classes == 100


def test_images_are_in_memory_once_for_all_timesteps(shared_data: Path) -> None:
    folder = shared_data / "cifar10_6k"
    once, repeated = (load("cifar10", folder=folder, timesteps=t) for t in (1, 8))
    assert (
        repeated.train.events.shape == (8, 5000, 3, 32, 32)
        and repeated.train.events.strides[0] == 0
    )
    assert np.array_equal(repeated.test.events[7], once.test.events[0])
    assert not repeated.train.events.flags.writeable and once.digest != repeated.digest


def test_pooling_takes_the_mean_of_squares(tmp_path: Path) -> None:
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    pixels[0, :2, :2, 1] = [[10, 20], [30, 41]]
    label = np.zeros(1, np.uint8)
    np.savez(tmp_path / "c.npz", x_train=pixels, y_train=label, x_test=pixels, y_test=label)
    data = load("cifar10", folder=tmp_path, timesteps=1, pool=2)
    assert data.train.events[0, 0, :, 0, 0].tolist() == [0, 25, 0]
    coarse = load("cifar10", folder=tmp_path, timesteps=1, pool=2, value_bits=4)
    assert coarse.train.events[0, 0, :, 0, 0].tolist() == [0, 1, 0]
    with pytest.raises(DataError, match="pool is 3, but images are 32 x 32"):
        load("cifar10", folder=tmp_path, pool=3)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_errors_name_the_expected_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="0 .npz files; needs .* of the binary version"):
        load(name, folder=tmp_path)
    with pytest.raises(DataError, match="no folder"):
        load(name, folder=tmp_path / "absent")


def test_a_truncated_file_is_rejected_with_its_size(tmp_path: Path) -> None:
    for name in ("train.bin", "test.bin"):
        random_rows(2, 2, 100).tofile(tmp_path / name)
    (tmp_path / "test.bin").write_bytes(bytes(3000))
    with pytest.raises(DataError, match="test.bin: has 3000 bytes, needs a multiple of 3074"):
        load("cifar100", folder=tmp_path)


def write_image(file: Path, width: int, height: int, level: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), level, np.uint8), "rgb24")
    with av.open(str(file), "w", format="image2") as opened:
        stream = opened.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        opened.mux([*stream.encode(frame), *stream.encode()])


@pytest.fixture
def image_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    for part in ("train", "val"):
        for label, name in enumerate(("n01", "n02")):
            write_image(folder / part / name / "a.png", 40, 20, 100 * label + 50)
    return folder


def test_images_are_scaled_and_labeled_by_folder_name(image_folder: Path) -> None:
    data = load("images", folder=image_folder, timesteps=2, size=8)
    assert data.train.events.shape == (2, 2, 3, 8, 8)
    assert data.train.labels.tolist() == [0, 1]
    assert [int(np.median(image)) for image in data.train.events.swapaxes(0, 1)] == [50, 150]


def test_parts_with_other_classes_and_damaged_images_are_rejected(image_folder: Path) -> None:
    (image_folder / "val" / "n03").mkdir()
    with pytest.raises(DataError, match="val: its class folders are not those of"):
        load("images", folder=image_folder)
    (image_folder / "train" / "n03").mkdir()
    (image_folder / "train" / "n03" / "b.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="b.png: cannot be read as an image"):
        load("images", folder=image_folder)
    with pytest.raises(DataError, match="needs train/ and val/"):
        load("images", folder=image_folder / "train")
