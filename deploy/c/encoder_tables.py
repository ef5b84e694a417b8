"""Tables of the firmware's encoder, as `source/pumice_encoder.h` names them."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Network
from ...runtime.encoders import DeltaCode, LatencyCode, LogMel, RateCode, Standardize
from ...runtime.encoders.encoder import frame_shape, value_shape
from ...runtime.encoders.fixed_fft import power_shift

TABLES = ("window", "sine", "edges", "weight", "scale", "offset", "mean")  # in the order of the CRC

RAW_BYTES, RAW_WAVEFORM = 1, 2


@dataclass(frozen=True, eq=False)
class EncoderTables:
    """Encoders of a network, compiled for the firmware.

    Attributes:
        sizes: Fields of `pm_encoder_sizes`.
        tables: Constants of the filter bank or the standardization, by name; else empty.
        buffers: Entries of each buffer, by its type and name.
        features: Features that the encoder is compiled with, by macro.
    """

    sizes: Mapping[str, int]
    tables: Mapping[str, NDArray[Any]]
    buffers: Mapping[str, int]
    features: Mapping[str, bool]

    @property
    def takes_waveform(self) -> bool:
        """True where raw input is a waveform or rows of a series, int16; else it is bytes."""
        return self.features["PUMICE_MEL"] or self.features["PUMICE_STANDARDIZE"]

    @property
    def raw_kind(self) -> int:
        """`RAW_WAVEFORM` or `RAW_BYTES`, as the runner numbers them."""
        return RAW_WAVEFORM if self.takes_waveform else RAW_BYTES

    @property
    def table_bytes(self) -> int:
        """Bytes of the constants in flash."""
        return sum(table.nbytes for table in self.tables.values())

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the buffers in RAM."""
        widths = {"int16_t": 2, "int32_t": 4, "uint8_t": 1}
        return sum(widths[name.split()[0]] * size for name, size in self.buffers.items())

    @property
    def sizes_crc(self) -> int:
        """CRC-32 of the sizes."""
        return zlib.crc32(np.array(list(self.sizes.values()), "<i4").tobytes())

    @property
    def crc(self) -> int:
        """CRC-32 of the sizes and the tables; the register goes on from that of the sizes."""
        data = b"".join(
            self.tables[name].astype(self.tables[name].dtype.newbyteorder("<")).tobytes()
            for name in TABLES
            if name in self.tables
        )
        return zlib.crc32(data, self.sizes_crc)


def compile_encoders(network: Network) -> EncoderTables | None:
    """Compile the encoders of `network`; None where it has none."""
    if not network.encoders:
        return None
    first, last = network.encoders[0], network.encoders[-1]
    mel = first if isinstance(first, LogMel) else None
    series = first if isinstance(first, Standardize) else None
    sensor = mel or series
    values = value_shape(network.encoders, frame_shape(network.inputs[0].shape))
    count = int(np.prod(values))
    delta = isinstance(last, DeltaCode)
    sizes = {
        "raw": sensor.input_size if sensor else count,
        "values": count,
        "bits": last.value_bits if isinstance(last, RateCode | LatencyCode) else 8,
        "timesteps": last.timesteps if isinstance(last, LatencyCode) else 0,
        "threshold": last.threshold if isinstance(last, DeltaCode) else 0,
        **_mel_sizes(mel),
        **(_series_sizes(series) if series else {}),
    }
    buffers = {
        "int16_t history": mel.history if mel else 0,
        "int32_t spectrum": mel.fft_size if mel else 0,
        "int32_t levels": mel.bands if mel else 0,
        "uint8_t frame": count if sensor and delta else 0,
        "uint8_t reference": count if delta else 0,
    }
    features = {
        "PUMICE_MEL": mel is not None,
        "PUMICE_STANDARDIZE": series is not None,
        "PUMICE_RATE": isinstance(last, RateCode),
        "PUMICE_LATENCY": isinstance(last, LatencyCode),
        "PUMICE_DELTA": delta,
    }
    names = TABLES[:-1] if mel else ("scale", "mean") if series else ()
    tables = {name: getattr(sensor, name) for name in names}
    return EncoderTables(sizes, tables, buffers, features)


def _series_sizes(series: Standardize) -> dict[str, int]:
    """Fields of a standardization, whose features take the place of bands, rows of windows."""
    return {
        "windows": series.rows,
        "bands": series.features,
        "max_value": series.max_value,
    }


def _mel_sizes(mel: LogMel | None) -> dict[str, int]:
    """Fields of a filter bank, all 0 without one."""
    return {
        "hop": mel.hop if mel else 0,
        "windows": mel.windows if mel else 0,
        "span": len(mel.window) if mel else 0,
        "before": mel.history if mel else 0,
        "size": mel.fft_size if mel else 0,
        "shift": power_shift(mel.fft_size) if mel else 0,
        "bands": mel.bands if mel else 0,
        "bins": len(mel.weight) if mel else 0,
        "peak_decay": mel.peak_decay if mel else 0,
        "peak_floor": mel.peak_floor if mel else 0,
        "max_value": mel.max_value if mel else 0,
    }
