"""Data sets: event recordings, simulated or read, as labelled frames."""

from .catalogue import load as load
from .dataset import Data as Data
from .dataset import FrameSet as FrameSet
from .dataset import parted as parted
from .dataset import split_off as split_off
from .digit_motions import MOTIONS as MOTIONS
from .digit_motions import motion_recordings as motion_recordings
from .digit_motions import motion_videos as motion_videos
from .events import Events as Events
from .frames import to_frames as to_frames
from .geometry import cropped as cropped
from .geometry import pooled as pooled
from .motion import Motion as Motion
from .motion import film as film
from .options import DataOptions as DataOptions
from .readers import read_events as read_events
from .readers import write_events as write_events
from .recordings import Recordings as Recordings
from .recordings import read_recordings as read_recordings
from .recordings import write_recordings as write_recordings
from .sensor import Sensor as Sensor
from .sensor import record as record
from .videos import Videos as Videos
