"""Memory of a training step: estimated without allocating it, and measured.

The estimate runs the step on fake tensors, which have shapes but no values, and counts the bytes
that would be live at once. It leaves out the workspaces of kernels and what a library takes once.
"""

import ctypes
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # parameters of mallopt
SMALL = 1 << 16


class AllocationTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that live at once.

    Attributes:
        live: Bytes of the tensors created inside that are in use.
        peak: The most that was.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._storages: dict[int, Any] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operator and count the storages that it creates."""
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, torch.Tensor):
                self._count(each.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._storages:
            return

        def release(_: Any) -> None:
            del self._storages[key]
            self.live -= size

        self._storages[key] = weakref.ref(storage, release)
        self.live += size
        self.peak = max(self.peak, self.live)


def estimate_peak(step: Callable[[], None]) -> int:
    """Bytes that `step` would hold at once; all its tensors are created inside, and are fake."""
    with FakeTensorMode(), AllocationTracker() as tracker:
        step()
    peak: int = tracker.peak
    return peak


def measure_peak(step: Callable[[], None]) -> int | None:
    """Bytes by which the resident memory of this process rises at most in `step`.

    None where the system does not tell. From then on the process returns freed tensors to the
    system at once, so that memory is that of live tensors.
    """
    if not Path("/proc/self/clear_refs").exists():
        step()
        return None
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(MMAP_THRESHOLD, SMALL)
        libc.mallopt(TRIM_THRESHOLD, SMALL)
        libc.malloc_trim(0)
    gc.collect()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak
    step()
    return _status("VmHWM") - before


def _status(key: str) -> int:
    """A size of this process in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))
