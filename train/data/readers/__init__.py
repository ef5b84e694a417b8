"""Readers of own files as event frames: recordings, images, videos, audio and time series."""

from .reader import KINDS as KINDS
from .reader import make_reader as make_reader
