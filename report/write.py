"""Write a report as `report.json`, `report.csv` and `report.html`, and read the JSON."""

import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from ..runtime.errors import DataError, FileError
from ..runtime.files import write_files
from ..runtime.input_file import open_input
from ..runtime.strict_json import parse_json
from .csv import to_csv
from .model import AccuracyCurve, Report
from .render import render


def write_report(folder: str | os.PathLike[str], report: Report) -> tuple[Path, ...]:
    """Write `report.json`, `report.csv` and `report.html` into `folder`; returns their paths.

    The folder is created where it does not exist. Raises `FileError` where a file cannot be
    written, and `MissingPackage` without jinja2 (extra `report`).
    """
    contents = {
        "report.json": to_json(report),
        "report.csv": to_csv(report),
        "report.html": render(report),
    }
    write_files(folder, contents)
    return tuple(Path(folder) / name for name in contents)


def ensure_dir(folder: str | os.PathLike[str]) -> Path:
    """Create `folder` where it does not exist; raises `FileError` where it cannot be created."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be created: {error.strerror}") from error
    return folder


def to_json(report: Report) -> str:
    """Serialize `report` as JSON, byte-identical for equal reports.

    Raises `DataError` where its title or another name is not UTF-8.
    """
    try:
        return TypeAdapter(Report).dump_json(report, indent=2).decode() + "\n"
    except PydanticSerializationError as error:
        raise DataError(
            "the report: a name in it is not UTF-8; rename the file, or give --title"
        ) from error


def read_report(path: str | os.PathLike[str]) -> Report:
    """Read a `report.json`; raises `FileError` where it is absent or invalid."""
    try:
        with open_input(path) as file:
            return TypeAdapter(Report).validate_python(parse_json(file.read()))
    except DataError as error:
        raise FileError(str(error)) from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FileError(f"{path}: is no valid report ({place} {first['msg']})") from error
    except ValueError as error:
        raise FileError(f"{path}: is no valid report (Invalid JSON: {error})") from error


def read_curve(name: str, path: str | os.PathLike[str]) -> AccuracyCurve:
    """Read an accuracy curve from a JSON file with a list `accuracy`, one value per timestep.

    `pumice run --json` and `pumice evaluate --json` write such files. Raises `DataError` where
    there is none.
    """
    try:
        with open_input(path) as file:
            values = parse_json(file.read())["accuracy"]
        accuracy = tuple(float(value) for value in values)
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: has no list 'accuracy' ({error})") from error
    if not all(0 <= value <= 1 for value in accuracy):
        raise DataError(f"{path}: its list 'accuracy' needs fractions from 0 to 1")
    return AccuracyCurve(name, accuracy)
