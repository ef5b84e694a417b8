"""Network architectures, one family a file; all are torch modules."""

from .conv import ConvNet as ConvNet
from .conv import ConvOptions as ConvOptions
from .registry import NetworkOptions as NetworkOptions
from .registry import NeuronOptions as NeuronOptions
from .registry import build_model as build_model
from .resnet19 import ResNet19 as ResNet19
from .sew_resnet import SEWResNet18 as SEWResNet18
from .sew_resnet import SEWResNet34 as SEWResNet34
from .slayer import SlayerNet as SlayerNet
from .vgg import VGG as VGG
