"""HDF5 files as plain arrays, read where a damaged one can do no harm.

On some damaged files the HDF5 library loops for ever or ends the process: 3 and 1 of 6,000 files
with random bytes altered did (h5py 3.16). So another process reads them, see `hdf5_child`.
"""

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import FileError, MissingPackage

WORKER_SCRIPT = Path(__file__).with_name("worker.py")
TIMEOUT_SECONDS = 120.0
Arrays = Mapping[str, NDArray[Any]]


class SandboxedReader:
    """A process that reads HDF5 files, one after the other; it starts anew where one killed it.

        with Reader() as reader:
            arrays = reader.read("network.net")

    Raises `MissingPackage` where h5py is not installed.
    """

    def __init__(self, seconds: float = TIMEOUT_SECONDS) -> None:
        if importlib.util.find_spec("h5py") is None:
            raise MissingPackage("h5py is not installed; pip install 'pumice[convert]'")
        self._timeout = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "SandboxedReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._terminate()

    def read(self, path: str | os.PathLike[str]) -> Arrays:
        """Return every dataset of the file under its full name ("layer/0/weight").

        Text comes as bytes of one length. Raises `FileError` where the file is absent, cut,
        altered so that it cannot be read, or takes more than the reader's seconds.
        """
        if not os.path.isfile(path):
            raise FileError(f"{path}: no such file")
        answer = self._request(json.dumps(os.path.abspath(path)).encode() + b"\n")
        if answer is None:
            self._terminate()
            raise FileError(f"{path}: is damaged (the HDF5 library did not survive reading it)")
        try:
            with np.load(io.BytesIO(answer)) as archive:
                arrays = dict(archive)
        except (ValueError, zipfile.BadZipFile) as error:
            raise FileError(f"{path}: holds what is no array ({error})") from error
        if "!error" in arrays:
            raise FileError(f"{path}: is not a whole HDF5 file ({arrays['!error']})")
        return arrays

    def _request(self, request: bytes) -> bytes | None:
        """Return the child's answer, or nothing where it ended or had to be ended."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(WORKER_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        child = self._process
        assert child.stdin is not None and child.stdout is not None
        watch = threading.Timer(self._timeout, child.kill)
        watch.start()
        try:
            child.stdin.write(request)
            child.stdin.flush()
            head = child.stdout.read(8)
            size = int.from_bytes(head, "little") if len(head) == 8 else -1
            answer = child.stdout.read(size) if size >= 0 else b""
            return answer if len(answer) == size else None
        except BrokenPipeError:
            return None
        finally:
            watch.cancel()

    def _terminate(self) -> None:
        child, self._process = self._process, None
        if child is not None:
            child.kill()
            with contextlib.suppress(BrokenPipeError), child:
                pass  # its pipes are closed, its end awaited


def read_hdf5(path: str | os.PathLike[str]) -> Arrays:
    """Return every dataset of one HDF5 file under its full name; see `Reader.read`."""
    with SandboxedReader() as reader:
        return reader.read(path)
