"""Datasets (`pumice.datasets`): event recordings and images as labeled event frames.

`load` reads a dataset by name; `from_arrays`, `from_torch` and `from_folder` make one of your data.

Names are imported when they are first used: options need neither numba nor scipy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aer_files import read_events as read_events
    from .aer_files import write_events as write_events
    from .dataset import Dataset as Dataset
    from .dataset import FrameSet as FrameSet
    from .dataset import hold_out as hold_out
    from .dataset import train_val_split as train_val_split
    from .digit_motions import MOTIONS as MOTIONS
    from .digit_motions import load_motion_recordings as load_motion_recordings
    from .digit_motions import load_motion_videos as load_motion_videos
    from .events import Events as Events
    from .folder import from_folder as from_folder
    from .frames import to_frames as to_frames
    from .geometry import crop as crop
    from .geometry import downsample as downsample
    from .in_memory import from_arrays as from_arrays
    from .motion import Motion as Motion
    from .motion import render as render
    from .options import DataOptions as DataOptions
    from .recordings import Recordings as Recordings
    from .recordings import read_recordings as read_recordings
    from .recordings import write_recordings as write_recordings
    from .registry import load as load
    from .sensor import Sensor as Sensor
    from .sensor import simulate_events as simulate_events
    from .shards import from_shards as from_shards
    from .shards import write_shards as write_shards
    from .torch_dataset import from_torch as from_torch
    from .videos import Videos as Videos

EXPORTS = {
    "DataOptions": "options",
    "Dataset": "dataset",
    "Events": "events",
    "FrameSet": "dataset",
    "MOTIONS": "digit_motions",
    "Motion": "motion",
    "Recordings": "recordings",
    "Sensor": "sensor",
    "Videos": "videos",
    "crop": "geometry",
    "downsample": "geometry",
    "from_arrays": "in_memory",
    "from_folder": "folder",
    "from_shards": "shards",
    "from_torch": "torch_dataset",
    "hold_out": "dataset",
    "load": "registry",
    "load_motion_recordings": "digit_motions",
    "load_motion_videos": "digit_motions",
    "read_events": "aer_files",
    "read_recordings": "recordings",
    "render": "motion",
    "simulate_events": "sensor",
    "to_frames": "frames",
    "train_val_split": "dataset",
    "write_events": "aer_files",
    "write_recordings": "recordings",
    "write_shards": "shards",
}


def __getattr__(name: str) -> Any:
    if name not in EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *EXPORTS})
