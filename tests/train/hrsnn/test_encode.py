"""Frame differences against hand-made clips."""

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.hrsnn.encode import area_resize, frame_differences


def test_a_brightening_pixel_is_on_and_a_darkening_one_off() -> None:
    clip = np.zeros((3, 4, 5))
    clip[1:, 1, 2], clip[0, 3, 4] = 100, 100
    spikes = frame_differences(clip, spike_fraction=0.1)
    assert np.argwhere(spikes).tolist() == [[0, 0, 3, 4], [0, 1, 1, 2]]


def test_the_requested_fraction_spikes() -> None:
    clip = np.random.default_rng(0).normal(size=(21, 16, 16))
    assert frame_differences(clip, spike_fraction=0.04).sum(axis=1).mean() == pytest.approx(
        0.04, abs=1e-3
    )


def test_a_still_clip_gives_no_spikes() -> None:
    assert not frame_differences(np.full((5, 4, 4), 7.0)).any()


def test_a_single_frame_is_rejected() -> None:
    with pytest.raises(DataError, match="2 frames or more"):
        frame_differences(np.zeros((1, 4, 4)))


def test_resizing_takes_means_over_areas() -> None:
    clip = np.arange(24.0).reshape(1, 4, 6)
    assert area_resize(clip, 2, 2)[0].tolist() == [[4.0, 7.0], [16.0, 19.0]]


def test_a_clip_smaller_than_requested_is_rejected() -> None:
    with pytest.raises(DataError, match="4 x 6 pixels, needs 8 x 8"):
        area_resize(np.zeros((1, 4, 6)), 8, 8)
