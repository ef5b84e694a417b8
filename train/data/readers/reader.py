"""Choice of the reader by the kind of the files."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import DataError
from ..file_frames import FileList, FileRanges, Reader
from ..options import DataOptions
from .audio import AUDIO_SUFFIXES, make_audio_reader
from .images import IMAGE_SUFFIXES, make_image_reader
from .recordings import RECORDING_SUFFIXES, make_recording_reader
from .series import SERIES_SUFFIXES, make_series_reader
from .video import VIDEO_SUFFIXES, make_video_reader

MakeReader = Callable[[FileList, NDArray[np.int64], DataOptions], Reader]
KINDS: dict[str, tuple[set[str], MakeReader]] = {
    "images": (IMAGE_SUFFIXES, make_image_reader),
    "recordings": (RECORDING_SUFFIXES, make_recording_reader),
    "videos": (VIDEO_SUFFIXES, make_video_reader),
    "audio": (AUDIO_SUFFIXES, make_audio_reader),
    "series": (SERIES_SUFFIXES, make_series_reader),
}
GUESSED = ("images", "recordings", "videos", "audio")  # by their suffixes


def make_reader(
    kind: str, files: FileList | FileRanges, training: NDArray[np.int64], options: DataOptions
) -> Reader:
    """Make the reader of `files` of a kind of `KINDS`; parts of files are parts of videos.

    `training` are the indices of the training files: what is fitted is fitted to them alone.
    Raises `DataError` where files cannot be read or do not fit the options.
    """
    if isinstance(files, FileRanges):
        return make_video_reader(files, training, options)
    return KINDS[kind][1](files, training, options)


def suffixes_of(kind: str | None) -> set[str]:
    """Suffixes of the files of a kind; of all kinds that are told by them, without one."""
    if kind is not None:
        return KINDS[kind][0]
    return set().union(*(KINDS[name][0] for name in GUESSED))


def guess_kind(files: FileList) -> str:
    """Kind of the files by their suffixes; raises `DataError` where they are of several."""
    suffixes = {name.rpartition(b".")[2].decode().lower() for name in files.names.tolist()}
    present = [
        kind for kind in GUESSED if any(f".{suffix}" in KINDS[kind][0] for suffix in suffixes)
    ]
    if len(present) > 1:
        raise DataError(f"{files.folder}: holds {' and '.join(present)}; needs files of one kind")
    return present[0]
