"""The report as files: `report.json`, which is read back, and `report.html`."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..errors import FileError
from ..files import written
from .render import render
from .report import Report


def write_report(folder: str | Path, report: Report) -> tuple[Path, Path]:
    """Write `report.json` and `report.html` into `folder`, made where it is not there.

    Returns both paths. Raises `FileError` where they cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be made: {error.strerror}") from error
    paths = folder / "report.json", folder / "report.html"
    for path, content in zip(paths, (report_json(report), render(report)), strict=True):
        with written(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return paths


def report_json(report: Report) -> str:
    """Return `report` as JSON, the same for equal reports."""
    return TypeAdapter(Report).dump_json(report, indent=2).decode() + "\n"


def read_report(path: str | Path) -> Report:
    """Read a `report.json`; raises `FileError` where it is absent or not whole."""
    try:
        return TypeAdapter(Report).validate_json(Path(path).read_bytes())
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FileError(f"{path}: is not a whole report ({place} {first['msg']})") from error
