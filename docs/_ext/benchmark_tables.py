"""Tables of the benchmark pages, rendered from the JSON that the scripts of `bench/` write.

A page names a document of `docs/benchmarks/` between two comments; what stands between them is
rendered. `<!-- benchmark: engines / One sample -->` renders one table of it, by its title:

    <!-- benchmark: engines -->
    ...
    <!-- end of benchmark -->

`python docs/_ext/benchmark_tables.py` renders all pages again, so that they are readable without a
build; a test compares them.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent
sys.path.insert(0, str(DOCS.parent))

from bench.results import MEASURED, Result, Table, format_table, read_result  # noqa: E402

FOLDER = DOCS / "benchmarks"
BLOCK = re.compile(
    r"^<!-- benchmark: (?P<bench>[\w-]+)(?: / (?P<title>.+?))? -->\n.*?^<!-- end of benchmark -->$",
    re.M | re.S,
)


def render_page(text: str, page: Path) -> str:
    """Render every block of a page.

    Raises:
        ValueError: A document is absent or not valid, or has no table of that title.
    """
    return BLOCK.sub(lambda match: _render_block(match, page), text)


def _render_block(match: re.Match[str], page: Path) -> str:
    path = FOLDER / f"{match['bench']}.json"
    if not path.exists():
        raise ValueError(f"{page.name}: docs/benchmarks/ has no {path.name}")
    result, title = read_result(path), match["title"]
    if title:
        tables = [table for table in result.tables if table.title == title]
        if not tables:
            titles = ", ".join(repr(table.title) for table in result.tables)
            raise ValueError(f"{page.name}: {path.name} has no table {title!r}, but {titles}")
        parts = [format_table(table) for table in tables]
    else:
        parts = [format_table(table) for table in result.tables]
        parts += [format_table(_claims(result))] if result.claims else []
        folder = os.path.relpath(FOLDER, page.parent)
        parts += [f"![{each.caption}]({folder}/{each.file})" for each in result.figures]
    start = match[0].partition("\n")[0]
    return "\n\n".join([start, *parts, _origin(result), "<!-- end of benchmark -->"])


def _claims(result: Result) -> Table:
    columns = ("paper", "claim", "verdict", "figure", "regime")
    rows = [[getattr(claim, name) for name in columns] for claim in result.claims]
    return Table("Claims", columns, rows)


def _origin(result: Result) -> str:
    """One line: command, date, machine and versions, or where the figures come from."""
    machine = dict(result.machine)
    processor, accelerator = machine.pop("processor", ""), machine.pop("accelerator", "")
    facts = [processor, accelerator]
    facts += [f"{machine['cores']} cores"] if "cores" in machine else []
    facts += [f"{machine['memory_gb']} GB"] if "memory_gb" in machine else []
    facts += [machine["system"]] if "system" in machine else []
    versions = [f"{name} {version}" for name, version in result.versions.items()]
    how = "Measured" if result.provenance == MEASURED else f"{result.provenance}; measured"
    parts = [", ".join(fact for fact in facts if fact), ", ".join(versions)]
    return f"*{how} on {result.date} by* `{result.command}`" + "".join(
        f"; {part}" for part in parts if part
    )


def render_source(app: Any, name: str, source: list[str]) -> None:
    """Sphinx event source-read: render the blocks of a page, and note what they depend on."""
    for match in BLOCK.finditer(source[0]):
        app.env.note_dependency(str(FOLDER / f"{match['bench']}.json"))
    source[0] = render_page(source[0], Path(app.srcdir) / f"{name}.md")


def setup(app: Any) -> dict[str, Any]:
    """Render the blocks of a page when Sphinx reads it."""
    app.connect("source-read", render_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def main() -> None:
    """Render all pages in place."""
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        rendered = render_page(text, page)
        if rendered != text:
            page.write_text(rendered, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(DOCS.parent)}\n")


if __name__ == "__main__":
    main()
