"""Lava back end: the only package that imports Lava, and only when a network runs in it."""

from .build import build as build
from .hardware import unsupported_features as unsupported_features
from .run import measure as measure
from .run import run as run
from .timing import LavaTiming as LavaTiming
from .timing import ProcessTime as ProcessTime
