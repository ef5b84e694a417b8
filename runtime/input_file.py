"""Open the files that users name: regular ones, not Git LFS pointers."""

import os
import stat
from io import BufferedReader

from .errors import DataError, FileError

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
IS_LFS_POINTER = "is a Git LFS pointer, not the file itself; run: git lfs pull"
NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # not on Windows


def check_lfs_pointer(path: str | os.PathLike[str]) -> None:
    """Raise `FileError` where the file is a Git LFS pointer instead of what it stands for."""
    try:
        with open(path, "rb") as file:
            head = file.read(len(LFS_POINTER))
    except OSError:
        return  # the reader says why
    if head == LFS_POINTER:
        raise FileError(f"{path}: {IS_LFS_POINTER}")


def open_input(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular file to read its bytes; nothing else, such as a FIFO, is waited for.

    Raises `DataError` where it is a Git LFS pointer or no regular file, and `OSError` as `open`.
    """
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | NONBLOCK))  # noqa: SIM115
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise DataError(f"{path}: is no regular file; name one")
        head = file.read(len(LFS_POINTER))
        file.seek(0)
        if head == LFS_POINTER:
            raise DataError(f"{path}: {IS_LFS_POINTER}")
    except BaseException:
        file.close()
        raise
    return file
