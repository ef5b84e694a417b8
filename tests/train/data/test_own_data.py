"""Own audio, video, time series and array files as frames, and their division into parts."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import write_flac, write_video, write_wave

from pumice.runtime.errors import DataError
from pumice.train.data import from_folder, load
from pumice.train.data.readers.vary_series import vary_series
from pumice.train.data.series_options import SeriesOptions

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def tone(frequency: float, seconds: float = 0.5, rate: int = 8000) -> Any:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def write_tones(folder: Path) -> Path:
    """Two frequencies as classes by file name, three speakers, four takes each."""
    for label, frequency in enumerate((400, 2000)):
        for speaker in ("s1", "s2", "s3"):
            for take in range(4):
                write_wave(folder / f"{label}_{speaker}_{take}.wav", tone(frequency))
    return folder


OPTIONS: dict[str, Any] = {"class_pattern": r"(\d)_", "timesteps": 5, "size": 16, "window": 500_000}


def test_the_loudest_mel_band_is_that_of_the_tone(tmp_path: Path) -> None:
    data = from_folder(write_tones(tmp_path / "tones"), **OPTIONS)
    assert data.input_shape == (1, 16, 10) and data.classes == 2
    lowest, highest = (2595 * np.log10(1 + frequency / 700) for frequency in (80, 4000))
    edges = 700 * (10 ** (np.linspace(lowest, highest, 18) / 2595) - 1)
    spectra = data.train.events[:, :, 0].mean(axis=(0, 3))
    for label, frequency in enumerate((400, 2000)):
        band = int(np.argmin(np.abs(edges[1:-1] - frequency)))
        chosen = spectra[data.train.labels == label].mean(axis=0)
        others = spectra[data.train.labels != label].mean(axis=0)
        assert chosen[band] > others[band] + 50
    (encoder,) = data.provenance["encoder"]
    assert encoder["sample_rate"] == 8000 and len(encoder["scale"]) == 16


def test_wav_and_flac_of_one_waveform_give_the_same_frames(tmp_path: Path) -> None:
    sets = []
    for suffix, write in (("wav", write_wave), ("flac", write_flac)):
        for part in ("train", "test"):
            for k in range(2):
                write(tmp_path / suffix / part / str(k) / f"a.{suffix}", tone(500 * (k + 1)))
        sets.append(from_folder(tmp_path / suffix, timesteps=5, size=8, window=400_000))
    assert sets[0].train == sets[1].train and sets[0].train.events.any()


def test_a_speaker_is_in_one_part_and_standardization_is_of_the_training_part(
    tmp_path: Path,
) -> None:
    folder = write_tones(tmp_path / "tones")
    by_speaker = {"by": "group", "pattern": r"_(s\d)_", "test_groups": ["s3"]}
    data = from_folder(folder, **OPTIONS, split=by_speaker)
    assert (len(data.train), len(data.test)) == (16, 8)
    assert data.provenance["split"] == "test groups s3"
    for file in folder.glob("*_s3_*"):
        write_wave(file, tone(3000))  # the test part changes, the encoder does not
    other = from_folder(folder, **OPTIONS, split=by_speaker)
    assert other.provenance["encoder"] == data.provenance["encoder"]
    assert other.train == data.train and other.test != data.test


def test_videos_are_sampled_evenly_and_kept_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for k in range(4):
            images = np.arange(0, 90, 10)[:, None, None, None] + np.zeros((9, 8, 8, 3))
            write_video(tmp_path / "films" / name / f"{k}.mkv", images.astype(np.uint8) + 20 * k)
    data = from_folder(tmp_path / "films", timesteps=3, size=8, split={"validation": 0.25})
    assert data.validation is not None and data.input_shape == (3, 8, 8)
    assert (len(data.train), len(data.validation), len(data.test)) == (4, 2, 2)
    whole = [part.events[:, :, 0, 0, 0].T for part in (data.train, data.validation, data.test)]
    levels = np.concatenate(whole).astype(int)
    assert np.array_equal(levels - levels[:, :1], np.tile([0, 40, 80], (8, 1)))
    assert sorted(levels[:, 0].tolist()) == [0, 0, 20, 20, 40, 40, 60, 60]


def test_splits_of_the_same_files_share_a_cache(tmp_path: Path) -> None:
    for k in range(4):
        images = RANDOM.integers(0, 256, (4, 8, 8, 3), np.uint8)
        write_video(tmp_path / "films" / "ab"[k % 2] / f"{k}.mkv", images)
    for options in ({}, {"seed": 3}, {"split": {"by": "time"}}, {"encoding": "delta"}):
        from_folder(tmp_path / "films", timesteps=3, size=8, **options)
    caches = tmp_path / "cache" / "pumice"
    assert len([each for each in caches.iterdir() if each.is_dir()]) == 1
    from_folder(tmp_path / "films", timesteps=3, size=8, value_bits=4)
    assert len([each for each in caches.iterdir() if each.is_dir()]) == 2


def test_a_timestep_of_a_series_holds_its_rows_in_signed_channels(tmp_path: Path) -> None:
    x = RANDOM.normal(5, 2, (12, 9, 2))
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(12) % 3)
    split = {"by": "time", "test": 0.25}
    data = from_folder(tmp_path / "own.npz", format="series", timesteps=4, split=split)
    assert data.input_shape == (4, 1, 2) and data.test.labels.tolist() == [0, 1, 2]
    assert data.provenance["split"] == "last 0.25 of each class, in order of time"
    train = x[:9].reshape(-1, 2)
    scores = ((x[9:, :8] - train.mean(axis=0)) / train.std(axis=0)).clip(-3, 3) * 85
    events = data.test.events.astype(int)[:, :, :, 0]
    signed = (events[:, :, :2] - events[:, :, 2:]).transpose(1, 0, 3, 2).reshape(3, 8, 2)
    assert np.abs(signed - scores).max() <= 0.5 + 1e-9
    files = tmp_path / "files"
    for k in range(12):
        (files / str(k % 3)).mkdir(parents=True, exist_ok=True)
        np.savetxt(files / str(k % 3) / f"{k}.csv", x[k], delimiter=",", header="a,b", comments="")
    same = from_folder(files, format="series", timesteps=4, split=split)
    assert np.abs(same.test.events.astype(int) - data.test.events).max() <= 1


def test_series_have_augmented_copies_in_training_alone(tmp_path: Path) -> None:
    x = RANDOM.normal(5, 2, (12, 20, 3))
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(12) % 3)
    files = tmp_path / "files"
    for k in range(12):
        (files / str(k % 3)).mkdir(parents=True, exist_ok=True)
        np.save(files / str(k % 3) / f"{k}.npy", x[k])
    options: dict[str, Any] = {
        "format": "series", "timesteps": 4, "split": {"by": "time", "test": 0.25},
    }  # fmt: skip
    copies = {"copies": 2, "speed": 0.2, "shift": 3, "rotate": 20, "gain": 0.2, "noise": 0.1}
    for path in (tmp_path / "own.npz", files):
        plain = from_folder(path, **options)
        data = from_folder(path, **options, series=copies)
        assert (len(plain.train), len(data.train), data.augmented) == (9, 27, True)
        assert data.test == plain.test and data.train[:9] == plain.train
        labels = plain.train.labels.tolist()
        assert data.train.labels.tolist() == labels + np.repeat(labels, 2).tolist()
        assert len({data.train.events[:, k].tobytes() for k in range(27)}) == 27
        assert from_folder(path, **options, series=copies).train == data.train
        assert from_folder(path, **options, series=copies, seed=1).train != data.train
        assert data.digest != plain.digest
        same = from_folder(path, **options, series={"copies": 1})
        assert np.array_equal(same.train.events[:, 9:], plain.train.events)


def test_a_series_is_varied_within_the_options() -> None:
    time = np.arange(200.0)
    rows = np.stack([np.sin(0.1 * time), np.cos(0.1 * time), 0.01 * time], axis=1)

    def vary(seed: int, **options: Any) -> Any:
        generator = np.random.default_rng(seed)
        return vary_series(rows, (1.0, 2.0, 4.0), SeriesOptions(**options), generator)

    assert np.array_equal(vary(0), rows)
    ramps = [vary(seed, speed=0.25, shift=10)[:, 2] for seed in range(50)]
    speeds = [float(np.diff(ramp).max()) * 100 for ramp in ramps]
    starts = [float(ramp[0]) * 100 for ramp in ramps]
    assert 0.8 <= min(speeds) < 0.9 and 1.1 < max(speeds) <= 1.25
    assert min(starts) == 0 and 5 < max(starts) <= 10
    turned = np.array([vary(seed, rotate=30) for seed in range(50)])
    lengths = np.linalg.norm(turned, axis=2)
    assert np.allclose(lengths, np.linalg.norm(rows, axis=1))
    angles = np.rad2deg(np.arccos((turned * rows).sum(axis=2) / lengths**2))
    assert 15 < angles.max() <= 30
    louder = np.array([vary(seed, gain=0.5) for seed in range(50)])
    assert np.allclose(louder.mean(axis=1), rows.mean(axis=0))
    factors = louder.std(axis=1)[:, 0] / rows[:, 0].std()
    assert 2 / 3 <= factors.min() < 0.8 and 1.3 < factors.max() <= 1.5
    noise = np.array([vary(seed, noise=0.1) - rows for seed in range(50)])
    assert np.allclose(noise.std(axis=(0, 1)), [0.1, 0.2, 0.4], rtol=0.05)


def test_a_heading_turns_the_magnetometer_about_the_vertical() -> None:
    rows = RANDOM.normal(size=(40, 9)) + [0, 0, 9.8, 0, 0, 0, 20, 0, -40]
    up = rows[:, :3].mean(axis=0) / np.linalg.norm(rows[:, :3].mean(axis=0))
    angles = []
    for seed in range(50):
        generator = np.random.default_rng(seed)
        varied = vary_series(rows, (1.0,) * 9, SeriesOptions(heading=40), generator)
        assert np.array_equal(varied[:, :6], rows[:, :6])
        before, after = rows[:, 6:], varied[:, 6:]
        assert np.allclose(after @ up, before @ up)
        flat = [each - np.outer(each @ up, up) for each in (before, after)]
        lengths = [np.linalg.norm(each, axis=1) for each in flat]
        assert np.allclose(*lengths)
        cosines = (flat[0] * flat[1]).sum(axis=1) / lengths[0] ** 2
        assert np.ptp(cosines) < 1e-9
        angles.append(np.rad2deg(np.arccos(cosines[0])))
    assert 30 < max(angles) <= 40


def test_folds_cover_all_samples_once(tmp_path: Path) -> None:
    x = np.arange(30, dtype=np.uint8).repeat(4).reshape(30, 1, 2, 2)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(30) % 2, groups=np.arange(30) // 6)
    for by in ("fold", "time", "group"):
        tested = []
        for fold in range(5):
            split = {"by": by, "folds": 5, "fold": fold}
            data = from_folder(tmp_path / "own.npz", timesteps=2, split=split)
            parts = [part.events[0, :, 0, 0, 0].tolist() for part in (data.train, data.test)]
            assert not {*parts[0]} & {*parts[1]} and len(parts[1]) == 6
            tested += parts[1]
            if by == "group":
                assert len({value // 6 for value in parts[1]}) == 1
        assert sorted(tested) == list(range(30))


def test_arrays_in_npy_files_are_mapped_and_keep_their_parts(tmp_path: Path) -> None:
    x = RANDOM.integers(0, 256, (8, 3, 4, 5), np.uint8)
    for name, array in {"x_train": x[:6], "x_test": x[6:], "y_train": np.arange(6) % 2,
                        "y_test": np.arange(2)}.items():  # fmt: skip
        np.save(tmp_path / f"{name}.npy", array)
    data = load("folder", folder=tmp_path, format="arrays", timesteps=3, value_bits=4)
    assert (
        np.array_equal(data.train.events[2], x[:6] >> 4) and data.provenance["split"] == "as given"
    )
    assert np.array_equal(data.test.events[0], x[6:] >> 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": {"by": "given"}}, 'split.by = "given": the data has no parts'),
        ({"split": {"by": "group"}}, "needs split.pattern, which finds"),
        ({"split": {"by": "group", "pattern": "_(s9)_"}}, "split.pattern = '_(s9)_': does not fit"),
        ({"split": {"by": "group", "pattern": "_s1_"}}, "has no group; put the name in parenthes"),
        ({"split": {"by": "group", "pattern": "(s[0-9])", "test_groups": ["s7"]}}, "no group 's7'"),
        ({"split": {"by": "group", "pattern": "(s)"}}, "leaves no train samples of 24"),
        ({"class_pattern": "("}, "class_pattern = '(': is no regular expression"),
        ({"timesteps": 60}, "audio of 500000 us has 50 windows of 10 ms; needs no more timesteps"),
    ],
)
def test_options_that_do_not_fit_the_files_are_named(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    folder = write_tones(tmp_path / "tones")
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        from_folder(folder, **{**OPTIONS, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"x": np.zeros((4, 2))}, {}, "holds no y; needs arrays x_train, y_train"),
        ({"x_train": np.zeros((4, 2)), "y_train": [0, 1, 0, 1]}, {}, "holds no x_test, y_test"),
        ({"x": np.zeros((4, 3, 2)), "y": [np.nan, 0, 1, 1]}, {}, "y: float64 .4,., needs integers"),
        ({"x": [[np.nan, 0.0]] * 4, "y": [0, 1] * 2}, {"format": "series"}, "sample 0 holds NaN"),
        ({"x": np.ones((4, 3)), "y": [0, 1] * 2}, {"format": "series"}, "series have 3 rows"),
        (
            {"x": np.ones((4, 9, 2)), "y": [0, 1] * 2},
            {"format": "series", "series": {"copies": 1, "rotate": 9}},
            "series.rotate is 9: series have 2 features, needs a multiple of 3",
        ),
        (
            {"x": np.ones((4, 9, 3)), "y": [0, 1] * 2},
            {"format": "series", "series": {"copies": 1, "heading": 9}},
            "series.heading is 9: series have 3 features, needs 9, of an accelerometer",
        ),
    ],
)
def test_arrays_that_are_no_samples_are_named(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(DataError, match=message) as caught:
        from_folder(tmp_path / "own.npz", **options)
    assert any(word in str(caught.value) for word in ("own.npz", "timesteps", "series."))
