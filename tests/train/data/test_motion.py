from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data.motion import Motion, render

IMAGE = np.random.default_rng(0).random((4, 4))


def still(row: float = 0, column: float = 0, angle: float = 0, scale: float = 1) -> Motion:
    """One moment."""
    return Motion(*(np.array([value], float) for value in (row, column, angle, scale)))


def shown(motion: Motion, size: int = 8) -> NDArray[np.float64]:
    (seen,) = render(IMAGE, motion, size, size)
    return np.asarray(seen)


def test_an_image_at_rest_stands_in_the_middle() -> None:
    assert np.array_equal(shown(still()), np.pad(IMAGE, 2))


def test_a_move_by_whole_pixels_shifts_down_and_right() -> None:
    expected = np.pad(IMAGE, ((3, 1), (0, 4)))
    assert np.array_equal(shown(still(row=1, column=-2)), expected)


def test_half_a_pixel_down_is_the_mean_of_two_rows() -> None:
    upper, lower = np.pad(IMAGE, 2), np.pad(IMAGE, ((3, 1), (2, 2)))
    assert np.allclose(shown(still(row=0.5)), (upper + lower) / 2, rtol=0, atol=1e-15)


def test_a_positive_angle_turns_counter_clockwise() -> None:
    turned = shown(still(angle=np.pi / 2))
    assert np.allclose(turned, np.pad(np.rot90(IMAGE), 2), rtol=0, atol=1e-12)


def test_an_image_turns_about_its_own_centre() -> None:
    turned = shown(still(row=1, column=1, angle=np.pi))
    assert np.allclose(turned, np.pad(np.rot90(IMAGE, 2), ((3, 1), (3, 1))), rtol=0, atol=1e-12)


def test_scale_spreads_an_image_pixel_over_sensor_pixels() -> None:
    # At scale 3 every third sensor pixel sees the middle of an image pixel.
    assert np.allclose(shown(still(scale=3), 12)[1::3, 1::3], IMAGE, rtol=0, atol=1e-12)


def test_each_moment_is_a_picture_of_its_own() -> None:
    rows = np.array([0.0, 0.3, 2.0])
    ones = np.ones(3)
    seen = render(IMAGE, Motion(rows, 0 * ones, 0.1 * ones, ones), 9, 7)
    assert seen.shape == (3, 7, 9)
    for moment, row in enumerate(rows):
        alone = render(IMAGE, still(row=float(row), angle=0.1), 9, 7)
        assert np.array_equal(seen[moment], alone[0])


def test_a_motion_holds_read_only_copies() -> None:
    row = np.zeros(1)
    motion = replace(still(), row=row)
    row[0] = 5
    assert motion == still() and len(motion) == 1 and not motion.row.flags.writeable


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"column": [0.0, 1.0]}, r"column: shape \(2,\), needs \(1,\)"),
        ({"angle": [np.nan]}, "angle: shape .* finite"),
        ({"row": [[0.0]]}, "row: shape"),
        ({"scale": [0.0]}, "scale: holds 0.0"),
    ],
)
def test_a_motion_that_cannot_be_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        replace(still(), **changes)  # type: ignore[arg-type]
