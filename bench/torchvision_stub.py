"""Imported before Lightning, lets it be imported beside a torchvision that fails.

The peers' environment holds torchvision's CUDA wheel and a CPU torch; Lightning's metrics import
torchvision wherever it is installed. Nothing that is measured uses it.
"""

import sys
from unittest.mock import MagicMock

for module in ("torchvision", "torchvision.models", "torchvision.transforms", "torchvision.ops"):
    sys.modules[module] = MagicMock(__spec__=None)
