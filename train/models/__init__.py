"""The networks that a recipe can name, one family a file."""

from .conv import ConvOptions as ConvOptions
from .registry import NetworkOptions as NetworkOptions
from .registry import build_model as build_model
