"""Official splits of video datasets: the files of each part, and their classes."""

import re
from collections.abc import Sequence
from pathlib import Path

from ...runtime.errors import DataError
from .video_options import Part, VideoOptions

SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".mpg", ".webm")
HMDB51 = {"train": "1", "test": "2"}  # codes in the official lists; 0 is neither
KTH_PEOPLE = {  # C. Schuldt et al., "Recognizing human actions: a local SVM approach", 2004
    "train": (11, 12, 13, 14, 15, 16, 17, 18),
    "validation": (1, 4, 19, 20, 21, 23, 24, 25),
    "test": (2, 3, 5, 6, 7, 8, 9, 10, 22),
}
KTH_SEQUENCES = "00sequences.txt"
UCF11_TEST = tuple(range(20, 26))  # of 25 groups, each with the clips of one scene

VideoList = list[tuple[Path, str]]
Sequences = dict[str, list[tuple[int, int]]]


def list_videos(
    options: VideoOptions, part: Part, folders: Sequence[Path] = (), hold_out: bool = True
) -> VideoList:
    """List the video files of a part with the names of their classes, in order.

    There is one folder per class, as in all these datasets; a "folder" has no parts. Every tenth
    training video is for validation where a dataset has no part for it, unless `hold_out` is false.
    Raises `DataError` where no folder is given, it has no videos, or a required list is missing.
    """
    roots = list(folders) or ([options.folder] if options.folder else [])
    if not roots:
        raise DataError(f"{options.name}: no folder given; name it with --set data.folder=PATH")
    videos: VideoList = []
    for root in roots:
        files = (file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES)
        videos += [(file, file.relative_to(root).parts[0]) for file in sorted(files)]
    if not videos:
        raise DataError(f"{options.name}: {roots[0]}: no videos in folders of one class each")
    if options.name not in SELECTORS:
        return videos
    selected = SELECTORS[options.name](videos, options, part)
    if hold_out and part != "test" and options.name != "kth":
        selected = [
            video for k, video in enumerate(selected) if (k % 10 == 9) == (part == "validation")
        ]
    if not selected:
        raise DataError(f"{options.name}: no videos of the part {part} in {roots[0]}")
    return selected


def _ucf101(videos: VideoList, options: VideoOptions, part: Part) -> VideoList:
    """`trainlist01.txt` has `Class/name.avi 1`, `testlist01.txt` the names alone."""
    name = "test" if part == "test" else "train"
    text = _read_list(options, f"{name}list{options.split:02}.txt")
    names = {line.split()[0].rsplit("/", 1)[-1] for line in text.splitlines() if line.strip()}
    return [video for video in videos if video[0].name in names]


def _hmdb51(videos: VideoList, options: VideoOptions, part: Part) -> VideoList:
    """`wave_test_split1.txt` has `name.avi 1` (train), 2 (test) or 0 (neither)."""
    code = HMDB51["test" if part == "test" else "train"]
    names: dict[str, set[str]] = {}
    for label in {label for _, label in videos}:
        text = _read_list(options, f"{label}_test_split{options.split}.txt")
        lines = (line.rsplit(maxsplit=1) for line in text.splitlines() if line.strip())
        names[label] = {line[0] for line in lines if line[-1] == code}
    return [video for video in videos if video[0].name in names[video[1]]]


def _kth(videos: VideoList, options: VideoOptions, part: Part) -> VideoList:
    people = {f"person{number:02}" for number in KTH_PEOPLE[part]}
    return [video for video in videos if video[0].name.split("_")[0] in people]


def _ucf11(videos: VideoList, options: VideoOptions, part: Part) -> VideoList:
    """Names are v_CLASS_GROUP_CLIP; there is no official split, so groups are held out."""

    def group(file: Path) -> int:
        numbers = re.findall(r"_(\d+)_\d+$", file.stem)
        return int(numbers[0]) if numbers else 0

    return [video for video in videos if (group(video[0]) in UCF11_TEST) == (part == "test")]


def _minikinetics(videos: VideoList, options: VideoOptions, part: Part) -> VideoList:
    """Folders `train` and `val`, each with one folder per class."""
    folder = "val" if part == "test" else "train"
    inside = [(file, file.parent.name) for file, top in videos if top == folder]
    if not inside:
        raise DataError(f"minikinetics: no videos in {folder}/CLASS/")
    return inside


def list_sequences(options: VideoOptions) -> Sequences | None:
    """Sub-sequences of the videos of KTH by `00sequences.txt`; None where the folder has no such.

    Frames of each sub-sequence, first and last, counted from 0, by the name of the video. A line of
    the file is `person01_boxing_d1  frames  1-95, 96-185`, counted from 1. Raises `DataError` where
    a line has other numbers or a video is named twice.
    """
    if options.name != "kth" or _find_list(options, KTH_SEQUENCES) is None:
        return None
    sequences: Sequences = {}
    for line in _read_list(options, KTH_SEQUENCES).splitlines():
        video, _, numbers = line.partition("frames")
        if not re.fullmatch(r"person\d+_\w+_d\d+", video.strip()):
            continue  # a heading, or a video that was never published: "*missing*"
        pairs = re.fullmatch(r"(\s*\d+\s*-\s*\d+\s*,?)+\s*", numbers) and re.findall(
            r"(\d+)\s*-\s*(\d+)", numbers
        )
        ranges = [(int(first) - 1, int(last) - 1) for first, last in pairs or ()]
        if not ranges or min(first for first, _ in ranges) < 0 or any(a >= b for a, b in ranges):
            raise DataError(
                f"{KTH_SEQUENCES}: {line.strip()!r} names no frames, such as 1-95, 96-185"
            )
        if video.strip() in sequences:
            raise DataError(f"{KTH_SEQUENCES}: names {video.strip()} twice")
        sequences[video.strip()] = ranges
    return sequences


def sequences_of(file: Path, sequences: Sequences) -> list[tuple[int, int]]:
    """Sub-sequences of a video file; raises `DataError` where it has none."""
    name = "_".join(file.stem.split("_")[:3])  # without "_uncomp"
    if name not in sequences:
        raise DataError(f"{file}: {KTH_SEQUENCES} has no frames of {name}; add a line or remove it")
    return sequences[name]


def _read_list(options: VideoOptions, name: str) -> str:
    file = _find_list(options, name)
    if file is not None:
        return file.read_text(encoding="utf-8", errors="replace")
    roots = [each for each in (options.splits, options.folder) if each is not None]
    raise DataError(
        f"{options.name}: {name} is not in {', '.join(map(str, roots)) or 'no folder'}; "
        "name the folder of the official lists with --set data.splits=PATH"
    )


def _find_list(options: VideoOptions, name: str) -> Path | None:
    roots = [each for each in (options.splits, options.folder) if each is not None]
    texts = (file for root in roots for file in sorted(root.rglob("*.txt")))
    return next((file for file in texts if file.name == name), None)


SELECTORS = {
    "ucf101": _ucf101, "hmdb51": _hmdb51, "kth": _kth, "ucf11": _ucf11,
    "minikinetics": _minikinetics,
}  # fmt: skip
