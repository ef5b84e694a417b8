"""The Lava process graph of a network; the only place that imports Lava, and only when it runs."""

from .build import build as build
from .hardware import obstacles as obstacles
from .measure import Measured as Measured
from .measure import ProcessTime as ProcessTime
from .run import measure as measure
from .run import run as run
