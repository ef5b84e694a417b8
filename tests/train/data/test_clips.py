import numpy as np
import pytest

from pumice.train.data.clips import (
    ClipOptions,
    frame_indices,
    sample_clip_starts,
    uniform_clip_starts,
)

CLIPS = ClipOptions(timesteps=4, stride=2, gap=3)  # a span of 7 frames


def sample_starts(length: int) -> set[tuple[int, int]]:
    generator = np.random.default_rng(0)
    return {sample_clip_starts(length, CLIPS, generator) for _ in range(400)}


@pytest.mark.parametrize("length", [14, 15, 20, 40])
def test_a_later_clip_starts_after_the_first_has_ended(length: int) -> None:
    starts = sample_starts(length)
    assert all(first + 7 <= later <= length - 7 for first, later in starts)
    assert all(later <= first + 7 + 3 for first, later in starts)
    assert {first for first, _ in starts} == set(range(length - 13))
    max_gap = min(3, length - 14)
    assert {later - first - 7 for first, later in starts} == set(range(max_gap + 1))


def test_in_a_video_too_short_for_two_clips_the_later_one_is_the_last() -> None:
    assert sample_starts(13) == {(first, 6) for first in range(7)}
    assert sample_starts(7) == {(0, 0)}


def test_a_video_shorter_than_a_clip_repeats_its_last_frame() -> None:
    assert sample_starts(3) == {(0, 0)}
    assert frame_indices(0, CLIPS, 3).tolist() == [0, 2, 2, 2]


def test_a_clip_takes_every_second_frame_at_stride_two() -> None:
    assert CLIPS.span == 7
    assert frame_indices(5, CLIPS, 12).tolist() == [5, 7, 9, 11]


def test_uniform_clips_are_evenly_spaced() -> None:
    assert uniform_clip_starts(17, CLIPS, 3).tolist() == [0, 5, 10]
    assert uniform_clip_starts(17, CLIPS, 1).tolist() == [5]
    assert uniform_clip_starts(3, CLIPS, 2).tolist() == [0, 0]
