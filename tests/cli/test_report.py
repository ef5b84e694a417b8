import json
from dataclasses import replace
from pathlib import Path

import pytest
from command import EVENTS, NETWORK, pumice

from pumice.report import read_report
from pumice.runtime import EarlyExit, network_digest, write_network
from pumice.runtime.engines.reference import run
from pumice.runtime.op_counts import count_ops


def test_a_report_holds_accuracy_cost_and_verification(
    network: Path, events: Path, tmp_path: Path
) -> None:
    curve = tmp_path / "float.json"
    curve.write_text(json.dumps({"accuracy": [0.1, 0.2, 0.3, 0.4, 0.5]}))
    options = ("--engines", "cpu", "--curve", f"float={curve}", "-o", tmp_path / "out")
    result = pumice("report", network, "--events", events, *options)
    report = read_report(tmp_path / "out" / "report.json")
    assert result.status == 0
    endings = ("json", "csv", "html")
    assert result.out.split() == [str(tmp_path / "out" / f"report.{end}") for end in endings]
    assert report.network == network_digest(NETWORK) and report.title == "net on events.npz"
    assert [curve.name for curve in report.curves] == ["float", "integer"]
    assert (
        report.cumulative_operations[-1]
        == count_ops(NETWORK, run(NETWORK, EVENTS)).total_synaptic_operations.mean()
    )
    assert report.verification and report.verification.passed and report.verification.samples == 4
    assert [energy.model.split(",")[0] for energy in report.energies] == [
        *["Loihi 1"] * 2,
        *["Loihi 2"] * 2,
        *["CMOS at 45 nm"] * 2,
    ]
    assert [placement.target for placement in report.placements] == ["Loihi 1", "Loihi 2"]


def test_the_json_document_is_the_report(network: Path, events: Path, tmp_path: Path) -> None:
    options = ("--engines", "reference", "-o", tmp_path / "out", "--json", "--title", "A title")
    result = pumice("report", network, "--events", events, *options)
    assert result.out == (tmp_path / "out" / "report.json").read_text()
    assert result.document["title"] == "A title" and result.document["verification"] is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no list 'accuracy'"),
        ("{}", "has no list 'accuracy'"),
        ('{"accuracy": null}', "has no list 'accuracy'"),
        ('{"accuracy": ["a"]}', "has no list 'accuracy'"),
        ('{"accuracy": [0.5]}', "curve float: 1 values, but there are 5 timesteps"),
    ],
)
def test_an_invalid_curve_is_an_error(
    network: Path, events: Path, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "float.json").write_text(content)
    options = ("--engines", "reference", "--curve", f"float={tmp_path / 'float.json'}")
    result = pumice("report", network, "--events", events, *options, "-o", tmp_path / "out")
    assert result.status == 2 and message in result.err
    assert not (tmp_path / "out").exists()


def test_reports_are_compared(network: Path, events: Path, tmp_path: Path) -> None:
    files = []
    for name, steps in (("a", 5), ("b", 3)):
        options = ("--engines", "reference", "--timesteps", steps, "--title", name)
        pumice("report", network, "--events", events, *options, "-o", tmp_path / name)
        files.append(tmp_path / name / "report.json")
    result = pumice("report", "--compare", *files, "-o", tmp_path)
    page = tmp_path / "compare.html"
    assert result.status == 0 and result.out.strip() == str(page)
    assert "Accuracy against energy, Loihi 1, pre-silicon simulation" in page.read_text()
    rows = pumice("report", "--compare", *files, "-o", tmp_path, "--json").document["reports"]
    assert [row["title"] for row in rows] == ["a", "b"]
    assert [row["timesteps"] for row in rows] == [5, 3]
    assert rows[0]["synaptic_operations"] > rows[1]["synaptic_operations"]


def test_a_comparison_needs_two_reports(network: Path, events: Path, tmp_path: Path) -> None:
    pumice("report", network, "--events", events, "--engines", "reference", "-o", tmp_path)
    result = pumice("report", "--compare", tmp_path / "report.json")
    assert result.status == 2 and "1 report, needs two or more" in result.err


def test_several_networks_are_an_error(network: Path, events: Path) -> None:
    result = pumice("report", network, network, "--events", events)
    assert result.status == 2 and "only one network" in result.err


def test_early_exits_are_in_the_report(events: Path, tmp_path: Path) -> None:
    exiting = replace(NETWORK, early_exit=EarlyExit((0,) * 4))
    write_network(tmp_path / "net.pumice", exiting)
    options = ("--engines", "reference", "-o", tmp_path / "out")
    pumice("report", tmp_path / "net.pumice", "--events", events, *options)
    exits = read_report(tmp_path / "out" / "report.json").early_exit
    steps = run(exiting, EVENTS).steps
    assert exits and exits.counts == tuple(int((steps == k).sum()) for k in range(1, 6))
    assert exits.mean_steps == steps.mean() < 5
