"""Write a report as `report.json`, `report.csv` and `report.html`, and read the JSON."""

import json
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..runtime.errors import DataError, FileError
from ..runtime.files import atomic_write
from .csv import to_csv
from .model import AccuracyCurve, Report
from .render import render


def write_report(folder: str | os.PathLike[str], report: Report) -> tuple[Path, ...]:
    """Write `report.json`, `report.csv` and `report.html` into `folder`; returns their paths.

    The folder is created where it does not exist. Raises `FileError` where a file cannot be
    written, and `MissingPackage` without jinja2 (extra `report`).
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


def ensure_dir(folder: str | os.PathLike[str]) -> Path:
    """Create `folder` where it does not exist; raises `FileError` where it cannot be created."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be created: {error.strerror}") from error
    return folder


def to_json(report: Report) -> str:
    """Serialize `report` as JSON, byte-identical for equal reports."""
    return TypeAdapter(Report).dump_json(report, indent=2).decode() + "\n"


def read_report(path: str | os.PathLike[str]) -> Report:
    """Read a `report.json`; raises `FileError` where it is absent or invalid."""
    try:
        return TypeAdapter(Report).validate_json(Path(path).read_bytes())
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FileError(f"{path}: is no valid report ({place} {first['msg']})") from error


def read_curve(name: str, path: str | os.PathLike[str]) -> AccuracyCurve:
    """Read an accuracy curve from a JSON file with a list `accuracy`, one value per timestep.

    `pumice run --json` and `pumice evaluate --json` write such files. Raises `DataError` where
    there is none.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))["accuracy"]
        return AccuracyCurve(name, tuple(float(value) for value in values))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: has no list 'accuracy' ({error})") from error
