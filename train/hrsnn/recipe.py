"""Recipe of an HRSNN: data, network, learning, read-out and search, in one TOML file."""

from pathlib import Path

from pydantic import Field, model_validator

from ...runtime.config import Options
from .. import data as sets
from ..data.options import DataOptions
from .options import HrsnnOptions
from .readout import ReadoutKind
from .search_options import SearchOptions
from .video import VideoSpikeOptions, load_video_dataset


class ReadoutOptions(Options):
    """Read-out of spike counts.

    - `kind`: classifier.
    - `bins`: number of time bins in which spikes are counted.
    - `start`: fraction of the timesteps that are not read, the first ones; 0.5 asks for what the
      network remembers of the first half.
    """

    kind: ReadoutKind = "ridge"
    bins: int = Field(default=4, ge=1)
    start: float = Field(default=0.0, ge=0, lt=1)


class HrsnnRecipe(Options):
    """Data, network, read-out and search.

    - `data`: samples from a dataset of event frames; this table or `video`.
    - `video`: samples from video files; this table or `data`.
    - `hrsnn`: network and learning.
    - `readout`: read-out.
    - `search`: search of parameters.
    - `validation`: training samples per class held out for the search, which uses no test samples.
    - `device`: "cpu", or a torch device such as "cuda", that simulates the network.
    """

    data: DataOptions | None = None
    video: VideoSpikeOptions | None = None
    hrsnn: HrsnnOptions = HrsnnOptions()
    readout: ReadoutOptions = ReadoutOptions()
    search: SearchOptions = SearchOptions()
    validation: int = Field(default=20, ge=1)
    device: str = "cpu"

    @model_validator(mode="after")
    def _check_one_source(self) -> "HrsnnRecipe":
        if (self.data is None) == (self.video is None):
            raise ValueError("needs samples: one of the tables [data] and [video]")
        return self


def remember_folder(recipe: HrsnnRecipe, folder: Path | None) -> HrsnnRecipe:
    """Set the folder of the recipe's samples, if it is given."""
    name = "data" if recipe.video is None else "video"
    options = getattr(recipe, name)
    if folder is None or options is None:
        return recipe
    return recipe.model_copy(update={name: options.model_copy(update={"folder": folder})})


def load_samples(recipe: HrsnnRecipe, folder: Path | None = None) -> sets.Dataset:
    """Load the samples of a recipe, from `folder` if any; raises `DataError`."""
    if recipe.video is not None:
        return load_video_dataset(recipe.video, folder)
    options = (recipe.data or DataOptions()).model_dump()
    return sets.load(**{**options, "folder": folder or options["folder"]})
