"""The networks that a recipe can name, one family a file."""

from .catalogue import NetworkOptions as NetworkOptions
from .catalogue import network_of as network_of
from .conv import ConvOptions as ConvOptions
