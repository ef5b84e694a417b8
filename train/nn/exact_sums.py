"""Exact integer sums in floating-point tensors, whatever kernel a device sums them with.

The quantized forward pass multiplies and adds integers in float32. While the sum of the absolute
products, B, is at most 2^24, every partial sum is an integer that float32 holds, so that any
order of direct summation is exact. Kernels that transform their input (Winograd, FFT) are not.
Hence sums are rounded to the nearest integer s' of what a kernel gives, s + e:

    |e| <= 1/4          s' = s, and the residual |s + e - s'| is at most 1/4: exact
    1/4 < |e| < 3/4     the residual is above 1/4: refused

Three checks guard this: the bound B of each layer (`check_bound`), a test of each device's kernels
against exact sums before its first use (`check_device`), and the residual of every sum
(`round_sums`). TF32 and 16-bit formats, whose products are rounded, are off (`exact_arithmetic`).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...runtime.errors import EngineError, NetworkError

EXACT_LIMIT = 1 << 24  # integers up to it are exact in float32
TOLERANCE = 0.25  # largest distance of a sum to an integer
_checked_devices: set[torch.device] = set()


def check_bound(layer: str, bound: float) -> None:
    """Raise `NetworkError` where sums of `layer`, at most `bound`, leave float32's integers."""
    if bound > EXACT_LIMIT:
        raise NetworkError(
            f"{layer}: its sums can reach {bound:,.0f}, but integers are exact up to "
            f"{EXACT_LIMIT:,} in training; use fewer inputs or smaller weights"
        )


def round_sums(sums: Tensor) -> Tensor:
    """Round `sums` to the nearest integers; raises `EngineError` where one is not near."""
    rounded = sums.round()
    if not bool(((sums - rounded).abs() <= TOLERANCE).all()):
        raise inexact_sums(str(sums.device))
    return rounded


def inexact_sums(device: str) -> EngineError:
    """Create the error of sums that are no integers."""
    return EngineError(
        f"{device}: a sum of integers is off by more than {TOLERANCE}, so that training would not "
        "compute what the chip does; train on the CPU, or set another algorithm of convolutions "
        "(torch.backends.cudnn.deterministic = True)"
    )


@contextmanager
def exact_arithmetic(device: torch.device) -> Iterator[None]:
    """Keep TF32 and 16-bit formats out, and check the kernels of `device` at the first use.

    Raises `EngineError` where a kernel of the device is not exact. In a graph that torch.compile
    captures, only autocast is switched off: call the network once before.
    """
    with no_autocast(device):
        if torch.compiler.is_compiling():
            yield
            return
        with _full_precision():
            check_device(device)
            yield


def no_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Switch autocast off for `device`, where it has any."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


@contextmanager
def _full_precision() -> Iterator[None]:
    of_torch: Any = torch.backends  # whose types lack these attributes
    backends = [
        of_torch.cuda.matmul,
        of_torch.cudnn.conv,
        of_torch.mkldnn.matmul,
        of_torch.mkldnn.conv,
    ]
    before = [backend.fp32_precision for backend in backends]
    if all(each in ("none", "ieee") for each in before):
        yield
        return
    for backend in backends:
        backend.fp32_precision = "ieee"
    try:
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


def check_device(device: torch.device) -> None:
    """Compare the sums of `device` with exact ones; raises `EngineError` by the kernel's name.

    Runs once for each device of a process.
    """
    if device in _checked_devices or device.type == "meta":
        return
    generator = torch.Generator().manual_seed(0)
    for name, kernel, shape, weights_shape, peak in _kernels():
        values = torch.randint(0, peak + 1, shape, generator=generator).float()
        weights = torch.randint(-127, 128, weights_shape, generator=generator).float() * 2
        expected = kernel(values.double(), weights.double())
        found = kernel(values.to(device), weights.to(device)).cpu().double()
        error = float((found - expected).abs().max())
        if not error <= TOLERANCE:
            raise EngineError(
                f"{device}: {name} of float32 are off by {error:.3g}, but quantized training needs "
                "exact sums; train on the CPU, or install a torch whose kernels are exact"
            )
    _checked_devices.add(device)


def _kernels() -> list[tuple[str, Callable[[Tensor, Tensor], Tensor], Any, Any, int]]:
    """Name, function, shapes of values and weights, and largest value of each kernel."""
    return [
        ("matrix products", functional.linear, (37, 517), (67, 517), 3),
        ("products of 8-bit inputs", functional.linear, (9, 129), (31, 129), 255),
        ("3x3 convolutions", _conv(1, 1), (4, 64, 14, 14), (32, 64, 3, 3), 1),
        ("strided convolutions", _conv(2, 1), (3, 16, 17, 15), (24, 16, 3, 3), 1),
        ("5x5 convolutions", _conv(1, 2), (2, 16, 12, 12), (16, 16, 5, 5), 1),
        ("1x1 convolutions", _conv(1, 0), (2, 32, 9, 9), (16, 32, 1, 1), 2),
        ("convolutions of 8-bit inputs", _conv(1, 1), (2, 3, 16, 16), (16, 3, 3, 3), 255),
        ("grouped convolutions", _conv(1, 1, 4), (2, 16, 10, 10), (16, 4, 3, 3), 1),
        ("transposed convolutions", functional.conv_transpose2d, (2, 8, 7, 7), (8, 6, 3, 3), 1),
    ]


def _conv(stride: int, padding: int, groups: int = 1) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda values, weights: functional.conv2d(
        values, weights, None, stride, padding, 1, groups
    )
