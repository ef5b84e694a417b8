"""Datasets `shd` and `ssc`: spoken digits and commands as spikes of a cochlea model, from HDF5.

B. Cramer, Y. Stradmann, J. Schemmel and F. Zenke, "The Heidelberg spiking data sets for the
systematic evaluation of spiking neural networks", IEEE TNNLS 33:2744, 2022; CC BY 4.0. The files
hold, for each sample, the times in seconds and the units of its spikes, and its label. The parts
are those of the files: SSC has a validation part.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from ...runtime.extras import import_extra
from .dataset import Dataset, FrameSet, compute_digest
from .file_frames import FileList
from .frame_cache import CacheOptions, cached_frames
from .options import DataOptions
from .sources import DecodedSource

UNITS = 700  # channels of the cochlea model
WINDOW = 1_400_000  # microseconds: the longest recordings take 1.37 s
PARTS = {"train": "train", "test": "test", "valid": "validation"}
CLASSES = {"shd": 20, "ssc": 35}


@dataclass
class SpikeFrames:
    """Decoder of the samples of an HDF5 file to frames; each process opens the file itself."""

    path: Path
    timesteps: int
    window: int
    pool: int
    binary: bool
    file: Any = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "file": None}

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Frames of a sample, uint8 (timesteps, 1, 1, units); raises `DataError`."""
        if self.file is None:
            self.file = _open(self.path)
        try:
            times = np.asarray(self.file["spikes/times"][index], np.float64)
            units = np.asarray(self.file["spikes/units"][index], np.int64)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise DataError(f"{self.path}: sample {index} cannot be read ({error})") from error
        if times.shape != units.shape or not ((units >= 0) & (units < UNITS)).all():
            raise DataError(f"{self.path}: sample {index} has units outside 0..{UNITS - 1}")
        steps = np.floor(times * 1e6 * self.timesteps / self.window).astype(np.int64)
        inside = (steps >= 0) & (steps < self.timesteps)
        counts = np.zeros((self.timesteps, UNITS // self.pool), np.int64)
        np.add.at(counts, (steps[inside], units[inside] // self.pool), 1)
        frames = counts.clip(max=1 if self.binary else 255).astype(np.uint8)
        return frames[:, None, None]


def load_heidelberg(options: DataOptions) -> Dataset:
    """Load SHD or SSC from `options.folder`, which holds `NAME_train.h5` and `NAME_test.h5`.

    Frames are (1, 1, 700 / pool). Spikes after `options.window` (default 1.4 s) are left out.

    Raises:
        DataError: A file is missing or damaged, or `pool` does not divide the units.
        MissingPackage: h5py is not installed.
    """
    name, folder = options.name, options.folder
    if folder is None:
        raise DataError(f"{name}: no folder given; needs {name}_train.h5 and {name}_test.h5")
    if UNITS % options.pool:
        raise DataError(f"{name}: pool = {options.pool} does not divide {UNITS} units")
    sets = {}
    for suffix, part in PARTS.items():
        file = folder / f"{name}_{suffix}.h5"
        if suffix != "valid" or file.is_file():
            sets[part] = _load_part(file, options)
    provenance = {
        "source": f"{name.upper()}, Cramer et al., IEEE TNNLS 33:2744, 2022",
        "license": "CC BY 4.0",
        "split": "as published",
        "options": options.model_dump(mode="json", exclude={"folder"}, exclude_none=True),
    }
    digest = compute_digest(sets["train"], sets["test"], options)
    return Dataset(
        name, sets["train"], sets["test"], CLASSES[name], digest, provenance, sets.get("validation")
    )


def _load_part(path: Path, options: DataOptions) -> FrameSet:
    opened = _open(path)
    try:
        with opened:
            labels = np.asarray(opened["labels"], np.int64)
            lengths = {len(opened[key]) for key in ("spikes/times", "spikes/units", "labels")}
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{path}: holds no spikes/times, spikes/units and labels") from error
    if len(lengths) > 1 or not len(labels):
        raise DataError(f"{path}: has {sorted(lengths)} times, units and labels; needs as many")
    window, binary = options.window or WINDOW, options.values == "binary"
    decode = SpikeFrames(path, options.timesteps, window, options.pool, binary)
    shape = (options.timesteps, 1, 1, UNITS // options.pool)
    source = DecodedSource(range(len(labels)), decode, shape, max_value=1 if binary else 255)
    key = {
        "files": FileList(path.parent, [path]).signature(), "timesteps": options.timesteps,
        "window": window, "pool": options.pool, "binary": binary,
    }  # fmt: skip
    cache = CacheOptions(options.cache, options.unreadable or 0.0)
    cached = cached_frames(options.name, key, source, cache)
    return FrameSet(cached.source, labels[cached.kept])


def _open(path: Path) -> Any:
    """Open an HDF5 file; raises `DataError` and `MissingPackage`."""
    h5py = import_extra("h5py", "convert", "shd, ssc")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: cannot be read as HDF5 ({error})") from error
