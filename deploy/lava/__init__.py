"""The Lava process graph of a network; the only place that imports Lava, and only when it runs."""

from .build import build as build
from .hardware import obstacles as obstacles
from .run import run as run
