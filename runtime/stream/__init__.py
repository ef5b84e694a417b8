"""Streaming inference: event sources, decoders, binning and classification in bounded memory."""

from .binning import Sensor as Sensor
from .binning import TimeBin as TimeBin
from .binning import bin_events as bin_events
from .binning import infer_sensor as infer_sensor
from .chunks import EventChunk as EventChunk
from .chunks import StreamStats as StreamStats
from .classify import Prediction as Prediction
from .classify import StateCarryOver as StateCarryOver
from .classify import classify_stream as classify_stream
from .drop_queue import drop_oldest as drop_oldest
from .formats import Aer40Decoder as Aer40Decoder
from .formats import CsvDecoder as CsvDecoder
from .formats import Format as Format
from .formats import make_decoder as make_decoder
from .recordings import read_recording as read_recording
from .sources import iter_chunks as iter_chunks
from .sources import iter_socket as iter_socket
from .sources import open_listener as open_listener
from .sources import replay_in_real_time as replay_in_real_time
