import numpy as np
import pytest

from pumice.train.data.clips import (
    ClipOptions,
    frame_indices,
    sample_clip_starts,
    uniform_clip_starts,
)

CLIPS = ClipOptions(timesteps=4, stride=2, gap=3)  # a span of 7 images


def drawn(length: int) -> set[tuple[int, int]]:
    generator = np.random.default_rng(0)
    return {sample_clip_starts(length, CLIPS, generator) for _ in range(400)}


@pytest.mark.parametrize("length", [14, 15, 20, 40])
def test_a_later_clip_starts_after_the_first_has_ended(length: int) -> None:
    starts = drawn(length)
    assert all(first + 7 <= later <= length - 7 for first, later in starts)
    assert all(later <= first + 7 + 3 for first, later in starts)
    assert {first for first, _ in starts} == set(range(length - 13))
    most = min(3, length - 14)
    assert {later - first - 7 for first, later in starts} == set(range(most + 1))


def test_a_video_too_short_for_two_gives_its_last_clip_for_the_later_one() -> None:
    assert drawn(13) == {(first, 6) for first in range(7)}
    assert drawn(7) == {(0, 0)}


def test_a_video_shorter_than_a_clip_repeats_its_last_image() -> None:
    assert drawn(3) == {(0, 0)}
    assert frame_indices(0, CLIPS, 3).tolist() == [0, 2, 2, 2]


def test_a_clip_takes_every_so_many_images() -> None:
    assert CLIPS.span == 7
    assert frame_indices(5, CLIPS, 12).tolist() == [5, 7, 9, 11]


def test_test_clips_are_spread_evenly() -> None:
    assert uniform_clip_starts(17, CLIPS, 3).tolist() == [0, 5, 10]
    assert uniform_clip_starts(17, CLIPS, 1).tolist() == [5]
    assert uniform_clip_starts(3, CLIPS, 2).tolist() == [0, 0]
