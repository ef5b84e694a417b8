"""The comparison: one row a report, costs by target, and a warning where the data differ."""

from dataclasses import replace
from pathlib import Path

from command import pumice
from reports import ENERGY, FULL, PLACED

from pumice.report import data_warnings, read_report, render_comparison, write_report
from pumice.report.compare import comparison_rows, cost_tables

ONE = replace(FULL, inputs="digits", inputs_digest="aa", placements=(PLACED,), energies=(ENERGY,))
TWO = replace(ONE, title="two", energies=(), samples=9)


def test_the_same_data_need_no_warning() -> None:
    assert data_warnings([ONE, TWO]) == ()
    assert "Warning" not in render_comparison([ONE, TWO], "both")


def test_other_data_are_a_warning_with_name_and_size_of_each() -> None:
    other = replace(TWO, inputs="gestures", inputs_digest="bb")
    (warning,) = data_warnings([ONE, other, ONE])
    assert "not comparable" in warning
    assert "reports 1 and 3 on digits, 3 samples of 2 timesteps" in warning
    assert "report 2 on gestures, 9 samples of 2 timesteps" in warning
    assert "gestures, 9 samples" in render_comparison([ONE, other], "both")


def test_a_report_without_a_digest_is_named() -> None:
    assert data_warnings([ONE, replace(ONE, inputs_digest="")])[0].startswith("report 2 does not")


def test_costs_have_a_table_for_each_target_that_any_report_has() -> None:
    tables = cost_tables(comparison_rows([ONE, TWO]))
    assert [(each.name, each.quantity) for each in tables] == [
        ("Small chip, a list", "energy per inference"),
        ("Small chip, measured once", "latency per inference"),
        ("Small chip", "cores"),
    ]
    assert tables[0].values == (("1.00 nJ to 2.00 nJ", 2e-9), ("\u2013", 0.0))
    assert tables[2].values == (("2", 2.0), ("2", 2.0)) and tables[2].largest == 2


def test_the_command_warns_and_names_the_warnings_in_json(tmp_path: Path) -> None:
    for name, report in (("one", ONE), ("two", replace(TWO, inputs_digest="cc"))):
        write_report(tmp_path / name, report)
    files = [tmp_path / name / "report.json" for name in ("one", "two")]
    assert read_report(files[0]) == ONE
    done = pumice("report", "--compare", *files, "-o", tmp_path / "out")
    assert done.status == 0 and done.err.startswith("warning: The data differ")
    document = pumice("report", "--compare", *files, "-o", tmp_path / "out", "--json").document
    assert len(document["warnings"]) == 1 and document["reports"][1]["inputs_digest"] == "cc"
