"""Network architectures, one family a file; all are torch modules.

Their options (`options`) need no torch, so that names are imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conv import ConvNet as ConvNet
    from .layers import LayerNet as LayerNet
    from .options import ConvOptions as ConvOptions
    from .options import NetworkOptions as NetworkOptions
    from .options import NeuronOptions as NeuronOptions
    from .registry import build_model as build_model
    from .resnet19 import ResNet19 as ResNet19
    from .sew_resnet import SEWResNet18 as SEWResNet18
    from .sew_resnet import SEWResNet34 as SEWResNet34
    from .slayer import SlayerNet as SlayerNet
    from .vgg import VGG as VGG

EXPORTS = {
    "ConvNet": "conv",
    "ConvOptions": "options",
    "LayerNet": "layers",
    "NetworkOptions": "options",
    "NeuronOptions": "options",
    "ResNet19": "resnet19",
    "SEWResNet18": "sew_resnet",
    "SEWResNet34": "sew_resnet",
    "SlayerNet": "slayer",
    "VGG": "vgg",
    "build_model": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *EXPORTS})
