"""The folder of a training run: its recipe, its lock, and the checkpoint to resume from.

`recipe.json` identifies the run, `last.ckpt` holds after every epoch the state to resume from, and
`before-qat.ckpt` the state before quantization-aware training, from which a longer run continues.
Imports no torch.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from ...runtime.config import validate
from ...runtime.errors import FileError
from ...runtime.files import atomic_write
from ...runtime.strict_json import parse_json

RECIPE_FILE = "recipe.json"
MODEL_FILE = "model.safetensors"
ENCODER_FILE = "encoder.safetensors"
RESUME_FILE = "last.ckpt"
BEFORE_QAT_FILE = "before-qat.ckpt"
LOCK_FILE = "run.lock"
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
Recipe = TypeVar("Recipe", bound=BaseModel)
_locked: set[Path] = set()  # folders that this process has locked; its own locks do not conflict


def prepare_run(recipe: BaseModel, folder: Path, resume: bool, model_file: str) -> str | None:
    """Create the run's folder and write its recipe; return the checkpoint to resume from, if any.

    `model_file` is what a finished run leaves. Raises `FileError` where the folder cannot be
    created, holds a run that is not to be resumed, or a run of another recipe.
    """
    make_run_folder(folder)
    check_run_folder(folder, resume, model_file)
    checkpoint = folder / RESUME_FILE
    if checkpoint.exists() or (folder / model_file).exists():
        stored = read_json(folder / RECIPE_FILE) or {}
        if _identity(type(recipe), stored) != _identity(type(recipe), recipe.model_dump()):
            verb = "train" if model_file == MODEL_FILE else "pretrain"
            raise FileError(
                f"{folder}: holds a run of another recipe; choose another folder with -o, or "
                f"resume that run: pumice {verb} --resume -o {folder}"
            )
    write_run_recipe(folder, recipe)
    return str(checkpoint) if checkpoint.exists() else None


def make_run_folder(folder: Path) -> None:
    """Create the folder of a run; raises `FileError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileError(f"{folder}: is a file; name a folder") from error
    except OSError as error:
        raise FileError(f"{folder}: cannot be created: {error.strerror}") from error


def check_creatable(folder: Path) -> None:
    """Raise `FileError` where `folder` cannot be created or written; leaves nothing behind."""
    absent = [each for each in (folder, *folder.parents) if not each.exists()]
    make_run_folder(folder)
    writable = os.access(folder, os.W_OK)
    for each in absent:
        each.rmdir()
    if not writable:
        raise FileError(f"{folder}: cannot be written; choose another folder with -o")


def check_run_folder(folder: Path, resume: bool, model_file: str) -> None:
    """Raise `FileError` where `folder` is no folder, or holds a run that is not to be resumed."""
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder}: is a file; name a folder")
    if not resume and any((folder / name).exists() for name in (RESUME_FILE, model_file)):
        verb = "train" if model_file == MODEL_FILE else "pretrain"
        raise FileError(
            f"{folder}: holds a run already; resume it (pumice {verb} --resume -o {folder}), or "
            "choose another folder with -o"
        )


def write_run_recipe(folder: Path, recipe: BaseModel) -> None:
    """Write the recipe of a run atomically; raises `FileError`."""
    text = json.dumps(recipe.model_dump(mode="json"), indent=2, sort_keys=True)
    with atomic_write(folder / RECIPE_FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_run_recipe(folder: Path, model: type[Recipe]) -> Recipe:
    """Read the recipe of a run.

    Raises:
        FileError: `folder` holds no run.
        RecipeError: The recipe is invalid, or of another kind of run.
    """
    if folder.is_file():
        raise FileError(f"{folder}: is a file; name the folder of a run")
    stored = read_json(folder / RECIPE_FILE)
    if stored is None:
        raise FileError(f"{folder}: holds no run ({RECIPE_FILE} is missing); train one first")
    return validate(model, stored, str(folder / RECIPE_FILE))


def count_epochs(folder: Path) -> int:
    """Number of epochs that the history of a run lists."""
    try:
        lines = (folder / "history.csv").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return max(len(lines) - 1, 0)


def find_weights(path: str | os.PathLike[str], name: str, verb: str) -> Path:
    """Locate the weights `name` in a run's folder, or `path` itself; raises `FileError`."""
    file = Path(path) / name if Path(path).is_dir() else Path(path)
    if file.suffix == ".pumice" and file.is_file():
        raise FileError(f"{path}: is an integer network; evaluate it with 'pumice run {path}'")
    if not file.is_file():
        raise FileError(f"{path}: holds no {name}; {verb} first, or name the file itself")
    return file


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Keep other processes from the run in `folder`, which is created.

    The operating system releases the lock of a process that dies. Further processes of one
    distributed run take none. Raises `FileError` with the process that holds the lock.
    """
    make_run_folder(folder)
    path = folder.resolve()
    if not _is_first_process():
        yield
        return
    if path in _locked:
        raise FileError(f"{folder}: is used by another run of this process; choose another folder")
    handle = _acquire(folder)
    _locked.add(path)
    try:
        yield
    finally:
        _locked.discard(path)
        (folder / LOCK_FILE).unlink(missing_ok=True)
        os.close(handle)


def check_unlocked(folder: Path) -> None:
    """Raise `FileError` where another process uses the run in `folder`."""
    if (folder / LOCK_FILE).exists() and _is_first_process():
        os.close(_acquire(folder))


def _is_first_process() -> bool:
    """True but for the further processes of a distributed run."""
    return all(os.environ.get(name, "0") == "0" for name in RANK_VARIABLES)


def _acquire(folder: Path) -> int:
    """Lock the lock file of `folder`; return its handle, which the caller closes."""
    import fcntl  # absent on Windows

    path = folder / LOCK_FILE
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise FileError(f"{path}: cannot be written: {error.strerror}") from error
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            raise FileError(
                f"{folder}: is used by {owner}; wait for it, or choose another folder with -o"
            ) from error
        try:  # another process may have removed the file after it was opened
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                break
        except FileNotFoundError:
            pass
        os.close(handle)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return handle


def _identity(model: type[BaseModel], values: Any) -> Any:
    """Values that identify a run: all of its recipe but where its data is and who reads it."""
    try:
        recipe = model.model_validate(values).model_dump(mode="json")
    except ValueError:
        return values
    for table in ("data", "video"):
        if recipe.get(table):
            recipe[table].pop("folder", None)
    for name in ("num_workers", "checkpoint_minutes"):  # they change no result
        recipe.get("training", {}).pop(name, None)
    return recipe


def read_json(path: Path) -> Any:
    """Read a JSON file; None where there is none, `FileError` where it cannot be read."""
    try:
        return parse_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: cannot be read: {error}") from error
