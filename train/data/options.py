"""Options of a dataset: table `[data]` of a recipe."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ...runtime.config import Options
from .audio_options import AudioOptions
from .series_options import SeriesOptions
from .split_options import SplitOptions

Binning = Literal["time", "count"]
Values = Literal["binary", "counts", "gray"]
Format = Literal["images", "recordings", "videos", "audio", "series", "arrays"]
# Fields that are part of a dataset's digest only where they are set, and fields that never are.
LATER_FIELDS = {
    "encoding", "delta_threshold", "format", "sensor", "class_pattern", "split", "audio",
    "signed", "series",
}  # fmt: skip
NO_DIGEST_FIELDS = {"folder", "cache", "unreadable", "targets", "shards"}


class DataOptions(Options):
    r"""Choice of a dataset, and conversion of its events or images to frames.

    - `name`: name of the dataset.
    - `folder`: where its files are, for datasets that are not generated.
    - `timesteps`: frames per sample.
    - `binning`: frames are slices of equal "time" or of equal event "count".
    - `values`: value of a pixel, "binary" (1 where there was an event), "counts" (number of events,
      at most 255) or "gray" (video images of `digit-motions` instead of events, 0 to 255).
    - `pool`: downsampling factor; squares of `pool` x `pool` pixels become one.
    - `seed`: seed of generated recordings; the train/test split never depends on it.
    - `label`: label to learn, for datasets with labels of several kinds.
    - `size`: side in pixels that a dataset is rescaled to, where it can be; 0 keeps its own.
    - `window`: length in microseconds of the windows that recordings are cut into, where they are.
    - `value_bits`: most significant bits kept of an image's 8-bit values. Images are repeated over
      all timesteps. The bias that centers them is clipped where values are large, so 4 bits convert
      with less error than 8.
    - `encoding`: code of values as spikes, "rate" or "latency" of images, "delta" (send on change)
      of videos, spectra and time series; by default values enter as they are ("direct").
    - `delta_threshold`: change of a value that delta coding sends (default 16).
    - `labels`: whether labels may be used; with `false`, no label may be learned from.
    - `shards`: folder of the samples as `pumice shard` writes them; they are read instead of the
      files in `folder`.

    Of own data (`name = "folder"`):

    - `path`: another name of `folder`, which may also be a file of arrays.
    - `format`: kind of the files; by default that of their suffixes.
    - `sensor`: width and height of the recordings' sensor, pixels; by default as many as the events
      of all recordings reach.
    - `class_pattern`: regular expression whose first group is the class in the path of a file, as
      in "(\d)_"; by default the class is the file's folder.
    - `audio`: filter bank and augmented copies of audio, see `AudioOptions`.
    - `series`: augmented copies of time series, see `SeriesOptions`.
    - `split`: how samples are divided into training, test and validation, see `SplitOptions`.
    - `signed`: whether values of arrays may be negative; their positive and negative parts become
      channels of their own.
    - `targets`: file of the targets of a regression, CSV below the folder: the path of a sample's
      file and its numbers, a sample a line; a header is skipped.
    - `unreadable`: largest fraction of files that may be damaged (default 0); those are left out,
      counted and named.
    - `cache`: whether decoded samples are kept on disk; by default up to 16 GiB of them, where the
      disk has room.
    """

    name: str = "digits-events"
    folder: Path | None = None
    timesteps: int = Field(default=8, ge=1)
    binning: Binning = "time"
    values: Values = "binary"
    pool: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    label: Literal["digit", "look", "motion"] | None = None
    size: int = Field(default=0, ge=0)
    window: int = Field(default=0, ge=0)
    value_bits: int = Field(default=8, ge=1, le=8)
    encoding: Literal["direct", "rate", "latency", "delta"] | None = None
    delta_threshold: int | None = Field(default=None, ge=1, le=255)
    labels: bool = True
    shards: Path | None = None
    format: Format | None = None
    sensor: tuple[int, int] | None = None
    class_pattern: str | None = None
    audio: AudioOptions | None = None
    series: SeriesOptions | None = None
    split: SplitOptions | None = None
    signed: bool | None = None
    targets: Path | None = None
    unreadable: float | None = Field(default=None, ge=0, lt=1)
    cache: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _accept_path(cls, values: Any) -> Any:
        """`path` is another name of `folder`."""
        if isinstance(values, dict) and "path" in values and not values.get("folder"):
            values = {**values, "folder": values["path"]}
            del values["path"]
        return values

    @field_validator("values", mode="before")
    @classmethod
    def _spell_gray(cls, values: Any) -> Any:
        """Networks of format version 1 have the spelling "grey" in their provenance."""
        return "gray" if values == "grey" else values

    def digest_json(self, exclude_none: bool = False) -> str:
        """Fields that determine the samples, as JSON: what digests of datasets begin with.

        Fields that were added later are left out where they are not set, so that digests stay.
        """
        unset = {name for name in LATER_FIELDS if getattr(self, name) is None}
        return self.model_dump_json(exclude=NO_DIGEST_FIELDS | unset, exclude_none=exclude_none)
