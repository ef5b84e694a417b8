"""Datasets `spoken-digits` and `spoken-pairs`, from recordings named DIGIT_SPEAKER_INDEX.wav.

Z. Jackson et al., Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset;
CC BY-SA 4.0. A sample of `spoken-digits` is the log-mel spectrum of a recording, stretched to the
number of timesteps; with `encoding = "delta"`, its level crossings are spikes. A sample of
`spoken-pairs` is two digits that one speaker says in turn, half of the timesteps each, and its
label is the first: at the end, the answer is in the memory of a network alone.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.encoders.log_mel import LEVEL_ONE, compute_levels
from ...runtime.errors import DataError
from .audio_options import AudioOptions
from .cache import cached_array
from .dataset import Dataset, FrameSet, compute_digest
from .options import DataOptions

DIGITS, PAIRS = "spoken-digits", "spoken-pairs"
FILE_NAME = re.compile(r"(\d)_([^_]+)_(\d+)\.wav")
TEST_INDICES = 5  # recordings 0 to 4 of each digit and speaker are for test, as published
BANDS = 32  # default of `size`
RANGE_DB = 30  # levels more than this below the loudest of a recording are 0
PAIRS_PER_TEST_RECORDING = 4
SPLIT_SEED = 0
Frames = NDArray[np.uint8]  # (samples, timesteps, bands)


@dataclass(frozen=True)
class SpokenDigit:
    """A recording, by its name."""

    file: Path
    digit: int
    speaker: str
    index: int


def load_spoken_digits(options: DataOptions) -> Dataset:
    """Load the recordings in `options.folder`, or pairs of them, as frames (1, 1, bands).

    Values are 0 to 255 for the upper 30 dB of a recording. Recordings 0 to 4 of each digit and
    speaker are for test; or, with `split.test_groups`, those of the speakers named there. Of
    pairs, both recordings are of one speaker and of one part; each test recording is the first
    of four successive pairs.

    Raises:
        DataError: The folder has no such recordings, one is damaged, no speaker has that name, or
            pairs have an odd number of timesteps.
        MissingPackage: PyAV is not installed.
    """
    recordings = _find_recordings(options)
    pairs = options.name == PAIRS
    if pairs and options.timesteps % 2:
        raise DataError(f"{PAIRS}: timesteps is {options.timesteps}, needs an even number")
    timesteps = options.timesteps // 2 if pairs else options.timesteps
    frames = _load_spectra(recordings, timesteps, options)
    test = _is_test(recordings, options)
    generators = [np.random.default_rng((SPLIT_SEED, options.seed, part)) for part in (0, 1)]

    def join_frames(members: NDArray[np.int64], repeats: int, part: int) -> FrameSet:
        chosen = members[:, None]
        if pairs:
            chosen = _draw_pairs(recordings, members, repeats, generators[part])
        joined = frames[chosen].reshape(len(chosen), options.timesteps, 1, 1, -1)
        labels = np.array([recordings[k].digit for k in chosen[:, 0].tolist()], np.int64)
        return FrameSet(np.ascontiguousarray(joined.swapaxes(0, 1)), labels)

    train = join_frames(np.flatnonzero(~test), 1, 0)
    held_out = join_frames(np.flatnonzero(test), PAIRS_PER_TEST_RECORDING, 1)
    provenance = {
        "source": "Free Spoken Digit Dataset",
        "license": "CC BY-SA 4.0",
        "split": "recordings 0 to 4 for test, or speakers that the options name",
        "options": options.model_dump(mode="json", exclude={"folder"}),
    }
    digest = compute_digest(train, held_out, options)
    return Dataset(options.name, train, held_out, 10, digest, provenance)


def _find_recordings(options: DataOptions) -> list[SpokenDigit]:
    folder = options.folder
    if folder is None:
        raise DataError(f"{options.name}: no folder given; needs recordings such as 7_anna_32.wav")
    matches = [(file, FILE_NAME.fullmatch(file.name)) for file in sorted(folder.glob("*.wav"))]
    found = [
        SpokenDigit(file, int(match[1]), match[2], int(match[3]))
        for file, match in matches
        if match
    ]
    if not found:
        raise DataError(f"{options.name}: {folder} has no recordings DIGIT_SPEAKER_INDEX.wav")
    return found


def _is_test(recordings: Sequence[SpokenDigit], options: DataOptions) -> NDArray[np.bool_]:
    """True for the test recordings, (recordings,)."""
    chosen = options.split.test_groups if options.split else ()
    speakers = sorted({each.speaker for each in recordings})
    unknown = sorted({*chosen} - {*speakers})
    if unknown:
        raise DataError(
            f"{options.name}: no speaker {unknown[0]!r} among {', '.join(speakers)}; correct "
            "split.test_groups"
        )
    test = np.array([
        each.speaker in chosen if chosen else each.index < TEST_INDICES for each in recordings
    ])  # fmt: skip
    if test.all() or not test.any():
        raise DataError(f"{options.name}: all recordings are in one part; add recordings")
    return test


def _draw_pairs(
    recordings: Sequence[SpokenDigit],
    members: NDArray[np.int64],
    repeats: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Pairs (first, second) of `members`, each of them first `repeats` times in succession."""
    by_speaker: dict[str, list[int]] = {}
    for k in members.tolist():
        by_speaker.setdefault(recordings[k].speaker, []).append(k)
    firsts = np.repeat(members, repeats)
    seconds = [generator.choice(by_speaker[recordings[k].speaker]) for k in firsts.tolist()]
    return np.stack([firsts, np.array(seconds, np.int64)], axis=1)


@dataclass(frozen=True)
class _Spectrum:
    """Decoder of a recording to values uint8 (timesteps, bands)."""

    timesteps: int
    bands: int
    audio: AudioOptions

    def __call__(self, recording: SpokenDigit) -> NDArray[np.uint8]:
        from .readers.audio import read_audio
        from .readers.mel_filters import design_log_mel

        waveform, rate = read_audio(recording.file)
        encoder = design_log_mel(rate, self.bands, 1, 8, self.audio)
        windows = max(len(waveform) // encoder.hop, 1)
        levels = compute_levels(encoder, waveform[None], windows)[0]
        octaves = RANGE_DB / (10 * np.log10(2))  # of energy
        values = 1 + (levels - levels.max()) / (LEVEL_ONE * octaves)
        moments = np.linspace(0, windows - 1, self.timesteps)
        stretched = [np.interp(moments, np.arange(windows), band) for band in values.clip(min=0).T]
        spectrum: NDArray[np.uint8] = np.rint(255 * np.stack(stretched, axis=1)).astype(np.uint8)
        return spectrum


def _load_spectra(
    recordings: Sequence[SpokenDigit], timesteps: int, options: DataOptions
) -> Frames:
    """Spectra of all recordings, from the cache or computed."""
    audio = options.audio or AudioOptions()
    bands = options.size or BANDS
    digest = hashlib.sha256()
    for recording in recordings:
        digest.update(recording.file.name.encode())
        digest.update(recording.file.read_bytes())
    parameters: dict[str, Any] = {
        "recordings": digest.hexdigest(),
        "timesteps": timesteps,
        "bands": bands,
        "audio": audio.model_dump(mode="json"),
    }

    def compute() -> Frames:
        compute_one = _Spectrum(timesteps, bands, audio)
        return np.stack([compute_one(recording) for recording in recordings])

    return cached_array(DIGITS, parameters, compute)
