"""Results of benchmarks: their documents are valid, and the pages show what they hold."""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.results import (
    Claim,
    Result,
    Table,
    add_json_option,
    format_cell,
    format_command,
    read_result,
    write_result,
)

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DOCUMENTS = sorted((DOCS / "benchmarks").glob("*.json"))
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "<!-- benchmark: " in page.read_text()]
SCRIPTS = sorted(
    path
    for path in (ROOT / "bench").glob("*.py")
    if 'if __name__ == "__main__"' in path.read_text()
)
# These compute settings or run in the environment of another library; others report their figures.
WITHOUT_JSON = {"firmware_qualia.py", "hrsnn_laws.py"}


def renderer() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "benchmark_tables", DOCS / "_ext" / "benchmark_tables.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_show_the_figures_of_their_documents(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == renderer().render_page(text, page), "run: python docs/_ext/benchmark_tables.py"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_are_valid_and_shown(path: Path) -> None:
    result = read_result(path)
    assert result.command.startswith(f"python -m bench.{result.bench}")
    assert result.tables or result.claims
    assert "/" not in result.command
    for figure in result.figures:
        assert (path.parent / figure.file).is_file()
    assert any(f"<!-- benchmark: {path.stem}" in page.read_text() for page in PAGES)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_write_documents(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    if script.name not in WITHOUT_JSON:
        assert "add_json_option(" in text and "write_result(" in text


def test_a_document_is_read_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys, "argv", ["x", "--quick", "--json", "out.json", "--folder", str(tmp_path)]
    )
    table = Table("Times", ("what", "ms"), (("a | b", 1.5), ("c", None)))
    claim = Claim("A 2024", "twice as fast", "not reproduced", "2.0; here 1.1", "digits, 3 seeds")
    path = tmp_path / "new" / "out.json"
    write_result(path, "engines", [table], [claim])
    result = read_result(path)
    assert result.command == f"python -m bench.engines --quick --folder {tmp_path.name}"
    assert result.machine["cores"] >= 1
    assert list(result.versions)[:2] == ["python", "pumice"]
    assert result.tables == [Table("Times", ["what", "ms"], [["a | b", 1.5], ["c", None]])]
    assert result.claims == [claim]
    write_result(None, "engines", [table])


def test_a_page_is_rendered_from_its_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = renderer()
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    document = {
        "bench": "speed",
        "command": "python -m bench.speed",
        "date": "2026-12-01",
        "machine": {"processor": "P", "cores": 2, "memory_gb": 8, "system": "Linux"},
        "versions": {"numpy": "2"},
        "tables": [
            {"title": "One", "columns": ["a", "b"], "rows": [["x", 1234]], "note": "Slow."},
            {"title": "Two", "columns": ["a"], "rows": [[0.5]]},
        ],
        "claims": [
            {"paper": "A", "claim": "c", "verdict": "reproduced", "figure": "1", "regime": "r"}
        ],
        "figures": [{"file": "speed.png", "caption": "Speed"}],
    }
    (tmp_path / "speed.json").write_text(json.dumps(document))
    page, end = tmp_path / "page.md", "<!-- end of benchmark -->"
    text = module.render_page(f"A\n\n<!-- benchmark: speed -->\nold\n{end}\n\nB\n", page)
    assert "| x | 1,234 |" in text and "| 0.500 |" in text and "Slow." in text
    assert "| A | c | reproduced | 1 | r |" in text and "![Speed](./speed.png)" in text
    assert "on 2026-12-01 by* `python -m bench.speed`; P, 2 cores, 8 GB, Linux; numpy 2" in text
    assert "old" not in text and text.endswith("\n\nB\n")
    assert module.render_page(text, page) == text
    one = module.render_page(f"<!-- benchmark: speed / Two -->\n{end}", page)
    assert "| 0.500 |" in one and "1,234" not in one
    with pytest.raises(ValueError, match=r"page\.md: speed\.json has no table 'Three'"):
        module.render_page(f"<!-- benchmark: speed / Three -->\n{end}", page)
    with pytest.raises(ValueError, match=r"docs/benchmarks/ has no other\.json"):
        module.render_page(f"<!-- benchmark: other -->\n{end}", page)


def test_documents_that_are_not_valid_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    document = {"bench": "x", "command": "", "date": "", "machine": {}, "versions": {}}
    path.write_text(json.dumps(document | {"tables": [], "more": 1}))
    with pytest.raises(ValueError, match=r"x\.json: .*more"):
        read_result(path)
    table = {"title": "T", "columns": ["a"], "rows": [[1, 2]]}
    path.write_text(json.dumps(document | {"tables": [table]}))
    with pytest.raises(ValueError, match=r"x\.json: table 'T': a row has 2 cells"):
        read_result(path)
    with pytest.raises(ValueError, match="verdict 'maybe'"):
        Claim("A", "c", "maybe", "", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (12345, "12,345"), (0.0, "0"), (0.01234, "0.0123"), (4.056, "4.06"),
     (64.57, "64.6"), (1804.4, "1,804"), ("a|b", "a\\|b")],
)  # fmt: skip
def test_cells_have_sensible_digits(value: object, text: str) -> None:
    assert format_cell(value) == text  # type: ignore[arg-type]


def test_commands_hold_no_path_of_the_machine() -> None:
    words = ["--json=out.json", "--folder", "/data/n-mnist", "a b"]
    assert format_command("hrsnn", words) == "python -m bench.hrsnn --folder n-mnist 'a b'"


def test_the_option_is_a_path() -> None:
    parser = argparse.ArgumentParser()
    add_json_option(parser)
    assert parser.parse_args(["--json", "a.json"]).json == Path("a.json")
    assert parser.parse_args([]).json is None


def test_the_renderer_runs_as_a_script() -> None:
    run = subprocess.run(
        [sys.executable, DOCS / "_ext" / "benchmark_tables.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stderr


def test_results_have_all_keys() -> None:
    for path in DOCUMENTS:
        keys = set(json.loads(path.read_text(encoding="utf-8")))
        assert set(Result.__dataclass_fields__) - keys <= {"claims", "figures", "provenance"}
