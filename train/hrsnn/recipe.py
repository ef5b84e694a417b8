"""Recipe of an HRSNN: data, network, learning, read-out and search, in one TOML file."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .. import data as sets
from ..data.options import DataOptions
from .options import HrsnnOptions
from .readout import ReadoutKind
from .search_options import SearchOptions
from .video import VideoSpikeOptions, load_video_dataset


class ReadoutOptions(BaseModel):
    """Read-out: `kind` of classifier, on spike counts in `bins` time bins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ReadoutKind = "ridge"
    bins: int = Field(default=4, ge=1)


class HrsnnRecipe(BaseModel):
    """Data, network, read-out and search.

    - `data` or `video`: samples, a dataset of event frames or video files; one of the two tables.
    - `hrsnn`, `readout`, `search`: network and learning, read-out, search.
    - `validation`: training samples per class held out for the search, which uses no test samples.
    - `device`: "cpu", or a torch device such as "cuda", that simulates the network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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


def load_samples(recipe: HrsnnRecipe, folder: Path | None = None) -> sets.Dataset:
    """Load the samples of a recipe, from `folder` if any; raises `DataError`."""
    if recipe.video is not None:
        return load_video_dataset(recipe.video, folder)
    options = (recipe.data or DataOptions()).model_dump()
    return sets.load(**{**options, "folder": folder or options["folder"]})
