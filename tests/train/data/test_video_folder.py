"""Video files: recorded ones where at hand, write_video ones, write_broken_video ones."""

from pathlib import Path

import av
import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data.clips import ClipOptions, frame_indices
from pumice.train.data.video_file import decode_video
from pumice.train.data.video_folder import open_video_folder
from pumice.train.data.video_options import VideoOptions
from pumice.train.data.video_sources import EventVideos, load_videos

SMALL = VideoOptions(name="folder", height=16, width=24, grayscale=True)


def write_video(path: Path, images: int, rate: int = 25) -> Path:
    """Write a small video that brightens from frame to frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 9, (images, 32, 48, 3), np.uint8)
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for k in range(images):
            image = np.full((32, 48, 3), 20 + 8 * k, np.uint8) + noise[k]
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k, label in enumerate(("run", "run", "wave [2]")):
        write_video(tmp_path / label / f"a %03d (HQ)!! {k}.avi", 10 + k, rate=(25, 12, 30)[k])
    return tmp_path


def test_a_video_is_decoded_frame_by_frame(folder: Path) -> None:
    images = decode_video(folder / "run" / "a %03d (HQ)!! 0.avi", SMALL)
    assert images.shape == (10, 1, 16, 24) and images.dtype == np.uint8
    means = images.mean(axis=(1, 2, 3))
    assert (np.diff(means) > 3).all()
    color = SMALL.model_copy(update={"grayscale": False})
    assert decode_video(folder / "run" / "a %03d (HQ)!! 1.avi", color).shape == (11, 3, 16, 24)


def test_each_folder_is_a_class(folder: Path) -> None:
    videos = open_video_folder(SMALL, [folder])
    assert videos.classes == ("run", "wave [2]") and videos.labels["class"].tolist() == [0, 0, 1]
    assert videos.lengths.tolist() == [10, 11, 12] and videos.skipped == ()
    clip = videos.clip(2, frame_indices(3, ClipOptions(timesteps=4, stride=2), 12))
    assert np.array_equal(clip, decode_video(videos.files[2], SMALL)[3:10:2])


def write_broken_video(folder: Path, defect: str) -> str:
    file = write_video(
        folder / "run" / "write_broken_video.avi", 1 if defect == "one image" else 30
    )
    if defect == "empty":
        file.write_bytes(b"")
    elif defect == "not a video":
        file.write_bytes(b"nothing of the kind" * 50)
    elif defect == "cut in its head":
        file.write_bytes(file.read_bytes()[:200])
    return file.name


@pytest.mark.parametrize("defect", ["empty", "not a video", "one image", "cut in its head"])
def test_an_unusable_video_is_named_and_counted(folder: Path, defect: str) -> None:
    name = write_broken_video(folder, defect)
    with pytest.raises(DataError, match=f"1 of 4 videos cannot be used, .* {name}") as caught:
        open_video_folder(SMALL, [folder])
    assert "\n" not in str(caught.value)
    videos = open_video_folder(SMALL.model_copy(update={"unreadable": 0.3}), [folder])
    assert len(videos.files) == 3 and videos.skipped[0].startswith(name)


def test_a_truncated_video_keeps_the_frames_before(folder: Path) -> None:
    file = write_video(folder / "run" / "long.avi", 28)
    complete, raw = decode_video(file, SMALL), file.read_bytes()
    file.write_bytes(raw[: len(raw) * 9 // 10])
    cut = decode_video(file, SMALL)
    assert 2 <= len(cut) < len(complete) and np.array_equal(cut[:-1], complete[: len(cut) - 1])


def test_decoded_videos_are_cached(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = SMALL.model_copy(update={"cache": True})
    videos = open_video_folder(options, [folder])
    assert len(list((tmp_path / "cache" / "pumice").iterdir())) == 3
    assert videos.clip(0, np.arange(3)).shape == (3, 1, 16, 24)


def test_a_brightening_video_gives_on_events(folder: Path) -> None:
    events = EventVideos(open_video_folder(SMALL, [folder]))
    assert events.shape == (2, 16, 24) and events.lengths.tolist() == [9, 10, 11]
    clip = events.clip(2, np.array([0, 2, 4, 6, 8, 10]))
    assert clip.shape == (6, 2, 16, 24) and set(np.unique(clip)) == {0, 1}
    assert clip[:, 1].sum() > 300 and not clip[:, 0].any()


def write_lists(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")


def test_the_official_split_of_hmdb51(tmp_path: Path) -> None:
    for k in range(3):
        write_video(tmp_path / "wave" / f"w[{k}].avi", 3)
    write_lists(tmp_path, wave_test_split2="w[0].avi 1 \nw[1].avi 2 \nw[2].avi 0 \n")
    options = SMALL.model_copy(update={"name": "hmdb51", "folder": tmp_path, "split": 2})
    for part, name in (("train", "w[0].avi"), ("test", "w[1].avi")):
        (file,) = open_video_folder(options, part=part).files  # type: ignore[arg-type]
        assert file.name == name
    with pytest.raises(DataError, match="wave_test_split1.txt is not in"):
        open_video_folder(options.model_copy(update={"split": 1}))


def test_the_official_split_of_ucf101(tmp_path: Path) -> None:
    for k in range(2):
        write_video(tmp_path / "Archery" / f"v_{k}.avi", 3)
    write_lists(tmp_path, trainlist01="Archery/v_0.avi 1\n", testlist01="Archery/v_1.avi\n")
    options = SMALL.model_copy(update={"name": "ucf101", "folder": tmp_path})
    for part, name in (("train", "v_0.avi"), ("test", "v_1.avi")):
        source = load_videos(options, part)  # type: ignore[arg-type]
        assert [file.name for file in source.files] == [name]  # type: ignore[attr-defined]


def test_kth_is_split_by_person(tmp_path: Path) -> None:
    for person in (1, 2, 11):
        write_video(tmp_path / "boxing" / f"person{person:02}_boxing_d1.avi", 3)
    options = SMALL.model_copy(update={"name": "kth", "folder": tmp_path})
    for part, number in (("train", "11"), ("validation", "01"), ("test", "02")):
        (file,) = open_video_folder(options, part=part).files  # type: ignore[arg-type]
        assert file.name.startswith(f"person{number}")


def test_a_missing_folder_option_is_rejected() -> None:
    with pytest.raises(DataError, match="no folder given; name it with --set data.folder=PATH"):
        load_videos(SMALL, "train")


@pytest.mark.parametrize("name", ["hmdb51", "kth"])
def test_every_recorded_clip_decodes(shared_data: Path, name: str) -> None:
    videos = open_video_folder(SMALL, [shared_data / name])
    assert videos.skipped == () and len(videos.files) == {"hmdb51": 9, "kth": 3}[name]
    assert videos.lengths.min() > 40
    assert all(videos.clip(k, np.array([0, 40])).std() > 5 for k in range(len(videos.files)))
