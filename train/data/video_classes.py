"""Datasets `ucf101`, `hmdb51`, `ucf11`, `kth` and `minikinetics`: videos and their classes.

Splits are the published ones, see `video_lists`; of datasets with several, `split.fold` chooses,
from 0. Where a paper has validation samples (KTH) they are the validation part; else all samples
for training are. Where the folder of KTH has `00sequences.txt`, each sub-sequence that it names is
a sample, as published: no video is in two parts, since parts differ in their persons.
"""

from collections.abc import Mapping

import numpy as np

from ...runtime.errors import DataError
from .dataset import Dataset
from .file_frames import FileList
from .file_tree import FileTree
from .folder import load_tree
from .options import DataOptions
from .video_lists import Sequences, VideoList, list_sequences, list_videos, sequences_of
from .video_options import Part, VideoOptions, VideoSet

SOURCES: dict[VideoSet, str] = {
    "ucf101": "UCF101, K. Soomro, A. R. Zamir and M. Shah, arXiv 1212.0402, 2012",
    "hmdb51": "HMDB51, H. Kuehne et al., ICCV 2011; CC BY 4.0",
    "ucf11": "UCF11 (YouTube Action), J. Liu, J. Luo and M. Shah, CVPR 2009; groups 20 to 25 test",
    "kth": "KTH, C. Schuldt, I. Laptev and B. Caputo, ICPR 2004",
    "minikinetics": "Mini-Kinetics-200, S. Xie et al., ECCV 2018",
}
SPLITS = {"ucf101": 3, "hmdb51": 3}  # published splits, where there are several


def load_video_classes(options: DataOptions) -> Dataset:
    """Load a video dataset from `options.folder`, with its lists below it where it has lists.

    A sample is `timesteps` images, evenly spaced over the video, or over a sub-sequence. Raises
    `DataError` where files or lists are missing, or a video cannot be decoded.
    """
    name = next(each for each in SOURCES if each == options.name)
    fold = options.split.fold if options.split else 0
    if fold >= SPLITS.get(name, 1):
        raise DataError(
            f"{name}: split.fold is {fold}, but there are {SPLITS.get(name, 1)} published splits, "
            "counted from 0"
        )
    videos = VideoOptions(name=name, folder=options.folder, split=fold + 1)
    parts: tuple[Part, ...] = ("train", "test", *(("validation",) if name == "kth" else ()))
    lists = {part: list_videos(videos, part, hold_out=False) for part in parts}
    sequences = list_sequences(videos)
    tree = _as_tree(options, lists, sequences)
    how = f"split {fold + 1} as published" if name in SPLITS else "as published"
    if name == "kth":
        how += f", {len(tree.labels)} {'videos' if sequences is None else 'sub-sequences'}"
    return load_tree(name, tree, "videos", options, SOURCES[name], how)


def _as_tree(
    options: DataOptions, lists: Mapping[Part, VideoList], sequences: Sequences | None
) -> FileTree:
    """Files of all parts, or their sub-sequences.

    Raises `DataError` where the parts differ in their classes, or a file has no sub-sequences.
    """
    assert options.folder is not None
    classes = sorted({label for _, label in lists["train"]})
    unknown = sorted({label for part in lists.values() for _, label in part} - {*classes})
    if unknown:
        raise DataError(f"{options.name}: no training videos of class {unknown[0]}")
    ranges = None
    if sequences is not None:
        found = [sequences_of(file, sequences) for part in lists.values() for file, _ in part]
        ranges = np.array([pair for each in found for pair in each], np.int64)
        lists = {
            part: [video for video in videos for _ in sequences_of(video[0], sequences)]
            for part, videos in lists.items()
        }
    every = [video for part in lists.values() for video in part]
    ends = np.cumsum([len(part) for part in lists.values()])
    return FileTree(
        FileList(options.folder, [file for file, _ in every]),
        np.array([classes.index(label) for _, label in every], np.int64),
        tuple(classes),
        dict(zip(lists, np.split(np.arange(len(every)), ends[:-1]), strict=True)),
        ranges,
    )
