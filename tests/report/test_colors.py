"""Colors of the charts differ from each other and from the paper, in gray and for color-blind eyes.

Simulation of color blindness: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, A physiologically-
based model for simulation of color vision deficiency, IEEE TVCG 15(6):1291-1298, 2009, severity 1.
Distances are CIE 1976 (L*a*b*, D65); contrast is that of WCAG 2.
"""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice import report
from pumice.runtime.figures import COLORS

CSS = (Path(report.__file__).parent / "style.css").read_text(encoding="utf-8")
NAMES = ("first", "second", "third", "fourth")
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
Array = NDArray[np.float64]


def schemes() -> list[dict[str, str]]:
    """Variables of the light scheme, the dark one, and print."""
    found = [
        dict(re.findall(r"--(\w+): (#\w+);", block))
        for block in re.findall(r":root \{(.*?)\}", CSS, re.S)
    ]
    assert len(found) == 3
    return found


def linear(color: str) -> Array:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    values = np.array([int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(color: str, vision: Array) -> Array:
    ratios = XYZ @ np.clip(vision @ linear(color), 0, 1) / WHITE
    x, y, z = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(color: str, paper: str) -> float:
    dark, light = sorted(float(linear(each) @ XYZ[1]) for each in (color, paper))
    return (light + 0.05) / (dark + 0.05)


def test_lab_is_that_of_known_colors() -> None:
    assert lab("#fff", VISION["normal"]) == pytest.approx([100, 0, 0], abs=0.02)
    assert lab("#ff0000", VISION["normal"]) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark", "print"])
def test_series_differ_for_every_vision_and_in_gray(scheme: dict[str, str]) -> None:
    colors = [scheme[name] for name in NAMES]
    for vision in VISION.values():
        for one, other in combinations(colors, 2):
            assert np.linalg.norm(lab(one, vision) - lab(other, vision)) > 20
    gray = sorted(lab(color, VISION["normal"])[0] for color in colors)
    assert np.diff(gray).min() > 9
    assert min(contrast(color, scheme["paper"]) for color in colors) >= 3


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark", "print"])
def test_text_can_be_read(scheme: dict[str, str]) -> None:
    assert contrast(scheme["ink"], scheme["paper"]) > 12
    assert min(contrast(scheme[name], scheme["paper"]) for name in ("soft", "good", "bad")) > 4.5


def test_plots_have_the_colors_of_the_page() -> None:
    assert tuple(schemes()[0][name] for name in NAMES) == COLORS
