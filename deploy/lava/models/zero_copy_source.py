"""Lava's source of events, without its copy of them."""

from typing import Any

import numpy as np
from lava.magma.core.model.py.type import LavaPyType
from lava.proc.io.source import PySendModelFixed


class PyZeroCopySendModel(PySendModelFixed):
    """Sends the same; `data` stays what it was given, say a mapped file of bytes.

    Lava copies variables that are arrays into 32 bits an element, and hands on all others.
    """

    data: Any = LavaPyType(int, np.uint8)
