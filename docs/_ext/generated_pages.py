"""Sphinx extension: write the reference pages from the registries, schemas and signatures.

The pages are written to `docs/reference/generated/` before the sources are read, so that they
cannot differ from the code that the site is built with.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import api_pages
import cli_page
import error_page
import schema_pages
import support_page
from sphinx.application import Sphinx

PAGES: dict[str, Callable[[], dict[str, str]]] = {
    "api": api_pages.pages,
    "cli": cli_page.pages,
    "errors": error_page.pages,
    "schemas": schema_pages.pages,
    "support": support_page.pages,
}


def write_pages(app: Sphinx) -> None:
    """Write every generated page whose text has changed, and remove those of old builds."""
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: text for make in PAGES.values() for name, text in make().items()}
    for old in folder.iterdir():
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx lists its sources."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
