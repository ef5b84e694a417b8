"""Read HDF5 files as plain arrays in a subprocess, where a damaged one can do no harm.

On some damaged files the HDF5 library loops forever or ends the process: 3 and 1 of 6,000 files
with random bytes altered did (h5py 3.16). So another process reads them; see `worker`.
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
from ....runtime.files import describe_absence
from ....runtime.input_file import check_lfs_pointer

WORKER_SCRIPT = Path(__file__).with_name("worker.py")
TIMEOUT_SECONDS = 120.0
Arrays = Mapping[str, NDArray[Any]]


class SandboxedReader:
    """Process that reads HDF5 files one after the other, restarted when a file kills it.

        with SandboxedReader() as reader:
            arrays = reader.read("network.net")

    Args:
        timeout: Seconds per file.

    Raises:
        MissingPackage: h5py is not installed.
    """

    def __init__(self, timeout: float = TIMEOUT_SECONDS) -> None:
        if importlib.util.find_spec("h5py") is None:
            raise MissingPackage("h5py is not installed; pip install 'pumice[convert]'")
        self._timeout = timeout
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
        """Read every dataset of a file, by its full name ("layer/0/weight").

        Strings become bytes of one length.

        Raises:
            FileError: The file is absent, cut, altered so that it cannot be read, or takes more
                than the timeout.
        """
        if not os.path.isfile(path):
            raise FileError(f"{path}: {describe_absence(path)}")
        check_lfs_pointer(path)
        archive = self._request(json.dumps(os.path.abspath(path)).encode() + b"\n")
        if archive is None:
            self._terminate()
            raise FileError(f"{path}: is damaged (the HDF5 library did not survive reading it)")
        try:
            with np.load(io.BytesIO(archive)) as loaded:
                arrays = dict(loaded)
        except (ValueError, zipfile.BadZipFile) as error:
            raise FileError(f"{path}: holds values that are no arrays ({error})") from error
        if "!error" in arrays:
            raise FileError(f"{path}: is not a complete HDF5 file ({arrays['!error']})")
        return arrays

    def _request(self, request: bytes) -> bytes | None:
        """Send a request; returns the response, or None where the worker ended or was killed."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(WORKER_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        worker = self._process
        assert worker.stdin is not None and worker.stdout is not None
        timer = threading.Timer(self._timeout, worker.kill)
        timer.start()
        try:
            worker.stdin.write(request)
            worker.stdin.flush()
            head = worker.stdout.read(8)
            size = int.from_bytes(head, "little") if len(head) == 8 else -1
            response = worker.stdout.read(size) if size >= 0 else b""
            return response if len(response) == size else None
        except BrokenPipeError:
            return None
        finally:
            timer.cancel()

    def _terminate(self) -> None:
        worker, self._process = self._process, None
        if worker is not None:
            worker.kill()
            with contextlib.suppress(BrokenPipeError), worker:
                pass  # closes its pipes and waits for its end


def read_hdf5(path: str | os.PathLike[str]) -> Arrays:
    """Read every dataset of one HDF5 file by its full name; see `SandboxedReader.read`."""
    with SandboxedReader() as reader:
        return reader.read(path)
