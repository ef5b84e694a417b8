"""Network inputs: test samples of a dataset, events from a file, or random events."""

import math
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from ...runtime.encoders.inputs import encode
from ...runtime.errors import DataError, PumiceWarning
from ...runtime.events import validate_inputs
from ...runtime.input_file import open_input
from ...runtime.network import Network
from ...runtime.population import Population
from .dataset import Dataset, FrameSet, as_labels
from .reading import default_workers
from .recordings import NPZ_ERRORS

WAVE_SUFFIX = ".wav"
RATES = (0.02, 0.5)  # fraction of pixels with an event, in the first and the last random sample
PathLike = str | os.PathLike[str]
Part = Literal["train", "test", "validation"]


class TakesInputs(Protocol):
    """A network, integer or float, by what decides its inputs."""

    @property
    def inputs(self) -> tuple[Population, ...]:
        """Input populations."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Recipe and dataset that the network was trained with, as plain values."""


@dataclass(frozen=True)
class Inputs:
    """Events of each input population, with labels.

    `events`: uint8 (timesteps, samples, *shape) by population. `labels`: int64 (samples,), targets
    of a regression float32 (samples, outputs), or None where they are not known. `name`: source of
    the samples. `raw`: what they were encoded from, see `runtime.encoders.inputs.EncodedInputs`, if
    it is at hand.
    """

    events: dict[str, NDArray[np.uint8]]
    labels: NDArray[Any] | None
    name: str
    raw: NDArray[Any] | None = None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(next(iter(self.events.values())).shape[1])

    def slice(self, start: int | None, stop: int | None, timesteps: int | None = None) -> "Inputs":
        """Samples from `start` to `stop` (exclusive), and the first `timesteps` of each."""
        return Inputs(
            {name: array[:timesteps, start:stop] for name, array in self.events.items()},
            None if self.labels is None else self.labels[start:stop],
            self.name,
            None if self.raw is None else self.raw[:timesteps, start:stop],
        )


@dataclass(frozen=True)
class LazyInputs:
    """Samples of a dataset as inputs of a network, read a batch at a time.

    `frames`: the samples. `network`: the network that takes them. `name`: name of the dataset.
    `timesteps`: number of timesteps to keep, the first ones; None for all.
    """

    network: TakesInputs
    frames: FrameSet
    name: str
    timesteps: int | None = None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.frames)

    @property
    def labels(self) -> NDArray[Any]:
        """Labels of the samples."""
        return self.frames.labels

    def iter_batches(self, batch_size: int) -> Iterator[dict[str, NDArray[np.uint8]]]:
        """Events of each batch of samples in order, by input population."""
        workers = default_workers(self.frames.source)
        for events, labels in self.frames.batches(batch_size, workers):
            part = FrameSet(events[: self.timesteps], labels)
            yield to_inputs(self.network, part, self.name).events


@overload
def read_inputs(
    network: TakesInputs,
    data: str | None = None,
    folder: PathLike | None = None,
    events: PathLike | None = None,
    samples: int | None = None,
    timesteps: int | None = None,
    part: Part = "test",
    lazy: Literal[False] = False,
) -> Inputs: ...
@overload
def read_inputs(
    network: TakesInputs,
    data: str | None = None,
    folder: PathLike | None = None,
    events: PathLike | None = None,
    samples: int | None = None,
    timesteps: int | None = None,
    part: Part = "test",
    *,
    lazy: Literal[True],
) -> Inputs | LazyInputs: ...
def read_inputs(
    network: TakesInputs,
    data: str | None = None,
    folder: PathLike | None = None,
    events: PathLike | None = None,
    samples: int | None = None,
    timesteps: int | None = None,
    part: Part = "test",
    lazy: bool = False,
) -> Inputs | LazyInputs:
    """Read the inputs of a network from a dataset or from a file of events.

    Args:
        network: The network that takes them.
        data: Name of a dataset; without `data` and `events`, the dataset that the network was
            trained on, by its provenance.
        folder: Folder of the dataset's files, if other than in the provenance.
        events: File of events (see `file_inputs`), or a `.wav` file (see `wave_inputs`).
        samples: Number of samples to keep, the first ones.
        timesteps: Number of timesteps to keep, the first ones.
        part: Part of the dataset.
        lazy: Read samples of a dataset a batch at a time, when they are asked for.

    Raises:
        DataError: Both or neither are given, files cannot be read, or inputs do not fit the
            network.
    """
    if data and events:
        raise DataError("--data and --events: needs one of them")
    if events:
        if Path(events).suffix.lower() == WAVE_SUFFIX:
            return wave_inputs(network, events, timesteps)
        inputs = file_inputs(network, events).slice(None, samples, timesteps)
        if timesteps is None:
            steps = len(next(iter(inputs.events.values())))
            _compare_with_training(network, {"timesteps": steps}, inputs.name)
        return inputs
    if lazy:
        chosen, name = dataset_part(network, data, folder, part, samples)
        return LazyInputs(network, chosen, name, timesteps)
    return dataset_inputs(network, data, folder, part, samples).slice(None, None, timesteps)


def dataset_inputs(
    network: TakesInputs,
    name: str | None = None,
    folder: PathLike | None = None,
    part: Part = "test",
    count: int | None = None,
) -> Inputs:
    """Samples of a part of a dataset, with the frame options of the network's training data.

    Only the first `count` are read; None reads all. Raises `DataError` where there are none, files
    are damaged or the network takes other shapes.
    """
    return to_inputs(network, *dataset_part(network, name, folder, part, count))


def dataset_part(
    network: TakesInputs,
    name: str | None = None,
    folder: PathLike | None = None,
    part: Part = "test",
    count: int | None = None,
) -> tuple[FrameSet, str]:
    """Samples of a part of a dataset, unread, and its name; arguments as `dataset_inputs`."""
    data = load_named_dataset(network, name, folder)
    _compare_with_training(
        network, {"classes": data.classes, "timesteps": data.timesteps}, data.name
    )
    samples: FrameSet | None = getattr(data, part)
    if samples is None:
        raise DataError(f"{data.name}: has no {part} part; use train or test")
    return samples if count is None else samples[:count], data.name


def _compare_with_training(network: TakesInputs, facts: Mapping[str, int], name: str) -> None:
    """Warn where samples differ from those that the network was trained on, by its provenance."""
    trained = network.provenance.get("data")
    if not isinstance(trained, Mapping):
        return
    for key, value in facts.items():
        expected = trained.get(key)
        if isinstance(expected, int) and value != expected:
            warnings.warn(
                f"{name} has {value} {key}, but the network was trained on {expected}; its "
                "accuracy here may mean nothing",
                PumiceWarning,
                stacklevel=3,
            )


def load_named_dataset(
    network: TakesInputs, name: str | None = None, folder: PathLike | None = None
) -> Dataset:
    """Load dataset `name`, or the one that the network was trained on, with its frame options."""
    from . import load

    recipe = network.provenance.get("recipe")
    options: dict[str, Any] = dict(recipe["data"]) if isinstance(recipe, Mapping) else {}
    if not (name or options):
        raise DataError("the network has no provenance of its dataset; name one with --data")
    if name and name != options.get("name"):
        options = {"name": name}
    if folder:
        options["folder"] = folder
    try:
        return load(**options)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{options['name']}: {error}") from error


def to_inputs(network: TakesInputs, samples: FrameSet, name: str) -> Inputs:
    """Samples in the shape that the network takes; raises `DataError` where it takes others."""
    population = network.inputs[0]
    if len(network.inputs) > 1 or math.prod(samples.sample_shape) != population.neurons:
        shapes = ", ".join(f"{p.name} {p.shape}" for p in network.inputs)
        raise DataError(f"{name}: frames are {samples.sample_shape}, the network takes {shapes}")
    events = samples.events
    shaped = np.ascontiguousarray(events.reshape(*events.shape[:2], *population.shape))
    return Inputs(validate_inputs(network.inputs, shaped), samples.labels, name)


def file_inputs(network: TakesInputs, path: PathLike) -> Inputs:
    """Read events from an `.npz` file.

    The file has one array per input population, integers (timesteps, samples, *shape), under the
    population's name, or `events` where there is one input; and `labels`, integers (samples,),
    where the classes are known. Raises `DataError` where it cannot be read or holds other arrays.
    """
    path = Path(path)
    try:
        with open_input(path) as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (AttributeError, *NPZ_ERRORS) as error:
        raise DataError(
            f"{path}: is not a complete .npz file{_describe_content(path, error)}; write it with "
            "numpy.savez(FILE, events=..., labels=...)"
        ) from error
    labels = arrays.pop("labels", None)
    if set(arrays) == {"events"} and len(network.inputs) == 1:
        arrays = {network.inputs[0].name: arrays["events"]}
    events = validate_inputs(network.inputs, arrays)
    samples = next(iter(events.values())).shape[1]
    if labels is not None:
        regression = labels.dtype.kind == "f" and labels.ndim == 2 and len(labels) == samples
        if not regression and (labels.shape != (samples,) or labels.dtype.kind not in "iu"):
            raise DataError(
                f"{path}: labels are {labels.dtype} {labels.shape}, needs {samples} integers "
                "(of a regression numbers, (samples, outputs))"
            )
        labels = as_labels(labels if regression else labels.astype(np.int64), f"{path}: labels")
    return Inputs(events, labels, path.name)


def wave_inputs(network: TakesInputs, path: PathLike, timesteps: int | None = None) -> Inputs:
    """Encode a `.wav` file by the encoders of a network; raises `DataError` where it has none."""
    if not isinstance(network, Network) or not network.encoders:
        raise DataError(
            f"{path}: is a waveform, but the network has no encoder; needs one that was trained on "
            "audio"
        )
    encoded = encode(network, path, timesteps)
    return Inputs(dict(encoded.events), None, Path(path).name, encoded.raw)


def _describe_content(path: Path, error: Exception) -> str:
    """Content of a file that is no `.npz` file, or why it cannot be read, in parentheses."""
    with path.open("rb") as file:
        magic = file.read(6)
    if magic == b"\x93NUMPY":
        return " (but one array, .npy)"
    if not magic.startswith(b"PK"):
        return ""
    return f" ({error})"


def random_inputs(network: TakesInputs, samples: int, timesteps: int) -> Inputs:
    """Random events, the same each time: sparse in the first sample, dense in the last.

    Values are those that an input can hold, of both signs where it is signed.
    """
    generator = np.random.default_rng(0)
    rates = np.geomspace(*RATES, samples)

    def sample(population: Population) -> NDArray[Any]:
        shape = (timesteps, samples, *population.shape)
        active = generator.random(shape) < rates.reshape(1, -1, *(1 for _ in population.shape))
        values = generator.integers(1, population.max_value + 1, shape)
        if population.signed:
            values *= generator.choice((-1, 1), shape)
        return (active * values).astype(population.value_type)

    return Inputs({p.name: sample(p) for p in network.inputs}, None, "random events")
