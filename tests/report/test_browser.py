"""The HTML page in headless Chromium."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import Page, chromium, open_browser

from bench import shapes
from pumice.deploy.profile import profile
from pumice.deploy.targets.target import read_target
from pumice.report import (
    AccuracyCurve,
    EarlyExitStats,
    HostTiming,
    Measurements,
    Report,
    assemble_report,
    write_comparison,
    write_report,
)
from pumice.report.profiles import to_energies, to_placements
from pumice.runtime.engines.cpu.engine import run

PROGRAM = chromium()
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="no Chromium here: apt-get install chromium, or another of its names"
)
FIRST = "document.querySelector('table')"
CELLS = f"[...{FIRST}.tBodies[0].rows].map(row => Number(row.cells[2].dataset.value))"


def report() -> Report:
    """A report of a network of the demo's shape with all its sections."""
    network = shapes.conv_net((2, 16, 16), (1, 2), 128)
    random = np.random.default_rng(3)
    events = (random.random((8, 4, 2, 16, 16)) < 0.1).astype(np.uint8)
    trace = run(network, events, "all")
    profiles = [profile(network, trace, read_target(name)) for name in ("loihi1", "cmos45")]
    return assemble_report(
        network,
        trace,
        "a <report>",
        labels=random.integers(0, 10, 4),
        measurements=Measurements(
            energies=to_energies(profiles),
            placements=to_placements(profiles),
            host=HostTiming("cpu", "a processor", 9, (1e-4, 2e-4, 3e-4), (1e-3, 2e-3, 3e-3), 0.01),
            early_exit=EarlyExitStats((1, 2, 0, 0, 0, 0, 0, 1), 3.25, 0.75, 0.75),
        ),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report, and a comparison of it with another, as files."""
    path = tmp_path_factory.mktemp("report")
    assembled = report()
    write_report(path, assembled)
    better = replace(assembled, title="another", curves=(AccuracyCurve("integer", (0.9,) * 8),))
    write_comparison(path, [assembled, better], "both")
    return path


@pytest.fixture(scope="module", params=["report.html", "compare.html"])
def page(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """The page, loaded."""
    assert PROGRAM
    with open_browser(PROGRAM, tmp_path_factory.mktemp("profile")) as actual:
        actual.open(folder / request.param)
        yield actual


def test_the_page_makes_no_requests(page: Page) -> None:
    asked = [each["request"]["url"] for each in page.seen("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:")] == asked[:1]
    assert asked[0].startswith("file:")


def test_the_console_has_no_messages(page: Page) -> None:
    assert page.seen("Runtime.exceptionThrown", "Runtime.consoleAPICalled") == []
    assert page.seen("Log.entryAdded") == []


def test_every_chart_has_marks(page: Page) -> None:
    sizes = page.value(
        "[...document.querySelectorAll('svg')].map(svg => {"
        " const box = svg.getBoundingClientRect();"
        " return [box.width, box.height, svg.querySelectorAll('path,polyline,rect').length]; })"
    )
    assert len(sizes) >= 3
    assert all(width > 100 and height > 15 and marks for width, height, marks in sizes)
    lengths = page.value(
        "[...document.querySelectorAll('polyline')].map(line => line.getTotalLength())"
    )
    assert lengths and min(lengths) > 50


def test_a_click_sorts_a_table_and_the_enter_key_reverses_it(page: Page) -> None:
    before = page.value(CELLS)
    page.value(f"{FIRST}.tHead.querySelectorAll('button')[2].click()")
    assert page.value(CELLS) == sorted(before)
    page.value(f"{FIRST}.tHead.querySelectorAll('button')[2].focus()")
    page.press("Enter")
    assert page.value(CELLS) == sorted(before, reverse=True)
    assert page.value(f"{FIRST}.tHead.querySelectorAll('th')[2].ariaSort") == "descending"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_it_fits_a_phone_and_a_wide_screen(page: Page, width: int, scheme: str) -> None:
    page.look(width, scheme)
    assert page.value("document.documentElement.scrollWidth") <= width
    paper, ink = (
        sum(
            map(int, page.value(f"getComputedStyle(document.body).{key}").strip("rgb()").split(","))
        )
        for key in ("backgroundColor", "color")
    )
    assert (paper > ink) == (scheme == "light")


@pytest.mark.parametrize("width", [390, 500, 1400])
def test_no_table_needs_scrolling_to_the_side(page: Page, width: int) -> None:
    page.look(width, "light")
    overflow = page.value(
        "[...document.querySelectorAll('.scroll, .pair > div, .figures > div')]"
        ".map(box => box.scrollWidth - box.clientWidth)"
    )
    assert overflow and max(overflow) <= 1


@pytest.mark.parametrize("width", [500, 1400])
def test_the_key_figures_are_on_the_first_screen_in_one_size(
    width: int, folder: Path, tmp_path: Path
) -> None:
    assert PROGRAM
    with open_browser(PROGRAM, tmp_path) as actual:
        actual.open(folder / "report.html")
        actual.look(width, "light")
        names = actual.value("[...document.querySelectorAll('.figures dt')].map(e => e.innerText)")
        styles = actual.value(
            "[...document.querySelectorAll('.figures .value')].map(value => ["
            "getComputedStyle(value).fontSize, value.getBoundingClientRect().bottom])"
        )
        captions = actual.value(
            "[...document.querySelectorAll('.figures div')].map(box =>"
            " box.querySelector('dt').getBoundingClientRect().bottom <="
            " box.querySelector('.value').getBoundingClientRect().top + 1)"
        )
    assert [name.split()[0].rstrip(",") for name in names] == [
        "accuracy",
        "latency",
        "energy",
        "cores",
    ]
    assert len({size for size, _ in styles}) == 1
    assert max(bottom for _, bottom in styles) < 900  # height of the screen
    assert all(captions)


def test_charts_show_cores_and_exits(folder: Path, tmp_path: Path) -> None:
    assert PROGRAM
    assembled = report()
    with open_browser(PROGRAM, tmp_path) as actual:
        actual.open(folder / "report.html")
        cores = actual.value("document.querySelectorAll('svg.map .core').length")
        opacities = actual.value(
            "[...document.querySelectorAll('svg.map .core')]"
            ".map(core => core.getAttribute('fill-opacity'))"
        )
        heights = actual.value(
            "[...document.querySelectorAll('rect.dot')].map(bar => bar.height.baseVal.value)"
        )
    assert cores == 2 * len(assembled.placements[0].cores)
    assert len(set(opacities)) > 2
    assert [height > 0 for height in heights] == [True, True, *[False] * 5, True]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
