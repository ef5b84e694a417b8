"""Which files of a video data set belong to a part, and their classes, by the official lists."""

import re
from collections.abc import Sequence
from pathlib import Path

from ...runtime.errors import DataError
from .video_options import Part, VideoOptions

SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".mpg", ".webm")
HMDB51 = {"train": "1", "test": "2"}  # what an official list says of a file; 0 is neither
KTH_PEOPLE = {  # C. Schuldt et al., "Recognizing human actions: a local SVM approach", 2004
    "train": (11, 12, 13, 14, 15, 16, 17, 18),
    "validation": (1, 4, 19, 20, 21, 23, 24, 25),
    "test": (2, 3, 5, 6, 7, 8, 9, 10, 22),
}
UCF11_TEST = tuple(range(20, 26))  # of the 25 groups that clips of one scene form

VideoList = list[tuple[Path, str]]


def list_videos(options: VideoOptions, part: Part, folders: Sequence[Path] = ()) -> VideoList:
    """Return the video files of a part and the name of each one's class, in order.

    A folder a class, as all these sets come; a "folder" has no parts. Raises `DataError` where no
    folder is given, it holds no videos, or a list that is needed is not there.
    """
    roots = list(folders) or ([options.folder] if options.folder else [])
    if not roots:
        raise DataError(f"{options.name}: no folder given; name it with --set data.folder=PATH")
    found: VideoList = []
    for root in roots:
        files = (file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES)
        found += [(file, file.relative_to(root).parts[0]) for file in sorted(files)]
    if not found:
        raise DataError(f"{options.name}: {roots[0]}: no videos in folders of a class each")
    choose = {"ucf101": _ucf101, "hmdb51": _hmdb51, "kth": _kth, "ucf11": _ucf11}
    if options.name == "minikinetics":
        return _minikinetics(found, part)
    if options.name not in choose:
        return found
    kept = choose[options.name](found, options, part)
    if not kept:
        raise DataError(f"{options.name}: no videos of the part {part} in {roots[0]}")
    return kept


def _ucf101(found: VideoList, options: VideoOptions, part: Part) -> VideoList:
    """`trainlist01.txt` has `Class/name.avi 1`, `testlist01.txt` the names alone."""
    which = "test" if part == "test" else "train"
    text = _read_list(options, f"{which}list{options.split:02}.txt")
    names = {line.split()[0].rsplit("/", 1)[-1] for line in text.splitlines() if line.strip()}
    return _split_validation([each for each in found if each[0].name in names], part)


def _hmdb51(found: VideoList, options: VideoOptions, part: Part) -> VideoList:
    """`wave_test_split1.txt` has `name.avi 1` (train), 2 (test) or 0 (neither)."""
    wanted = HMDB51["test" if part == "test" else "train"]
    names: dict[str, set[str]] = {}
    for kind in {kind for _, kind in found}:
        text = _read_list(options, f"{kind}_test_split{options.split}.txt")
        lines = (line.rsplit(maxsplit=1) for line in text.splitlines() if line.strip())
        names[kind] = {line[0] for line in lines if line[-1] == wanted}
    return _split_validation([each for each in found if each[0].name in names[each[1]]], part)


def _kth(found: VideoList, options: VideoOptions, part: Part) -> VideoList:
    people = {f"person{number:02}" for number in KTH_PEOPLE[part]}
    return [each for each in found if each[0].name.split("_")[0] in people]


def _ucf11(found: VideoList, options: VideoOptions, part: Part) -> VideoList:
    """Names are v_CLASS_GROUP_CLIP; no split is official, so groups are held out."""

    def group(file: Path) -> int:
        numbers = re.findall(r"_(\d+)_\d+$", file.stem)
        return int(numbers[0]) if numbers else 0

    chosen = [each for each in found if (group(each[0]) in UCF11_TEST) == (part == "test")]
    return _split_validation(chosen, part)


def _minikinetics(found: VideoList, part: Part) -> VideoList:
    """Folders `train` and `val`, with a folder a class in each."""
    folder = "val" if part == "test" else "train"
    inside = [(file, file.parent.name) for file, top in found if top == folder]
    if not inside:
        raise DataError(f"minikinetics: no videos in {folder}/CLASS/")
    return _split_validation(inside, part)


def _split_validation(chosen: VideoList, part: Part) -> VideoList:
    """Keep every tenth training video to validate with, where a set has no part for that."""
    if part == "test":
        return chosen
    return [each for k, each in enumerate(chosen) if (k % 10 == 9) == (part == "validation")]


def _read_list(options: VideoOptions, name: str) -> str:
    roots = [each for each in (options.splits, options.folder) if each is not None]
    for file in (file for root in roots for file in sorted(root.rglob("*.txt"))):
        if file.name == name:
            return file.read_text(encoding="utf-8", errors="replace")
    raise DataError(
        f"{options.name}: {name} is in none of {', '.join(map(str, roots)) or 'no folder'}; "
        "name the folder of the official lists with --set data.splits=PATH"
    )
