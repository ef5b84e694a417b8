"""The examples run as their READMEs say, on generated recordings."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from firmware import skip_without_tools
from media import write_wave

EXAMPLES = Path(__file__).parent.parent / "examples"
DATA = Path(os.environ.get("PUMICE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / name / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_tones(folder: Path) -> Path:
    """Two digits as tones, spoken by two people, eight times each."""
    random = np.random.default_rng(0)
    for digit, frequency in enumerate((400, 1600)):
        for speaker in ("anna", "ben"):
            for number in range(8):
                time = np.arange(2400) / 8000
                tone = 0.4 * np.sin(2 * np.pi * random.uniform(0.9, 1.1) * frequency * time)
                noisy = tone + random.normal(0, 0.01, len(time))
                write_wave(folder / f"{digit}_{speaker}_{number}.wav", noisy)
    return folder


def test_spoken_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_tools("c")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = ["data.audio.copies=3", "training.epochs=12", "training.qat_epochs=2"]
    settings += ["training.batch_size=8", "network.channels=[4,8,8]", "network.hidden=[16]"]
    arguments = [f"--set={setting}" for setting in settings]
    folder = write_tones(tmp_path / "tones")
    accuracy = load_example("spoken_digits").main(
        [str(folder), "--engine", "c", "--out", str(tmp_path / "out"), *arguments]
    )
    assert accuracy >= 0.9
    assert (tmp_path / "out" / "firmware" / "pumice_encoder.c").exists()


@pytest.mark.slow
def test_spoken_digits_on_real_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_tools("cortex-m")
    if not (DATA / "spoken_digits").exists():
        pytest.skip(f"no recordings in {DATA / 'spoken_digits'}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    arguments = [str(DATA / "spoken_digits"), "--out", str(tmp_path / "out")]
    assert load_example("spoken_digits").main(arguments) >= 0.9
