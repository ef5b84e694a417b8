import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data.videos import Videos

FRAMES = np.arange(2 * 6, dtype=np.uint8).reshape(2, 6, 1, 1, 1)
VIDEOS = Videos(FRAMES, {"digit": np.array([3, 1]), "motion": np.array([0, 7])})


def test_a_clip_has_the_requested_frames() -> None:
    assert VIDEOS.clip(1, np.array([1, 3, 5])).ravel().tolist() == [7, 9, 11]
    assert VIDEOS.lengths.tolist() == [6, 6]


@pytest.mark.parametrize("positions", [[-1, 2], [5, 6]])
def test_a_clip_beyond_the_video_is_rejected(positions: list[int]) -> None:
    with pytest.raises(DataError, match="video 0: has no frames .*, only 0 to 5"):
        VIDEOS.clip(0, np.array(positions))


def test_selected_videos_keep_their_labels() -> None:
    selected = VIDEOS.select(np.array([1]))
    assert np.array_equal(selected.frames, FRAMES[1:])
    assert {name: labels.tolist() for name, labels in selected.labels.items()} == {
        "digit": [1],
        "motion": [7],
    }


@pytest.mark.parametrize("labels", [np.array([1]), np.array([1, -1])])
def test_labels_must_be_one_per_video_and_not_negative(labels: np.ndarray) -> None:
    with pytest.raises(DataError, match="digit: labels of shape"):
        Videos(FRAMES, {"digit": labels})


def test_videos_need_frames() -> None:
    with pytest.raises(DataError, match="frames: shape"):
        Videos(FRAMES[:, :0], {})
