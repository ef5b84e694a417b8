"""Zero-copy source: Lava's event source, without its copy of the events."""

from typing import Any

import numpy as np
from lava.magma.core.model.py.type import LavaPyType
from lava.proc.io.source import PySendModelFixed


class PyZeroCopySendModel(PySendModelFixed):
    """Sends the same events, with `data` as it is, such as a memory-mapped file of bytes.

    Lava copies array variables into 32 bits per element, and passes on all others.
    """

    data: Any = LavaPyType(int, np.uint8)
