"""Replace torchvision by a stub; import this module before Lightning.

The peers' environment has torchvision's CUDA wheel and a CPU torch, and Lightning's metrics import
torchvision wherever it is installed, which then fails. No benchmark uses it.
"""

import sys
from unittest.mock import MagicMock

for module in ("torchvision", "torchvision.models", "torchvision.transforms", "torchvision.ops"):
    sys.modules[module] = MagicMock(__spec__=None)
