"""Rate, latency and delta codes in integers, and datasets that they encode."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pumice.runtime.encoders.spike_codes import encode_delta, encode_latency, encode_rate
from pumice.runtime.errors import DataError
from pumice.train.data import from_folder

VALUES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("timesteps", [1, 4, 7, 255])
def test_a_rate_is_the_value_as_a_number_of_spaced_spikes(timesteps: int) -> None:
    spikes = encode_rate(VALUES, timesteps)
    assert spikes.sum(axis=0).tolist() == [value * timesteps // 256 for value in range(256)]
    for value in (50, 128, 200):
        gaps = np.diff(np.flatnonzero(spikes[:, value]))
        assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def test_a_latency_is_the_earlier_the_larger_the_value() -> None:
    spikes = encode_latency(VALUES, 8)
    assert spikes.sum(axis=0).tolist() == [0] + [1] * 255
    moments = spikes.argmax(axis=0)[1:]
    assert (np.diff(moments) <= 0).all() and moments[0] == 7 and moments[-1] == 0
    assert np.bincount(moments).tolist() == [32] * 7 + [31]
    few = encode_latency(np.arange(16, dtype=np.uint8), 4, levels=16)
    assert few.argmax(axis=0).tolist() == [0, 3, 3, 3] + [2] * 4 + [1] * 4 + [0] * 4


def test_a_delta_is_sent_when_the_value_has_changed_by_the_threshold() -> None:
    values = np.array([10, 13, 15, 15, 9, 5, 0, 255], np.uint8).reshape(-1, 1, 1, 1, 1)
    on, off = encode_delta(values, 5)[:, 0, :, 0, 0].T
    assert on.tolist() == [0, 0, 1, 0, 0, 0, 0, 1]
    assert off.tolist() == [0, 0, 0, 0, 1, 0, 1, 0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).integers(0, 256, (12, 1, 4, 4), np.uint8)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(12) % 2)
    return tmp_path / "own.npz"


def test_encoded_samples_are_read_lazily_and_described(file: Path) -> None:
    direct = from_folder(file, timesteps=6, value_bits=4)
    data = from_folder(file, timesteps=6, value_bits=4, encoding="rate")
    assert data.train.max_value == 1 and data.train.sample_shape == (1, 4, 4)
    assert np.array_equal(data.train.events, encode_rate(direct.train.events[0], 6, 16))
    assert data.provenance["encoder"] == [{"kind": "rate", "value_bits": 4}]
    assert data.digest != direct.digest
    assert from_folder(file, timesteps=6, value_bits=4, encoding="direct").train == direct.train


def test_sequences_are_encoded_by_their_changes(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(0, 1, (8, 20, 2))
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(8) % 2)
    options: dict[str, Any] = {"format": "series", "timesteps": 10}
    plain = from_folder(tmp_path / "own.npz", **options)
    data = from_folder(tmp_path / "own.npz", **options, encoding="delta", delta_threshold=30)
    assert data.input_shape == (8, 1, 2)
    assert np.array_equal(data.test.events, encode_delta(plain.test.events, 30))
    first, second = data.provenance["encoder"]
    assert first["kind"] == "standardize"
    assert second == {"kind": "delta", "threshold": 30}
    with pytest.raises(DataError, match="encoding is rate, but samples are sequences; use delta"):
        from_folder(tmp_path / "own.npz", **options, encoding="rate")


def test_a_delta_of_static_samples_is_refused(file: Path) -> None:
    with pytest.raises(DataError, match="encoding is delta, but samples are static; use rate or"):
        from_folder(file, timesteps=6, encoding="delta")
