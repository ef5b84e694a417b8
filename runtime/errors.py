"""Exceptions that a user can meet.

    PumiceError
    ├── NetworkError    an invalid network, population or projection
    ├── EngineError     a run that cannot start or did not finish
    ├── FileError       a file that cannot be read or written
    ├── DataError       invalid events, frames or labels
    ├── RecipeError     a recipe or target with a wrong key or value
    ├── PlacementError  a network that does not fit a target
    ├── TrainingError   a training run that diverged
    └── MissingPackage  a package that is not installed

`PumiceWarning` is no error: a result that may mean less than it seems.

Every message is one line: who, what it has, what it needs, the remedy.
"""

import re


def to_one_line(text: str) -> str:
    """Replace line feeds and tabs by spaces, and other characters without a print by escapes."""
    line = re.sub(r"\s*[\n\r\t\v\f]\s*", " ", text)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


class PumiceError(Exception):
    """An error with a remedy; its text is one line."""

    def __str__(self) -> str:
        return to_one_line(super().__str__())


class NetworkError(PumiceError, ValueError):
    """A network, population or projection that the integer arithmetic cannot represent."""


class EngineError(PumiceError, RuntimeError):
    """An engine that cannot run this network, or that failed or hung."""


class FileError(PumiceError, ValueError):
    """A file that is absent, truncated, altered, of another kind, or cannot be written."""


class DataError(PumiceError, ValueError):
    """Events, frames or labels whose shape, type or values are wrong."""


class RecipeError(PumiceError, ValueError):
    """A recipe or target with an unknown key, a wrong type or an impossible value."""


class PlacementError(PumiceError, ValueError):
    """A network that does not fit a target; the text names the limit, the excess and the remedy."""


class TrainingError(PumiceError, ArithmeticError):
    """A training run whose loss is not finite."""


class MissingPackage(PumiceError, ImportError):  # noqa: N818
    """A package that is not installed; the text names the extra or command that installs it."""


class PumiceWarning(UserWarning):
    """A result that may mean less than it seems; the text is one line, with the remedy."""
