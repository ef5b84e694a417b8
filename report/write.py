"""The report as files: `report.json`, which is read back, `report.csv` and `report.html`."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..runtime.errors import FileError
from ..runtime.files import atomic_write
from .csv import to_csv
from .model import Report
from .render import render


def write_report(folder: str | Path, report: Report) -> tuple[Path, ...]:
    """Write `report.json`, `report.csv` and `report.html` into `folder`; return their paths.

    The folder is made where it is not there. Raises `FileError` where they cannot be written.
    """
    folder = ensure_dir(folder)
    contents = {
        folder / "report.json": to_json(report),
        folder / "report.csv": to_csv(report),
        folder / "report.html": render(report),
    }
    for path, content in contents.items():
        with atomic_write(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return tuple(contents)


def ensure_dir(folder: str | Path) -> Path:
    """Return `folder`, made where it is not there; raises `FileError` where it cannot be."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be made: {error.strerror}") from error
    return folder


def to_json(report: Report) -> str:
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
