from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data.motion import Motion, render

IMAGE = np.random.default_rng(0).random((4, 4))


def pose(row: float = 0, column: float = 0, angle: float = 0, scale: float = 1) -> Motion:
    """One moment."""
    return Motion(*(np.array([value], float) for value in (row, column, angle, scale)))


def render_one(motion: Motion, size: int = 8) -> NDArray[np.float64]:
    (video,) = render(IMAGE, motion, size, size)
    return np.asarray(video)


def test_the_default_pose_is_centered() -> None:
    assert np.array_equal(render_one(pose()), np.pad(IMAGE, 2))


def test_integer_shifts_move_down_and_right() -> None:
    expected = np.pad(IMAGE, ((3, 1), (0, 4)))
    assert np.array_equal(render_one(pose(row=1, column=-2)), expected)


def test_half_a_pixel_down_is_the_mean_of_two_rows() -> None:
    upper, lower = np.pad(IMAGE, 2), np.pad(IMAGE, ((3, 1), (2, 2)))
    assert np.allclose(render_one(pose(row=0.5)), (upper + lower) / 2, rtol=0, atol=1e-15)


def test_a_positive_angle_rotates_counter_clockwise() -> None:
    rotated = render_one(pose(angle=np.pi / 2))
    assert np.allclose(rotated, np.pad(np.rot90(IMAGE), 2), rtol=0, atol=1e-12)


def test_rotation_is_about_the_center_of_the_image() -> None:
    rotated = render_one(pose(row=1, column=1, angle=np.pi))
    assert np.allclose(rotated, np.pad(np.rot90(IMAGE, 2), ((3, 1), (3, 1))), rtol=0, atol=1e-12)


def test_scale_is_the_number_of_sensor_pixels_per_image_pixel() -> None:
    # At scale 3 every third sensor pixel sees the middle of an image pixel.
    assert np.allclose(render_one(pose(scale=3), 12)[1::3, 1::3], IMAGE, rtol=0, atol=1e-12)


def test_each_moment_is_rendered_independently() -> None:
    rows = np.array([0.0, 0.3, 2.0])
    ones = np.ones(3)
    video = render(IMAGE, Motion(rows, 0 * ones, 0.1 * ones, ones), 9, 7)
    assert video.shape == (3, 7, 9)
    for moment, row in enumerate(rows):
        alone = render(IMAGE, pose(row=float(row), angle=0.1), 9, 7)
        assert np.array_equal(video[moment], alone[0])


def test_arrays_are_read_only_copies() -> None:
    row = np.zeros(1)
    motion = replace(pose(), row=row)
    row[0] = 5
    assert motion == pose() and len(motion) == 1 and not motion.row.flags.writeable


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"column": [0.0, 1.0]}, r"column: shape \(2,\), needs \(1,\)"),
        ({"angle": [np.nan]}, "angle: shape .* finite"),
        ({"row": [[0.0]]}, "row: shape"),
        ({"scale": [0.0]}, "scale: holds 0.0"),
    ],
)
def test_an_invalid_motion_is_rejected(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(pose(), **changes)  # type: ignore[arg-type]
