"""What can go wrong for a user, as a tree.

    PumiceError
    ├── NetworkError    a network, population or projection that cannot be
    ├── EngineError     a run that cannot start or did not finish
    ├── FileError       a file that cannot be read or written
    ├── DataError       events, frames or labels that are not what they should be
    ├── RecipeError     a recipe or target with a wrong key or value
    ├── PlacementError  a network that does not fit a target
    └── MissingPackage  a package that an extra would bring

Every message is one line: who, what it has, what it needs, how to mend it.
"""


class PumiceError(Exception):
    """A fault the user can mend; its text is one line."""


class NetworkError(PumiceError, ValueError):
    """A network, population or projection that the arithmetic cannot carry."""


class EngineError(PumiceError, RuntimeError):
    """An engine that cannot run this network, or that failed or hung on the way."""


class FileError(PumiceError, ValueError):
    """A file that is absent, cut, altered, of another kind, or cannot be written."""


class DataError(PumiceError, ValueError):
    """Events, frames or labels whose shape, type or values are wrong."""


class RecipeError(PumiceError, ValueError):
    """A recipe or target with an unknown key, a wrong type or an impossible value."""


class PlacementError(PumiceError, ValueError):
    """A network that does not fit a target; the text says which limit, by how much, what helps."""


class MissingPackage(PumiceError, ImportError):
    """A package that is not installed; the text says which extra brings it."""
