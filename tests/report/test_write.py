import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from reports import BARE, FULL

from pumice.report import (
    AccuracyCurve,
    Placement,
    Report,
    read_curve,
    read_report,
    to_csv,
    to_json,
    write_report,
)
from pumice.report.render import render
from pumice.runtime.errors import DataError, FileError


class Balance(HTMLParser):
    """Fails where a tag is closed that was not open, or left open."""

    EMPTY = {"meta", "link", "path", "circle", "polyline", "br"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_report_round_trips_through_json(tmp_path: Path) -> None:
    for report in (BARE, FULL):
        path, *_ = write_report(tmp_path / "new" / "folder", report)
        assert read_report(path) == report
        assert to_json(read_report(path)) == to_json(report)


@pytest.mark.parametrize("report", [BARE, FULL], ids=["bare", "full"])
def test_the_page_is_balanced_and_self_contained(report: Report) -> None:
    page = render(report)
    Balance(page)
    assert not re.search(r"https?:|src=|href=\"(?!data:)|url\(|@import|<script [^>]", page)
    assert page.count("<script>") == page.count("<link ") == 1


def test_every_energy_is_a_line_of_the_table_that_adds_up() -> None:
    parts = {"in": {"messages": (1e-9, 2e-9)}, "out": {"neuron updates": (3e-9, 3e-9)}}
    energy = replace(FULL.energies[0], populations=parts, by_step=((1e-9, 2e-9), (4e-9, 5e-9)))
    text = to_csv(replace(FULL, energies=(energy,), cumulative_events=(1.0, 3.5)))
    rows = list(csv.DictReader(StringIO(text)))
    own = [row for row in rows if row["part"] == "energy"]
    assert sum(float(row["max"]) for row in own if ":" in row["name"]) == pytest.approx(5e-9)
    assert [row["min"] for row in own if row["name"] == "total"] == ["1e-09", "4e-09"]
    assert [row["max"] for row in rows if row["name"] == "events" and row["timestep"]] == [
        "1.0",
        "3.5",
    ]
    assert [row["max"] for row in rows if row["of"] == "float"] == ["0.5", "0.75"]


def test_a_failed_placement_is_on_the_page() -> None:
    page = render(replace(FULL, placements=(Placement("Small", error="out: 1 too many"),)))
    assert "does not fit" in page and "out: 1 too many" in page


def test_energies_by_population_have_proportional_bars() -> None:
    parts = {"in": {"messages": (1e-9, 1e-9)}, "out": {"neuron updates": (4e-9, 4e-9)}}
    page = render(replace(FULL, energies=(replace(FULL.energies[0], populations=parts),)))
    assert '<i class="messages" style="width: 25.00%">' in page
    assert '<i class="updates" style="width: 100.00%">' in page


def test_user_text_is_escaped() -> None:
    page = render(FULL)
    assert "one &lt;network&gt;" in page and "&lt;script&gt;" in page and "&lt;hung&gt;" in page


def test_the_page_contains_the_report() -> None:
    page = render(FULL)
    for words in (
        "after 2 timesteps is 75.0 % (float), 62.5 % (integer) and 62.5 % (Lava), on 3 samples",
        "3.00 nJ to 4.00 nJ",
        "Not included: the rest. Source: a paper.",
        "A sample of class 1, incorrectly predicted as 0.",
        "Not every engine equals the reference engine: see onnx and lava.",
        "onnx: step 1, sample 2, out[3]: spike is 1, needs 0",
        "prefers-color-scheme: dark",
        "@media print",
    ):
        assert words in page


def test_equal_curves_share_one_line() -> None:
    page = render(FULL)
    assert page.count('<polyline class="line first"') == 2  # accuracy, output
    assert page.count('<polyline class="line third"') == 0
    assert ">integer</text>" in page and ">Lava</text>" in page


def test_the_page_has_spikes_operations_and_energy_of_each_layer() -> None:
    parts = {"in": {"messages": (1e-9, 1e-9)}, "out": {"neuron updates": (2e-9, 3e-9)}}
    energy = replace(FULL.energies[0], populations=parts, by_step=((1e-9, 2e-9), (3e-9, 4e-9)))
    page = render(replace(FULL, energies=(energy,)))
    table = page.partition("Spikes, operations and energy by layer")[2].partition("</table>")[0]
    rows = [
        re.findall(r"<td[^>]*>(?:<i[^>]*></i>)?([^<]*)</td>", row)
        for row in re.findall(r"<tr><td>.*?</tr>", table, re.S)
    ]
    assert rows[0][3:7] == ["1.5", "0.188", "\u2013", "1.00 nJ"]
    assert rows[1][3:7] == ["2", "0.100", "15", "2.00 nJ to 3.00 nJ"]
    assert rows[2][3:7] == ["3.5", "", "15", "3.00 nJ to 4.00 nJ"]
    steps = page.partition("Accuracy and cost over time")[2].partition("</section>")[0]
    assert "50.0 %" in steps and "1.00 nJ to 2.00 nJ" in steps and ">yes<" in steps


def test_the_page_has_the_confusion_matrix_and_accuracy_by_class() -> None:
    page = render(replace(FULL, classes=("cat", "dog"), confusion=((1, 1), (0, 1))))
    assert page.count('class="cell"') == 4
    assert "dog (1)" in page and "50.0 %" in page and "100.0 %" in page
    many = tuple(map(str, range(70)))
    page = render(replace(FULL, classes=many, confusion=((1,) * 70,) * 70))
    assert 'class="cell"' not in page and "The 30 classes of the lowest accuracy" in page


def test_long_runs_are_tabulated_at_powers_of_two() -> None:
    long = replace(BARE, timesteps=100, cumulative_operations=tuple(map(float, range(100))))
    table = render(long).partition("<h2>Accuracy and cost over time")[2].partition("</table>")[0]
    steps = re.findall(r'<tr><td class="n" data-value="(\d+)"', table)
    assert list(map(int, steps)) == [1, 2, 4, 8, 16, 32, 64, 100]


def test_missing_measurements_have_no_section() -> None:
    page = render(BARE)
    for heading in (
        "Estimated energy",
        "Spikes of one sample",
        "Verification",
        "Accuracy by class",
        '<svg class="chart confusion',
        "Accuracy at each timestep",
    ):
        assert f"{heading}" not in page


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Invalid JSON"),
        ("[]", "is no valid report"),
        ("{}", "title Field required"),
        (to_json(FULL)[:-300], "Invalid JSON"),
        (
            to_json(FULL).replace('"timesteps": 2', '"timesteps": "x"', 1),
            "timesteps Input should",
        ),
        (to_json(FULL).replace("0.75", "0.75, 1", 1), "curve float: 3 values"),
    ],
)
def test_an_invalid_report_is_rejected(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(FileError, match="report.json: is no valid report") as caught:
        read_report(tmp_path / "report.json")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_report_and_an_unwritable_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="report.json: cannot be read: No such file"):
        read_report(tmp_path / "report.json")
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="file: cannot be created: File exists"):
        write_report(tmp_path / "file", BARE)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_formula_in_a_name_is_text_in_the_csv(start: str) -> None:
    from pumice.report.csv import as_text

    assert as_text(f"{start}1+1") == f"'{start}1+1"
    assert as_text("a=1") == "a=1" and as_text(-3) == -3 and as_text(-2.5e-9) == -2.5e-9


def test_a_curve_named_by_a_formula_is_text_in_the_csv() -> None:
    curve = AccuracyCurve('=HYPERLINK("http://x")', (0.5,) * FULL.timesteps)
    rows = list(csv.reader(to_csv(replace(FULL, curves=(curve,))).splitlines()))
    assert not [cell for row in rows for cell in row if cell.startswith("=")]


@pytest.mark.parametrize(
    "values", ["[NaN]", "[Infinity]", "[2.0]", "[-0.1]", '["x"]', "[[1]]", "3"]
)
def test_a_curve_of_other_values_than_fractions_is_rejected(tmp_path: Path, values: str) -> None:
    (tmp_path / "curve.json").write_text(f'{{"accuracy": {values}}}')
    with pytest.raises(DataError, match=r"curve\.json: ") as caught:
        read_curve("float", tmp_path / "curve.json")
    assert "\n" not in str(caught.value)


def test_a_report_with_a_number_that_is_not_finite_is_rejected(tmp_path: Path) -> None:
    text = to_json(FULL)
    number = next(part for part in text.split() if part.startswith("0.") and part.endswith(","))
    for other in ("NaN,", "1e999,", "Infinity,"):
        (tmp_path / "report.json").write_text(text.replace(number, other, 1))
        with pytest.raises(FileError, match="is no valid report"):
            read_report(tmp_path / "report.json")
