"""Decoders of event recordings, one a format, for streams and training alike."""

from .aedat2 import Aedat2Decoder as Aedat2Decoder
from .aedat3 import Aedat3Decoder as Aedat3Decoder
from .aedat4 import Aedat4Decoder as Aedat4Decoder
from .aer40 import Aer40Decoder as Aer40Decoder
from .dat import DatDecoder as DatDecoder
from .decoder import EventDecoder as EventDecoder
from .event_stream import EventStreamDecoder as EventStreamDecoder
from .evt import EvtDecoder as EvtDecoder
from .sniff import Format as Format
from .sniff import make_decoder as make_decoder
from .sniff import make_file_decoder as make_file_decoder
from .text import CsvDecoder as CsvDecoder
