"""A sample of the campaign; `pytest -m slow` runs the nightly size, which takes about an hour."""

import subprocess
from pathlib import Path

import pytest
from campaign import SIZES, run_campaign
from interruptions import BAD_OUTPUT, half_written
from mutants import run_one

HAS_DISKS = subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


def sizes(name: str) -> dict[str, int]:
    return {part: n for part, n in SIZES[name].items() if HAS_DISKS or part != "full_disks"}


def test_a_sample_of_the_campaign_has_no_findings() -> None:
    result = run_campaign(sizes("ci"), seed=1)
    assert not [finding for part in result.values() for finding in part["findings"]]
    assert set(result["mutants"]["statuses"]) >= {"0", "2"}  # neither all refused nor all accepted


@pytest.mark.slow
def test_the_campaign_has_no_findings() -> None:
    result = run_campaign(sizes("nightly"), seed=0)
    assert not [finding for part in result.values() for finding in part["findings"]]


def test_a_traceback_and_a_file_left_are_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mutants

    (tmp_path / "tmp").mkdir()
    (tmp_path / "mutant").mkdir()

    def fail(arguments: list[str]) -> int:
        (tmp_path / "tmp" / "left").touch()
        raise ZeroDivisionError("of a verb")

    monkeypatch.setattr(mutants, "run_command", fail)
    monkeypatch.setattr(mutants, "_peaks", lambda: (0, 0))  # else those of the tests before
    failed, left = run_one(["verb"], tmp_path)["findings"]
    assert failed.startswith("ZeroDivisionError at ") and left == "left ['left']"


def test_a_damaged_result_is_half_written(tmp_path: Path) -> None:
    (tmp_path / "net.pumice").write_bytes(b"half")
    (tmp_path / "report.json").write_text('{"a": ')
    (tmp_path / ".net.pumice.x1").touch()
    (tmp_path / "good.json").write_text("{}")
    assert len(half_written(tmp_path)) == 3
    assert BAD_OUTPUT.search("Traceback (most recent call last):")
