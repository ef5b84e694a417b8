"""Waveforms as streams: predictions are those of `run` on the encoded samples."""

import io
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from encoders import encoder_network, make_log_mel

import pumice as pm
from pumice.runtime.encoders import DeltaCode
from pumice.runtime.errors import DataError
from pumice.runtime.stream import StreamStats
from pumice.runtime.stream.live import StreamOptions, classify_source
from pumice.runtime.stream.waveforms import read_pcm_bins, read_wave_bins

MEL = make_log_mel(windows=3, peak_decay=4)
NETWORK = encoder_network((MEL,))
SOUND = np.random.default_rng(0).normal(0, 5000, 1000).astype(np.int16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with wave.open(str(tmp_path / "a.wav"), "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(8000)
        opened.writeframes(SOUND.tobytes())
    return tmp_path / "a.wav"


def test_predictions_are_those_of_run(file: Path) -> None:
    options = StreamOptions(timesteps=4, real_time=False)
    live = classify_source(NETWORK, str(file), options)
    predictions = list(live)
    # 1000 samples at 90 a timestep: 12 timesteps, the last padded
    parts = np.pad(SOUND, (0, 80)).reshape(3, 360)
    trace = pm.run(NETWORK, pm.encode(NETWORK, parts, 4))
    assert [each.class_index for each in predictions] == trace.predictions.tolist()
    assert [each.end for each in predictions] == [45_000, 90_000, 135_000]
    assert live.stats.time_bins == 12 and live.stats.events == 1080


def test_state_that_is_carried_over_includes_the_encoder(file: Path) -> None:
    options = StreamOptions(timesteps=4, real_time=False, carry_state="all")
    last = list(classify_source(NETWORK, str(file), options))[-1]
    trace = pm.run(NETWORK, pm.encode(NETWORK, SOUND, 12))
    assert last.class_index == trace.predictions[0]


def test_pcm_arrives_in_pieces_of_any_size() -> None:
    whole = list(read_pcm_bins(io.BytesIO(SOUND.tobytes()), MEL, StreamStats()))

    class Pieces(io.BytesIO):
        def read1(self, size: int | None = -1) -> bytes:
            return self.read(7)

    pieces = list(read_pcm_bins(Pieces(SOUND.tobytes()), MEL, StreamStats()))
    assert len(whole) == len(pieces) == 11
    for one, other, start in zip(whole, pieces, range(0, 1000, 90), strict=False):
        assert np.array_equal(one.frame, SOUND[start : start + 90])
        assert np.array_equal(one.frame, other.frame) and one.end == other.end


def test_a_recording_is_replayed_in_real_time(file: Path) -> None:
    start = time.monotonic()
    assert len(list(read_wave_bins(file, MEL, StreamStats(), real_time=True))) == 12
    assert time.monotonic() - start >= 0.125


def test_sources_that_hold_no_waveform_are_one_line(file: Path) -> None:
    with pytest.raises(DataError, match="takes a waveform; give a .wav file, or -"):
        list(classify_source(NETWORK, "tcp://127.0.0.1:5000"))
    values = encoder_network((DeltaCode(3),))
    with pytest.raises(DataError, match="takes values by its encoder, delta"):
        list(classify_source(values, str(file)))
