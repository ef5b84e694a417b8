"""Datasets `spoken-digits` and `spoken-pairs`, on tones."""

import wave
from pathlib import Path

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data import load
from pumice.train.data.options import DataOptions

RATE, DIGITS, SPEAKERS = 8000, 3, ("anna", "bert")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight recordings of each digit and speaker: a digit is a pitch, a speaker a length."""
    made = tmp_path_factory.mktemp("digits")
    for digit in range(DIGITS):
        for number, speaker in enumerate(SPEAKERS):
            for index in range(8):
                moments = np.arange(1600 + 800 * number + 40 * index) / RATE
                tone = np.sin(2 * np.pi * (300 + 700 * digit) * moments) * np.hanning(len(moments))
                with wave.open(str(made / f"{digit}_{speaker}_{index}.wav"), "wb") as file:
                    file.setparams((1, 2, RATE, 0, "NONE", ""))
                    file.writeframes((20000 * tone).astype("<i2").tobytes())
    return made


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "spoken-cache"))


def test_a_recording_is_a_spectrum_stretched_to_the_timesteps(folder: Path) -> None:
    data = load("spoken-digits", folder=folder, timesteps=10)
    assert data.train.events.shape == (10, 18, 1, 1, 32) and len(data.test) == 30
    assert data.train.events.max() == 255
    loudest = data.test.events[5, :, 0, 0].argmax(axis=1)
    for digit in range(DIGITS):  # long and short ones alike
        assert len(set(loudest[data.test.labels == digit])) == 1
    assert len(set(loudest)) == DIGITS
    assert (data.test.events[0].max(axis=(1, 2, 3)) < 255).all()  # the tone rises


def test_delta_coding_gives_level_crossings(folder: Path) -> None:
    spikes = load("spoken-digits", folder=folder, timesteps=10, encoding="delta").test.events
    assert spikes.shape == (10, 30, 2, 1, 32) and spikes.max() == 1
    on, off = spikes[:, :, 0].sum(axis=(2, 3)), spikes[:, :, 1].sum(axis=(2, 3))
    assert on[:5].sum() > 3 * off[:5].sum() and off[5:].sum() > 3 * on[5:].sum()


def test_a_pair_is_two_recordings_of_a_speaker_and_a_part(folder: Path) -> None:
    single = load("spoken-digits", folder=folder, timesteps=6)
    pairs = load("spoken-pairs", folder=folder, timesteps=12)
    assert len(pairs.train) == 18 and len(pairs.test) == 4 * 30
    for part, digits in ((pairs.train, single.train), (pairs.test, single.test)):
        firsts = part.events[:6].swapaxes(0, 1).reshape(len(part), -1)
        seconds = part.events[6:].swapaxes(0, 1).reshape(len(part), -1)
        known = digits.events.swapaxes(0, 1).reshape(len(digits), -1)
        order = [int(np.flatnonzero((known == each).all(axis=1))[0]) for each in firsts]
        second = [int(np.flatnonzero((known == each).all(axis=1))[0]) for each in seconds]
        assert order == np.repeat(np.arange(len(digits)), len(part) // len(digits)).tolist()
        assert part.labels.tolist() == digits.labels[order].tolist()
        speaker = np.arange(len(digits)) * 2 * DIGITS // len(digits) % 2
        assert (speaker[order] == speaker[second]).all() and order != second
        # The second digit says nothing of the first.
        assert len({*digits.labels[second][part.labels == 0].tolist()}) == DIGITS


def test_named_speakers_are_the_test_part(folder: Path) -> None:
    data = load("spoken-digits", folder=folder, timesteps=4, split={"test_groups": ["bert"]})
    assert len(data.train) == len(data.test) == 24
    own = load("spoken-digits", folder=folder, timesteps=4)
    assert data.digest != own.digest


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("spoken-pairs", {"timesteps": 7}, "timesteps is 7, needs an even number"),
        ("spoken-digits", {"split": {"test_groups": ["carl"]}}, "no speaker 'carl' among anna"),
        ("spoken-digits", {"folder": None}, "no folder given; needs recordings such as"),
    ],
)
def test_bad_options_are_an_error(
    folder: Path, name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load(name, **{"folder": folder, **options})  # type: ignore[arg-type]


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "seven.wav").write_bytes(b"")
    with pytest.raises(DataError, match="has no recordings DIGIT_SPEAKER_INDEX.wav"):
        load("spoken-digits", folder=tmp_path)
    (tmp_path / "7_anna_0.wav").write_bytes(b"")
    (tmp_path / "7_anna_9.wav").write_bytes(b"")
    with pytest.raises(DataError, match="7_anna_0.wav: is empty"):
        load("spoken-digits", folder=tmp_path)


def test_other_options_are_those_of_every_dataset(folder: Path) -> None:
    assert DataOptions(name="spoken-digits").timesteps == 8
    narrow = load("spoken-digits", folder=folder, size=16)
    assert narrow.input_shape == (1, 1, 16)
