"""Checksums of weights and checkpoints: what was altered or cut is not trained on.

A weights file is a safetensors file whose metadata begins with the SHA-256 of the file, computed
with zeros in place of the digest. A checkpoint is torch's zip file followed by the SHA-256 of it,
which torch and other readers of zip files skip.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ...runtime.errors import FileError

ZERO_DIGEST = "0" * 64
HEADER_DIGEST = re.compile(rb'("pumice":")([0-9a-f]{64}) ')
TRAILER = re.compile(rb"pumice-sha256:([0-9a-f]{64})\Z")
TRAILER_BYTES = len(b"pumice-sha256:") + len(ZERO_DIGEST)


def seal_weights(tensors: dict[str, Tensor], header: str) -> bytes:
    """Serialize `tensors` with `header` and the SHA-256 of both as a safetensors file."""
    content = save(tensors, {"pumice": f"{ZERO_DIGEST} {header}"})
    digest = hashlib.sha256(content).hexdigest().encode()
    return HEADER_DIGEST.sub(rb"\g<1>" + digest + b" ", content, count=1)


def check_weights(content: bytes) -> None:
    """Raise `FileError` where a weights file has no checksum, or another than it states."""
    size = int.from_bytes(content[:8], "little")
    found = HEADER_DIGEST.search(content, 8, min(8 + size, len(content)))
    if found is None:
        raise FileError("has no checksum, so it is damaged or of an earlier version; train again")
    unsealed = content[: found.start(2)] + ZERO_DIGEST.encode() + content[found.end(2) :]
    if hashlib.sha256(unsealed).hexdigest().encode() != found[2]:
        raise FileError("was altered (its SHA-256 does not match); train again")


def seal_checkpoint(content: bytes) -> bytes:
    """Append the SHA-256 of a checkpoint to it."""
    return content + b"pumice-sha256:" + hashlib.sha256(content).hexdigest().encode()


def unseal_checkpoint(content: bytes) -> bytes:
    """Return the checkpoint that `seal_checkpoint` sealed; raises `FileError` where it differs."""
    trailer = TRAILER.search(content, max(0, len(content) - TRAILER_BYTES))
    if trailer is None:
        raise FileError("has no checksum, so it is cut off or of an earlier version")
    if hashlib.sha256(content[: trailer.start()]).hexdigest().encode() != trailer[1]:
        raise FileError("was altered (its SHA-256 does not match)")
    return content[: trailer.start()]


def find_not_finite(values: Any, name: str = "") -> str | None:
    """Name the first tensor of nested containers that holds NaN or infinity; None without one."""
    if isinstance(values, Tensor):
        is_finite = not values.is_floating_point() or bool(torch.isfinite(values).all())
        return None if is_finite else name
    items: Any = ()
    if isinstance(values, Mapping):
        items = values.items()
    elif isinstance(values, list | tuple):
        items = enumerate(values)
    for key, value in items:
        found = find_not_finite(value, f"{name}.{key}" if name else str(key))
        if found is not None:
            return found
    return None
