"""Read and train on images in ImageNet's layout: `python -m bench.data_throughput FOLDER`.

Generates JPEGs of 256 x 256 pixels in `FOLDER/imagenet` if they are not there: 60,000 in 100
classes, by default all different; with `--unique`, fewer that are linked under several names. Two
worker processes then read them at 224 pixels, without a cache, by pumice and by a plain torch
`DataLoader`, taking turns. The plain one decodes with Pillow, as torchvision's ImageFolder does, or
with pumice's decoder, which leaves the difference of the loaders alone. Printed are images per
second, the ratio of the medians, and the fraction of the time that the workers were busy.

`--train` trains one epoch by the command `pumice train`, and prints the peak of the resident memory
of each process.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from bench.results import Cell, Table, add_json_option, print_table, write_result
from pumice.train.data import from_folder
from pumice.train.data.readers.images import read_image
from pumice.train.engine.fit import FrameDataset
from pumice.train.engine.trainer import make_loader

SIDE, SIZE, CLASSES = 256, 224, 100  # of a file, as read, classes
BATCH, WORKERS = 64, 2
VALIDATION = 5  # images of a class
SAMPLE_SECONDS = 0.5  # between two readings of the memory
RECIPE = """
[data]
name = "images"
folder = "{folder}"
timesteps = 2
size = 224
pool = 4
value_bits = 4
cache = false

[network]
channels = [8, 16]
kernels = [3, 3]
strides = [2, 2]
hidden = [32]

[training]
epochs = 1
qat_epochs = 0
batch_size = 64
num_workers = {workers}
"""


def write_images(folder: Path, count: int, unique: int) -> None:
    """Write `count` training images and a few validation images, `unique` of them different."""
    rng = np.random.default_rng(0)
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.height = encoder.width = SIDE
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    encoder.options = {"q": "4"}
    textures = [_texture(rng) for _ in range(64)]
    total = count + VALIDATION * CLASSES
    first: list[Path] = []
    for k in range(total):
        part, label = ("train", k % CLASSES) if k < count else ("val", (k - count) % CLASSES)
        name = f"n{label:08}"
        file = folder / part / name / f"{name}_{k}.JPEG"
        file.parent.mkdir(parents=True, exist_ok=True)
        if k >= unique:
            os.link(first[k % unique], file)
            continue
        image = textures[rng.integers(64)] + np.roll(textures[rng.integers(64)], k, (0, 1))
        frame = av.VideoFrame.from_ndarray(image.clip(0, 255).astype(np.uint8), "rgb24")
        packets = encoder.encode(frame.reformat(format="yuvj420p"))
        file.write_bytes(b"".join(map(bytes, packets)))
        first.append(file)


def _texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise whose amplitude falls with the frequency, as in photographs, (side, side, 3)."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    spectrum = np.fft.rfft2(rng.normal(size=(SIDE, SIDE, 3)), axes=(0, 1))
    spectrum /= np.maximum(frequency, 1 / SIDE)[..., None]
    values = np.fft.irfft2(spectrum, (SIDE, SIDE), axes=(0, 1))
    return (64 + 32 * values / values.std()).astype(np.float32)


class PlainImages(Dataset[Any]):
    """Image files and class numbers, decoded one at a time: uint8 (3, size, size)."""

    def __init__(self, folder: Path, decode: Callable[[Path], NDArray[np.uint8]]) -> None:
        names = sorted(os.listdir(folder))
        self.files = [
            (str(file), k) for k, name in enumerate(names) for file in (folder / name).iterdir()
        ]
        self.decode = decode

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        file, label = self.files[index]
        return torch.from_numpy(self.decode(Path(file))), label


def decode_with_pillow(file: Path) -> NDArray[np.uint8]:
    """Scale the shorter side and crop the center, as ImageNet's usual evaluation does."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    scale = SIZE / min(image.size)
    width, height = (max(SIZE, round(n * scale)) for n in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - SIZE) // 2, (height - SIZE) // 2
    pixels = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def decode_with_pumice(file: Path) -> NDArray[np.uint8]:
    """Decode as pumice does."""
    return read_image(file, SIZE)


def time_batches(loader: DataLoader[Any], batches: int) -> tuple[float, float]:
    """Images per second of the first batches, and the fraction that the workers were busy."""
    before, start = _children_seconds(), time.perf_counter()
    seen = 0
    for number, (_, labels) in enumerate(_iter_batches(loader), 1):
        seen += len(labels)
        if number == batches:
            break
    seconds = time.perf_counter() - start
    return seen / seconds, (_children_seconds() - before) / (seconds * WORKERS)


def _iter_batches(loader: DataLoader[Any]) -> Iterator[Any]:
    iterator = iter(loader)
    yield from iterator
    del iterator  # ends its workers, whose time then counts


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def compare_loaders(folder: Path, rounds: int, batches: int) -> Table:
    """Time the loaders, taking turns, each on `batches` batches; tabulate the medians."""
    data = from_folder(folder, timesteps=1, size=SIZE, cache=False)
    generator = torch.Generator().manual_seed(0)
    subset = torch.randperm(len(data.train), generator=generator)[: batches * BATCH].tolist()
    samples = data.train[np.array(subset)]
    loaders: dict[str, DataLoader[Any]] = {
        "pumice": make_loader(FrameDataset(samples), BATCH, 0, WORKERS)
    }
    for name, decode in (("Pillow", decode_with_pillow), ("same decoder", decode_with_pumice)):
        plain = torch.utils.data.Subset(PlainImages(folder / "train", decode), subset)
        loaders[f"plain, {name}"] = DataLoader(plain, BATCH, True, num_workers=WORKERS)
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    for number in range(rounds):
        order = list(loaders)[number % 3 :] + list(loaders)[: number % 3]
        line = []
        for name in order:
            rate, busy = time_batches(loaders[name], batches)
            rates[name].append(rate)
            line.append(f"{name} {rate:.0f} ({100 * busy:.0f} % busy)")
        print(f"round {number + 1}: images/s {'; '.join(line)}", flush=True)
    rows: list[list[Cell]] = []
    for name, values in rates.items():
        each = [mine / theirs for mine, theirs in zip(rates["pumice"], values, strict=True)]
        ratio = f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"
        rows.append([name, f"{statistics.median(values):.0f}", ratio])
    return Table("", ("loader", "images/s", "pumice's rate in its turns, of this one"), rows)


def train(folder: Path, output: Path) -> None:
    """Train an epoch by the command; print images per second and the memory of each process."""
    recipe = output / "recipe.toml"
    recipe.write_text(RECIPE.format(folder=folder, workers=WORKERS))
    command = [sys.executable, "-m", "pumice", "train", str(recipe), "-o", str(output / "run")]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    peaks: dict[int, int] = {}
    ended = threading.Event()
    watcher = threading.Thread(target=_watch_memory, args=(process.pid, peaks, ended))
    watcher.start()
    code = process.wait()
    ended.set()
    watcher.join()
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"exit code {code}, {seconds:.0f} s, {usage.ru_utime + usage.ru_stime:.0f} s of CPU")
    for pid, peak in peaks.items():
        kind = "main process" if pid == process.pid else "worker"
        print(f"{kind}: {peak / 1024:.0f} MB of resident memory at most")


def _watch_memory(root: int, peaks: dict[int, int], ended: threading.Event) -> None:
    """Largest resident memory of a process and its children, kB, until `ended`."""
    while not ended.wait(SAMPLE_SECONDS):
        for pid in (root, *_children(root)):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                comm = Path(f"/proc/{pid}/comm").read_text()
            except OSError:
                continue
            fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            if "python" in comm or "pt_data" in comm or pid == root:
                peak = int(fields.get("VmHWM", "0 kB").split()[0])
                peaks[pid] = max(peaks.get(pid, 0), peak)


def _children(pid: int) -> list[int]:
    try:
        return [int(k) for k in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def main() -> None:
    """Generate the images, compare the loaders, and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--unique", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--train", action="store_true")
    add_json_option(parser)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve() / "imagenet"
    if not folder.exists():
        write_images(folder, arguments.images, arguments.unique or 10**9)
    if arguments.train:
        train(folder, arguments.folder.resolve())
        return
    table = compare_loaders(folder, arguments.rounds, arguments.batches)
    print_table(table)
    write_result(arguments.json, "data_throughput", [table])


if __name__ == "__main__":
    main()
