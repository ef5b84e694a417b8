"""Data sets: event recordings, simulated or read, as labelled frames."""

from .dataset import Data as Data
from .dataset import FrameSet as FrameSet
from .dataset import validation_split as validation_split
from .options import DataOptions as DataOptions
