"""The recipe of a recurrent network that learns by STDP, in one TOML file."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .. import data as sets
from ..data.options import DataOptions
from .options import HrsnnOptions
from .readout import ReadoutKind
from .search import SearchOptions
from .video import VideoSpikeOptions, load_video_dataset

RECIPE_PACKAGE = "pumice.train.recipes.hrsnn"


class ReadoutOptions(BaseModel):
    """The read-out: what `kind` of classifier, on counts in `bins` spans of time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ReadoutKind = "ridge"
    bins: int = Field(default=4, ge=1)


class HrsnnRecipe(BaseModel):
    """Data, network, read-out, and where a search looks.

    Samples are a data set of frames, `data`, or videos from files, `video`: one of them is given.
    `validation` training samples of each class are held out for the search, which never sees test
    samples. `device` is where neurons and synapses stand: "cpu", or one of torch's, such as "cuda".
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
    """Return the samples that `recipe` names, from `folder` where given; raises `DataError`."""
    if recipe.video is not None:
        return load_video_dataset(recipe.video, folder)
    options = (recipe.data or DataOptions()).model_dump()
    return sets.load(**{**options, "folder": folder or options["folder"]})
