import re
from xml.etree import ElementTree

import pytest

from pumice.report import SpikeRaster
from pumice.report import format as words
from pumice.report.charts import (
    LABEL_GAP,
    Line,
    XAxis,
    histogram,
    line_chart,
    pareto_chart,
    raster,
    separate_labels,
    ticks,
)
from pumice.report.pareto import OperatingPoint


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.13, 0.87, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-300, 650, [-400, -200, 0, 200, 400, 600, 800]),
        (0, 897575, [0, 200000, 400000, 600000, 800000, 1000000]),
        (3, 3, [3, 3.2, 3.4, 3.6, 3.8, 4]),
        (1, 4, [1, 2, 3, 4]),
    ],
)
def test_ticks_are_round_and_hold_both_ends(low: float, high: float, marks: list[float]) -> None:
    assert ticks(low, high) == marks


def test_labels_keep_their_order_and_do_not_overlap() -> None:
    moved = separate_labels([50, 10, 12, 49], 0, 100)
    assert sorted(range(4), key=lambda k: moved[k]) == [1, 2, 3, 0]
    gaps = [b - a for a, b in zip(sorted(moved), sorted(moved)[1:], strict=False)]
    assert min(gaps) >= LABEL_GAP


def test_labels_at_the_lower_edge_move_up() -> None:
    assert separate_labels([99, 100], 0, 100) == [100 - LABEL_GAP, 100]


def points_of(svg: str) -> list[tuple[float, float]]:
    points = re.search(r'points="([^"]+)"', svg)
    assert points
    pairs = (point.split(",") for point in points[1].split())
    return [(float(x), float(y)) for x, y in pairs]


def test_a_line_rises_as_its_values_do_and_ends_at_its_label() -> None:
    svg = line_chart([Line(("up",), [0, 5, 10], "first")], "it rises", lambda _: str)
    (x0, y0), (x1, y1), (x2, y2) = points_of(svg)
    assert x1 - x0 == pytest.approx(x2 - x1) and y0 - y1 == pytest.approx(y1 - y2)
    assert y0 > y1 > y2
    ElementTree.fromstring(svg)


@pytest.mark.parametrize("values", [[7.0], [0.0, 0.0], [-5.0, 1e9]])
def test_degenerate_charts_are_valid(values: list[float]) -> None:
    svg = line_chart([Line((), values, "first")], "", lambda _: str)
    assert len(points_of(svg)) == len(values) and "nan" not in svg
    ElementTree.fromstring(svg)


def test_chart_text_is_escaped() -> None:
    svg = line_chart([Line(("<b>&",), [1], "first")], 'a "quote" <', lambda _: str)
    assert "<b>" not in svg
    assert ElementTree.fromstring(svg).get("aria-label") == 'a "quote" <'


def test_a_raster_has_one_mark_an_event() -> None:
    svg = raster(SpikeRaster("hidden", 8, 8, (0, 2), (5, 7)), 3)
    assert svg.count("M") == 2 and "M0.1 5.1" in svg and "M2.1 7.1" in svg
    assert ElementTree.fromstring(svg).get("viewBox") == "0 0 3 8"


def texts_of(svg: str) -> list[tuple[float, float, str]]:
    """Texts of a chart, with their positions."""
    actual = re.findall(r'x="([\d.]+)" y="([\d.]+)">([^<]*)<', svg)
    return [(float(x), float(y), words) for x, y, words in actual]


def test_series_differ_in_shape_as_well_as_color() -> None:
    lines = [Line((), [0.1, 0.2], style) for style in ("first", "second", "third", "fourth")]
    svg = line_chart(lines, "", lambda _: str)
    marks = re.findall(r'<(circle|path) class="dot \w+"[^>]*?(?:r="3"|m[^"]*")', svg)
    shapes = {re.sub(r"^M[\d. ]+", "", d) for d in re.findall(r'class="dot \w+" d="([^"]+)"', svg)}
    assert len(marks) == 8 and marks.count("circle") == 2 and len(shapes) == 3


POINTS = (
    OperatingPoint(1, (1e-6, 1e-6), 0.8, True),
    OperatingPoint(2, (2e-6, 4e-6), 0.9, True),
    OperatingPoint(3, (4e-6, 6e-6), 0.85, False),
)


def test_pareto_optimal_points_are_filled_and_ranges_are_bars() -> None:
    svg = pareto_chart(POINTS, "energy")
    ElementTree.fromstring(svg)
    assert re.findall(r'class="(dot|hollow) first"', svg) == ["dot", "dot", "hollow"]
    assert svg.count('class="whisker"') == 2
    assert {"1", "2", "3", "2 \u00b5J", "80 %"} <= {words for _, _, words in texts_of(svg)}


def test_labels_of_crowded_points_are_left_out() -> None:
    crowd = tuple(OperatingPoint(k, (1e-6 + k * 1e-9,) * 2, 0.8, True) for k in range(1, 30))
    svg = pareto_chart((OperatingPoint(30, (2e-6, 2e-6), 0.9, True), *crowd), "")
    assert [words for _, _, words in texts_of(svg) if words.isdigit() and words != "0"] == [
        "30",
        "1",
    ]


def test_a_line_over_a_value_axis_is_at_its_values() -> None:
    line = Line((), [0.0, 1.0, 1.0], "first", x=[0.0, 10.0, 40.0])
    svg = line_chart([line], "", lambda _: str, x_axis=XAxis("cost", words.axis_formatter))
    (x0, _), (x1, _), (x2, _) = points_of(svg)
    assert x2 - x0 == pytest.approx(4 * (x1 - x0), rel=1e-2)
    at = {words: x for x, _, words in texts_of(svg)}
    assert at["0"] == pytest.approx(x0) and at["40"] == pytest.approx(x2) and "cost" in at


@pytest.mark.parametrize("counts", [(3, 0, 6), (0, 0), (5,)])
def test_a_histogram_has_a_bar_a_step_as_high_as_its_count(counts: tuple[int, ...]) -> None:
    svg = histogram(counts, "stops")
    heights = [float(h) for h in re.findall(r'<rect [^>]*height="([\d.]+)"', svg)]
    assert len(heights) == len(counts)
    assert [h / max(*heights, 1) for h in heights] == pytest.approx(
        [c / max(*counts, 1) for c in counts], abs=0.01
    )
    ElementTree.fromstring(svg)
