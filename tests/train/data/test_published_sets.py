"""Published sets in the layouts that they are published in, written here in small."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from media import write_video, write_wave

from pumice.runtime.errors import DataError
from pumice.train.data import Dataset, Events, load, write_events

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_words(folder: Path) -> None:
    for label, word in enumerate(("bed", "cat")):
        for k in range(4):
            tone = np.sin(2 * np.pi * (400 + 900 * label) * np.arange(8000) / 16_000)
            write_wave(folder / word / f"speaker{k}_nohash_0.wav", 0.3 * tone, 16_000)
    write_wave(folder / "_background_noise_" / "pink_noise.wav", RANDOM.uniform(-1, 1, 16_000))
    (folder / "validation_list.txt").write_text("bed/speaker2_nohash_0.wav\n")
    (folder / "testing_list.txt").write_text(
        "bed/speaker3_nohash_0.wav\ncat/speaker3_nohash_0.wav\n"
    )


def test_speech_commands_are_split_by_their_lists(tmp_path: Path) -> None:
    write_words(tmp_path / "words")
    data = load("speech-commands", tmp_path / "words", timesteps=5, size=16)
    assert data.classes == 2 and data.input_shape == (1, 16, 20)
    assert data.train.labels.tolist() == [0, 0, 1, 1, 1]
    assert data.test.labels.tolist() == [0, 1]
    assert data.validation is not None and data.validation.labels.tolist() == [0]
    assert data.provenance["class_names"] == ["bed", "cat"]
    assert data.provenance["encoder"][0]["kind"] == "log-mel"
    low, high = (np.argmax(data.test[k][0][2, 0, :, 10]) for k in range(2))
    assert low < high
    (tmp_path / "words" / "cat" / "speaker3_nohash_0.wav").unlink()
    with pytest.raises(DataError, match="cat/speaker3_nohash_0.wav of its lists is missing"):
        load("speech-commands", tmp_path / "words")
    (tmp_path / "words" / "testing_list.txt").unlink()
    with pytest.raises(DataError, match=r"testing_list.txt: cannot be read; needs a folder of wav"):
        load("speech-commands", tmp_path / "words")


def dat_file(file: Path, x: Iterable[int]) -> None:
    """Events of a column in row 1, one every millisecond, polarity ON, as Prophesee's .dat has."""
    columns = list(x)
    header = b"% Data file containing CD events.\n% Version 2\n% Width 120\n% Height 100\n\x0c\x08"
    events = np.zeros(len(columns), [("t", "<u4"), ("address", "<u4")])
    events["t"] = 1000 * np.arange(len(columns))
    events["address"] = [column | 1 << 14 | 1 << 28 for column in columns]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(header + events.tobytes())


def test_ncars_has_the_parts_of_its_folders(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(("background", "cars")):
            for k in range(count):
                place = tmp_path / "n-cars" / f"n-cars_{part}" / name
                dat_file(place / f"obj_{k:06}_td.dat", [10 + k, 60 + label, 119])
    data = load("ncars", tmp_path, timesteps=3)
    assert data.input_shape == (2, 100, 120) and data.classes == 2
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    events, label = data.test[3]
    assert label == 1
    assert np.argwhere(events).tolist() == [[0, 1, 1, 11], [1, 1, 1, 61], [2, 1, 1, 119]]
    (tmp_path / "n-cars" / "n-cars_test").rename(tmp_path / "gone")
    with pytest.raises(DataError, match="no .dat files in n-cars_test/background; needs n-cars_tr"):
        load("ncars", tmp_path)


def test_the_lists_of_slayer_name_recordings_of_nmnist(tmp_path: Path) -> None:
    for number in (1, 2, 3, 60001):
        pixel = Events([number % 34] * 2, [3, 4], [1, 0], [0, 9], 34, 34)  # type: ignore[arg-type]
        write_events(tmp_path / f"{number}.bs2", pixel)
    (tmp_path / "train1K.txt").write_text("#sample\tclass\n1\t5\n3\t0\n2\t9\n")
    (tmp_path / "test100.txt").write_text("#sample\tclass\n60001\t7\n")
    data = load("nmnist", tmp_path, timesteps=2)
    assert data.train.labels.tolist() == [5, 0, 9] and data.test.labels.tolist() == [7]
    assert [int(np.argwhere(data.train[k][0])[0, 3]) for k in range(3)] == [1, 3, 2]
    assert np.argwhere(data.test[0][0]).tolist() == [[0, 1, 3, 25], [1, 0, 4, 25]]
    assert data.provenance["split"] == "train1K.txt and test100.txt" and data.classes == 10
    (tmp_path / "test100.txt").write_text("60001\t10\n")
    with pytest.raises(DataError, match="test100.txt: has the class 10, needs 0 to 9"):
        load("nmnist", tmp_path, timesteps=2)
    (tmp_path / "test100.txt").write_text("60001 seven\n")
    with pytest.raises(DataError, match="test100.txt: needs lines of the number of a file and its"):
        load("nmnist", tmp_path, timesteps=2)


def clip(file: Path, level: int) -> None:
    rising = level + np.arange(6, dtype=np.uint8)
    write_video(file, np.broadcast_to(rising[:, None, None, None], (6, 16, 16, 3)))


def levels(data: Dataset) -> list[list[int]]:
    """Level of the first image of each training and each test video."""
    parts = (data.train, data.test)
    return [[int(part[k][0][0, 0, 0, 0]) for k in range(len(part))] for part in parts]


def load_videos(name: str, folder: Path, **options: object) -> Dataset:
    return load(name, folder, timesteps=2, size=8, values="gray", **options)


def test_ucf101_has_three_splits_by_its_lists(tmp_path: Path) -> None:
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    for label, action in enumerate(("Archery", "Biking")):
        for k in (1, 2, 3):
            clip(tmp_path / action / f"v_{action}_g0{k}_c01.mkv", 100 * label + 10 * k)
    names = [f"{a}/v_{a}_g0{k}_c01.mkv" for a in ("Archery", "Biking") for k in (1, 2, 3)]
    for split, test in ((1, "1"), (2, "2")):
        chosen = [name for name in names if f"_g0{test}_" in name]
        rest = [f"{name} {1 + ('Biking' in name)}" for name in names if name not in chosen]
        (lists / f"testlist0{split}.txt").write_text("\n".join(chosen) + "\n")
        (lists / f"trainlist0{split}.txt").write_text("\n".join(rest) + "\n")
    data = load_videos("ucf101", tmp_path)
    assert data.classes == 2 and data.input_shape == (1, 8, 8) and data.validation is None
    assert levels(data) == [[20, 30, 120, 130], [10, 110]]
    assert data.train.labels.tolist() == [0, 0, 1, 1]
    last, first = data.train[0][0][1], data.train[0][0][0]
    assert (last.astype(int) - first == 5).all()  # from the first image to the last
    second = load_videos("ucf101", tmp_path, split={"fold": 1})
    assert levels(second) == [[10, 30, 110, 130], [20, 120]]
    assert second.digest != data.digest and second.provenance["split"] == "split 2 as published"
    with pytest.raises(DataError, match=r"trainlist03.txt is not in|testlist03.txt is not in"):
        load_videos("ucf101", tmp_path, split={"fold": 2})
    with pytest.raises(DataError, match="split.fold is 3, but there are 3 published splits"):
        load_videos("ucf101", tmp_path, split={"fold": 3})


def test_hmdb51_leaves_out_what_its_lists_leave_out(tmp_path: Path) -> None:
    for label, action in enumerate(("run", "wave")):
        lines = []
        for k, code in enumerate((1, 2, 0, 1)):
            name = f"clip{k}_{action}_f_cm_np1_fr_med_0.mkv"
            clip(tmp_path / action / name, 100 * label + 10 * k)
            lines.append(f"{name} {code} \n")
        (tmp_path / f"{action}_test_split1.txt").write_text("".join(lines))
    data = load_videos("hmdb51", tmp_path)
    assert levels(data) == [[0, 30, 100, 130], [10, 110]]


def test_kth_is_split_by_person_with_a_validation_part(tmp_path: Path) -> None:
    for label, action in enumerate(("boxing", "walking")):
        for k, person in enumerate((11, 22, 25)):
            clip(tmp_path / action / f"person{person}_{action}_d1_uncomp.mkv", 100 * label + 10 * k)
    data = load_videos("kth", tmp_path)
    assert levels(data) == [[0, 100], [10, 110]]
    assert data.validation is not None and int(data.validation[1][0][0, 0, 0, 0]) == 120


SEQUENCES = """Training: person11, 12
person11_boxing_d1\t\tframes\t1-2, 4-6
person11_boxing_d2\t\t*missing*
person22_boxing_d1\t\tframes\t2-4
person25_boxing_d1\t\tframes\t1-3, 4-5
person11_walking_d1\tframes\t3-5
person22_walking_d1\tframes\t1-3,  5-9
person25_walking_d1\tframes\t2-6
"""


def write_kth(folder: Path) -> None:
    for label, action in enumerate(("boxing", "walking")):
        for k, person in enumerate((11, 22, 25)):
            clip(folder / action / f"person{person}_{action}_d1_uncomp.mkv", 100 * label + 10 * k)
    (folder / "00sequences.txt").write_text(SEQUENCES)


def test_each_sub_sequence_of_kth_is_a_sample(tmp_path: Path) -> None:
    write_kth(tmp_path)
    data = load_videos("kth", tmp_path)
    assert levels(data) == [[0, 3, 102], [11, 110, 114]]  # levels rise by one a frame
    assert data.train.labels.tolist() == [0, 0, 1] and data.test.labels.tolist() == [0, 1, 1]
    lasts = [int(data.train[k][0][1, 0, 0, 0]) for k in range(3)]
    lasts += [int(data.test[k][0][1, 0, 0, 0]) for k in range(3)]
    assert lasts == [1, 5, 104, 13, 112, 115]  # the file of the last one ends before frame 9
    validation = data.validation
    assert validation is not None
    assert [int(validation[k][0][0, 0, 0, 0]) for k in range(3)] == [20, 23, 121]
    assert data.provenance["split"] == "as published, 9 sub-sequences"
    (tmp_path / "00sequences.txt").write_text(SEQUENCES.replace("1-2, 4-6", "1-2, 4-5"))
    changed = load_videos("kth", tmp_path)
    assert changed.digest != data.digest and int(changed.train[1][0][1, 0, 0, 0]) == 4
    (tmp_path / "00sequences.txt").unlink()
    assert load_videos("kth", tmp_path).provenance["split"] == "as published, 6 videos"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "",
            "person11_walking_d1_uncomp.mkv: 00sequences.txt has no frames of person11_walking_d1",
        ),
        ("person11_walking_d1 frames 5-3", "'person11_walking_d1 frames 5-3' names no frames"),
        ("person11_walking_d1 frames 0-3", "names no frames, such as 1-95, 96-185"),
        ("person11_walking_d1 frames", "names no frames"),
        ("person11_walking_d1 frames 1-3 or so", "names no frames"),
        ("person11_boxing_d1 frames 1-3", "names person11_boxing_d1 twice"),
        ("person11_walking_d1 frames 6-9", "has 6 frames, needs two from 6 on"),
    ],
)
def test_sub_sequences_that_do_not_fit_are_an_error(
    tmp_path: Path, line: str, message: str
) -> None:
    write_kth(tmp_path)
    lines = SEQUENCES.replace("person11_walking_d1\tframes\t3-5", line)
    (tmp_path / "00sequences.txt").write_text(lines)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        load_videos("kth", tmp_path, unreadable=0.0)
    assert "\n" not in str(caught.value)


def test_ucf11_holds_groups_out_and_minikinetics_has_folders(tmp_path: Path) -> None:
    for label, action in enumerate(("diving", "golf")):
        for group in (1, 20):
            place = tmp_path / "ucf11" / action / f"v_{action}_{group:02}"
            clip(place / f"v_{action}_{group:02}_01.mkv", 100 * label + group)
        for part, level in (("train", 5), ("val", 6)):
            clip(tmp_path / "mini" / part / action / "a_000001_000011.mkv", 100 * label + level)
    assert levels(load_videos("ucf11", tmp_path / "ucf11")) == [[1, 101], [20, 120]]
    data = load_videos("minikinetics", tmp_path / "mini")
    assert levels(data) == [[5, 105], [6, 106]]
    assert data.provenance["class_names"] == ["diving", "golf"]
