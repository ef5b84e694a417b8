"""What a network is fed: the test samples of a data set, events from a file, or random ones."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..runtime import Network, Population
from ..runtime.errors import DataError
from ..runtime.events import validate_events

if TYPE_CHECKING:
    from ..train.data import Dataset, FrameSet

ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, NotImplementedError, KeyError)  # what zip files raise
RATES = (0.02, 0.5)  # the share of pixels with an event, of the first and the last random sample


@dataclass(frozen=True)
class Inputs:
    """Events by input population, uint8 (timesteps, samples, *shape), and what is known of them.

    `labels` int64 (samples,) where the classes are known; `name` says where the samples come from.
    """

    events: dict[str, NDArray[np.uint8]]
    labels: NDArray[np.int64] | None
    name: str

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return int(next(iter(self.events.values())).shape[1])

    def slice(self, start: int | None, stop: int | None, timesteps: int | None = None) -> "Inputs":
        """Return the samples from `start` to before `stop`, and of each the first `timesteps`."""
        return Inputs(
            {name: array[:timesteps, start:stop] for name, array in self.events.items()},
            None if self.labels is None else self.labels[start:stop],
            self.name,
        )


def read_inputs(
    network: Network,
    data: str | None,
    folder: Path | None,
    events: Path | None,
    samples: int | None = None,
    timesteps: int | None = None,
) -> Inputs:
    """Return what the options of a verb name, cut to `samples` and `timesteps`.

    Without `data` or `events` it is the data set that made the network, as its provenance says.
    Raises `DataError` where both or none are given, or they do not fit the network.
    """
    if data and events:
        raise DataError("--data and --events: needs one of them")
    if events:
        return file_inputs(network, events).slice(None, samples, timesteps)
    return dataset_inputs(network, data, folder).slice(None, samples, timesteps)


def dataset_inputs(network: Network, name: str | None, folder: Path | None = None) -> Inputs:
    """Return the test samples of data set `name`, framed as those that trained the network.

    Raises `DataError` where there are none, they are damaged or the network takes others.
    """
    loaded = load_named_dataset(network, name, folder)
    return to_inputs(network, loaded.test, loaded.name)


def load_named_dataset(network: Network, name: str | None, folder: Path | None = None) -> "Dataset":
    """Return the data set `name`, or the one that trained the network, framed as that was."""
    from ..train.data import load

    recipe = network.provenance.get("recipe")
    options: dict[str, Any] = dict(recipe["data"]) if isinstance(recipe, dict) else {}
    if not (name or options):
        raise DataError("the network does not say what made it: name a data set with --data")
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


def to_inputs(network: Network, samples: "FrameSet", name: str) -> Inputs:
    """Return `samples` as the network takes them; raises `DataError` where it takes others."""
    population, events = network.inputs[0], samples.events
    if len(network.inputs) > 1 or events[0, 0].size != population.neurons:
        shapes = ", ".join(f"{p.name} {p.shape}" for p in network.inputs)
        raise DataError(f"{name}: frames are {samples.sample_shape}, the network takes {shapes}")
    shaped = events.reshape(*events.shape[:2], *population.shape)
    given = validate_events(network, np.ascontiguousarray(shaped))
    return Inputs(given, samples.labels, name)


def file_inputs(network: Network, path: Path) -> Inputs:
    """Return events from an .npz file; raises `DataError` where it is not what it should be."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, TypeError, AttributeError, MemoryError, *ZIP_ERRORS) as error:
        raise DataError(f"{path}: is not a whole .npz file ({error})") from error
    labels = arrays.pop("labels", None)
    if set(arrays) == {"events"} and len(network.inputs) == 1:
        arrays = {network.inputs[0].name: arrays["events"]}
    given = validate_events(network, arrays)
    samples = next(iter(given.values())).shape[1]
    if labels is not None:
        if labels.shape != (samples,) or labels.dtype.kind not in "iu":
            raise DataError(
                f"{path}: labels are {labels.dtype} {labels.shape}, needs {samples} integers"
            )
        labels = labels.astype(np.int64)
    return Inputs(given, labels, path.name)


def random_inputs(network: Network, samples: int, timesteps: int) -> Inputs:
    """Return random events, the same each time: sparse in the first sample, dense in the last."""
    rng = np.random.default_rng(0)
    rates = np.geomspace(*RATES, samples)

    def drawn(population: Population) -> NDArray[np.uint8]:
        shape = (timesteps, samples, *population.shape)
        there = rng.random(shape) < rates.reshape(1, -1, *(1 for _ in population.shape))
        values = rng.integers(1, population.max_value + 1, shape)
        return (there * values).astype(np.uint8)

    return Inputs({p.name: drawn(p) for p in network.inputs}, None, "random events")
