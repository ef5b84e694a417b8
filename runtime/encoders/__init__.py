"""Encoders of waveforms, time series and values to events, in integers of a device."""

from .encoder import Encoder as Encoder
from .encoder import apply_encoders as apply_encoders
from .encoder import encoded_shape as encoded_shape
from .encoder import encoder_from_dict as encoder_from_dict
from .encoder import encoder_to_dict as encoder_to_dict
from .log_mel import LogMel as LogMel
from .spike_codes import DeltaCode as DeltaCode
from .spike_codes import LatencyCode as LatencyCode
from .spike_codes import RateCode as RateCode
from .standardize import Standardize as Standardize
from .waveform import read_waveform as read_waveform
