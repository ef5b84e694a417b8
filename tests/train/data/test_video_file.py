"""Orientation of video frames: every display matrix of quarter turns and mirrors."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from pumice.train.data.video_file import decode_video
from pumice.train.data.video_options import VideoOptions

IDENTITY = (1, 0, 0, 1)
# a, b, c, d of the display matrix, and where the bright corner of the upper left is shown
SHOWN = {
    IDENTITY: "upper left",
    (0, 1, -1, 0): "upper right",  # a quarter turn clockwise, as telephones held upright record
    (-1, 0, 0, -1): "lower right",
    (0, -1, 1, 0): "lower left",
    (-1, 0, 0, 1): "upper right",  # mirrored
    (1, 0, 0, -1): "lower left",
    (0, 1, 1, 0): "upper left",  # transposed
    (0, -1, -1, 0): "lower right",
}
TURNED = {matrix for matrix in SHOWN if not matrix[0]}


def write_video(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a video of 64 x 32 pixels, bright in the upper left corner, with a display matrix."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[:8, :16] = 255
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        frames = [av.VideoFrame.from_ndarray(image, format="rgb24") for _ in range(3)]
        for frame in (*frames, None):
            for packet in stream.encode(frame):
                container.mux(packet)
    data = path.read_bytes()
    start = data.index(
        struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), data.index(b"tkhd")
    )
    a, b, c, d = (value << 16 for value in matrix)
    written = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:start] + written + data[start + 36 :])
    return path


@pytest.mark.parametrize("grayscale", [True, False])
@pytest.mark.parametrize("matrix", SHOWN)
def test_frames_are_upright(
    matrix: tuple[int, int, int, int], grayscale: bool, tmp_path: Path
) -> None:
    height, width = (64, 32) if matrix in TURNED else (32, 64)
    options = VideoOptions(height=height, width=width, grayscale=grayscale)
    images = decode_video(write_video(tmp_path / "turned.mp4", matrix), options)
    assert images.shape == (3, 1 if grayscale else 3, height, width)
    half_h, half_w = height // 2, width // 2
    means = {
        f"{row} {column}": images[0, :, top : top + half_h, left : left + half_w].mean()
        for row, top in (("upper", 0), ("lower", half_h))
        for column, left in (("left", 0), ("right", half_w))
    }
    brightest = max(means, key=lambda place: float(means[place]))
    assert brightest == SHOWN[matrix] and means[brightest] > 40
    corner = images[0, 0, :: height - 1, :: width - 1]
    assert sorted(corner.ravel().tolist())[-1] > 200 and np.count_nonzero(corner > 100) == 1


def test_a_turned_video_keeps_its_proportions_when_resized(tmp_path: Path) -> None:
    path = write_video(tmp_path / "turned.mp4", (0, 1, -1, 0))
    images = decode_video(path, VideoOptions(height=48, width=24, grayscale=True))
    bright = images[0, 0] > 128
    assert images.shape[2:] == (48, 24)
    assert 10 <= bright.any(axis=1).sum() <= 14 and 5 <= bright.any(axis=0).sum() <= 8
