"""The firmware encodes as the runtime does: the same integers from the raw input on."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoders import encoder_network, make_log_mel, make_standardize
from firmware import skip_without_tools

from pumice.deploy.c import export_firmware
from pumice.deploy.c.build import TOOLCHAINS, build_firmware
from pumice.deploy.c.engine import record_run, run
from pumice.deploy.c.footprint import measure_footprint
from pumice.deploy.c.profile import count_encoding
from pumice.runtime import Network
from pumice.runtime.encoders import DeltaCode, Encoder, LatencyCode, RateCode
from pumice.runtime.encoders.inputs import encode
from pumice.runtime.engines.run import run as run_engine
from pumice.runtime.errors import EngineError
from pumice.runtime.verify import verify

RANDOM = np.random.default_rng(0)
STATIC = RANDOM.integers(0, 16, (3, 2, 3, 3))
SEQUENCES = RANDOM.integers(0, 256, (6, 3, 2, 3, 3))
STANDARDIZE = make_standardize(3, [0, 4, -2], [-5, 12_000, -32_768], [70_000, 2**31 - 1, 1], 8)
ROWS = RANDOM.integers(-32_768, 32_768, (3, 17, 3), np.int16)
ROWS[:, ::2, 0] = RANDOM.integers(-300, 300, (3, 9))
ROWS[0, :2, 0], ROWS[1, :3, 1] = (-32_768, 32_767), (11_999, 12_000, 12_001)
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


def waveforms() -> Any:
    """Noise that grows, the loudest that there is, and silence with a click."""
    loud = RANDOM.normal(0, 1, (3, 900)) * np.geomspace(1, 20000, 900)
    loud = loud.clip(-32768, 32767).astype(np.int16)
    loud[1] = np.where(RANDOM.random(900) < 0.5, -32768, 32767)
    loud[2] = 0
    loud[2, 400] = 32767
    return loud


CASES: dict[str, tuple[tuple[Encoder, ...], Any]] = {
    "mel": ((make_log_mel(windows=3),), waveforms()),
    "peak": ((make_log_mel(windows=3, peak_decay=9, peak_floor=900),), waveforms()),
    "short hop": ((make_log_mel(windows=2, hop=7),), waveforms()),  # history beyond a timestep
    "no overlap": ((make_log_mel(windows=2, hop=50),), waveforms()),
    "large": ((make_log_mel(size=2048, bands=20, hop=200, windows=1),), waveforms()),
    "small": ((make_log_mel(size=8, bands=2, windows=4, edges=[0, 1, 3, 5]),), waveforms()),
    "mel, delta": ((make_log_mel(windows=3), DeltaCode(7)), waveforms()),
    "rate": ((RateCode(4),), STATIC),
    "latency": ((LatencyCode(5, 4),), STATIC),
    "delta": ((DeltaCode(40),), SEQUENCES),
    "series": ((STANDARDIZE,), ROWS),
    "series, delta": ((STANDARDIZE, DeltaCode(30)), ROWS),
}


@pytest.mark.parametrize("case", CASES)
def test_engines_encode_alike_from_the_raw_input_on(case: str) -> None:
    skip_without_tools("c")
    encoders, raw = CASES[case]
    network = encoder_network(encoders)
    inputs = encode(network, raw, 6)
    assert next(iter(inputs.events.values())).any()
    report = verify(network, inputs, "c")
    assert report.passed, str(report)


@pytest.mark.parametrize("engine", ["cortex-m", "riscv"])
@pytest.mark.parametrize("case", ["peak", "mel, delta", "latency", "series, delta"])
def test_microcontrollers_encode_alike(engine: str, case: str) -> None:
    skip_without_tools(engine)
    encoders, raw = CASES[case]
    network = encoder_network(encoders)
    report = verify(network, encode(network, raw, 4), engine)
    assert report.passed, str(report)


def test_random_filter_banks_encode_alike() -> None:
    skip_without_tools("c")
    for seed in range(20):
        random = np.random.default_rng(seed)
        size, bands = 1 << int(random.integers(4, 9)), int(random.integers(1, 5))
        encoder = make_log_mel(
            bands, size,
            hop=int(random.integers(1, 50 * size // 64)),
            windows=int(random.integers(1, 5)),
            weight=random.integers(0, 256, size // 2 - 1),
            value_bits=int(random.integers(1, 9)),
            peak_decay=int(random.integers(-1, 30)),
        )  # fmt: skip
        network = encoder_network((encoder,))
        loud = random.integers(-(2 ** int(random.integers(3, 16))), 2**15, (2, 700))
        report = verify(network, encode(network, loud.astype(np.int16), 3), "c")
        assert report.passed, f"{seed}: {report}"


def test_a_difference_of_the_encoder_is_found() -> None:
    skip_without_tools("c")
    encoders, raw = CASES["mel"]
    network = encoder_network(encoders)
    inputs = encode(network, raw, 4)
    other = inputs.raw.copy()
    other[2, 1] //= 3
    report = verify(network, replace(inputs, raw=other), "c")
    assert not report.passed and "step 2, sample 1, input" in str(report)


def test_run_gives_the_firmware_the_raw_input() -> None:
    skip_without_tools("c")
    encoders, raw = CASES["mel"]
    network = encoder_network(encoders)
    inputs = encode(network, raw, 4)
    silent = replace(inputs, raw=np.zeros_like(inputs.raw))
    trace = run_engine(network, silent, "c")
    assert not np.array_equal(trace.spikes["input"], inputs.events["input"])
    with pytest.raises(EngineError, match="raw input is"):
        run(network, inputs.events, raw=inputs.raw[:2])


def test_a_bit_flipped_in_the_tables_of_the_encoder_is_found(tmp_path: Path) -> None:
    skip_without_tools("c")
    network = encoder_network(CASES["mel"][0])
    for number, (before, after) in enumerate(
        ((" window[50] = {\n    0,", " window[50] = {\n    1,"), (", 3, 50, 20,", ", 2, 50, 20,"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        export_firmware(network, folder)
        tables = (folder / "pumice_tables.c").read_text()
        assert tables.count(before) == 1
        (folder / "pumice_tables.c").write_text(tables.replace(before, after))
        assert "the tables are damaged" in make_and_run(folder)


WRONG_CALLS = """
#include "pumice.h"
#define CHECK(claim) do { if (!(claim)) return __LINE__; } while (0)
static RAW raw[PUMICE_RAW_SIZE + 1];
static uint8_t first[PUMICE_INPUT_SIZE], again[PUMICE_INPUT_SIZE];
int main(void) {
  CHECK(ENCODE(raw, PUMICE_RAW_SIZE, first) == PUMICE_ERROR_STATE);
  CHECK(pumice_init() == PUMICE_OK);
  CHECK(ENCODE(raw, PUMICE_RAW_SIZE - 1, first) == PUMICE_ERROR_SIZE);
  CHECK(ENCODE(raw, PUMICE_RAW_SIZE + 1, first) == PUMICE_ERROR_SIZE);
  CHECK(ENCODE(NULL, PUMICE_RAW_SIZE, first) == PUMICE_ERROR_SIZE);
  CHECK(ENCODE(raw, PUMICE_RAW_SIZE, NULL) == PUMICE_ERROR_SIZE);
  raw[0] = 16;
  CHECK(!BOUNDED || ENCODE(raw, PUMICE_RAW_SIZE, first) == PUMICE_ERROR_VALUE);
  for (int i = 0; i < PUMICE_RAW_SIZE; i++) raw[i] = (RAW)(i % 16 * SCALE);
  CHECK(ENCODE(raw, PUMICE_RAW_SIZE, first) == PUMICE_OK);
  CHECK(ENCODE(raw, PUMICE_RAW_SIZE, again) == PUMICE_OK);
  int same = 1;
  for (int i = 0; i < PUMICE_INPUT_SIZE; i++) same &= first[i] == again[i];
  CHECK(!same);
  pumice_reset();
  CHECK(ENCODE(raw, PUMICE_RAW_SIZE, again) == PUMICE_OK);
  for (int i = 0; i < PUMICE_INPUT_SIZE; i++) CHECK(first[i] == again[i]);
  return 0;
}
"""


@pytest.mark.parametrize("case", ["mel", "rate"])
def test_wrong_calls_are_refused_and_a_reset_forgets(case: str, tmp_path: Path) -> None:
    skip_without_tools("c")
    export_firmware(encoder_network(CASES[case][0]), tmp_path)
    (tmp_path / "wrong.c").write_text(WRONG_CALLS)
    mel = case == "mel"
    defines = [
        f"-DRAW={'int16_t' if mel else 'uint8_t'}",
        f"-DENCODE=pumice_encode_{'waveform' if mel else 'values'}",
        f"-DBOUNDED={int(not mel)}",
        f"-DSCALE={900 if mel else 1}",
    ]
    sources = ["wrong.c", *(path.name for path in tmp_path.glob("pumice_*.c"))]
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover"]
    command = ["gcc", *STRICT, *sanitize, *defines, *sources, "-o", "wrong"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "wrong"]).returncode == 0


def make_and_run(folder: Path, data: bytes = b"") -> str:
    """Build the example by its Makefile, and return what it prints."""
    subprocess.run(["make", "-s", "CC=gcc"], cwd=folder, check=True)
    done = subprocess.run([folder / "example"], input=data, capture_output=True, timeout=60)
    return done.stdout.decode()


@pytest.mark.parametrize("case", ["mel", "series", "rate"])
def test_the_example_predicts_what_run_does(case: str, tmp_path: Path) -> None:
    skip_without_tools("c")
    encoders, raw = CASES[case]
    provenance = {"recipe": {"data": {"timesteps": 10}}}
    network = replace(encoder_network(encoders), provenance=provenance)
    export_firmware(network, tmp_path)
    if case == "rate":
        raw = (np.arange(18) % 2).reshape(1, 2, 3, 3)
    if case == "series":  # ends within a timestep, long before the last one
        raw = raw[:, :7]
    inputs = encode(network, raw[:1], 10)
    trace = run_engine(network, inputs, "reference")
    printed = make_and_run(tmp_path, raw[0].astype(raw.dtype.newbyteorder("=")).tobytes())
    (predicted,), logits = trace.predictions, trace.logits[-1, 0]
    assert printed == f"class {predicted} after 10 timesteps, logit {logits[predicted]}\n"


def test_flash_and_ram_of_the_encoder_are_measured() -> None:
    skip_without_tools("cortex-m")
    toolchain = TOOLCHAINS["cortex-m4"]
    network = encoder_network(CASES["mel"][0])
    plain = measure_footprint(replace(network, encoders=()), toolchain)
    encoding = measure_footprint(network, toolchain)
    encoder = CASES["mel"][0][0]
    ram = 2 * 20 + 4 * 64 + 4 * 9  # history, spectrum, levels
    assert 0 <= encoding.buffers - plain.buffers - ram <= 16
    assert encoding.tables - plain.tables >= sum(
        getattr(encoder, name).nbytes for name in ("window", "sine", "edges", "weight", "scale")
    )
    assert 500 < encoding.code - plain.code < 4000 and encoding.stack >= plain.stack


def test_instructions_of_the_encoder_are_counted(tmp_path: Path) -> None:
    skip_without_tools("cortex-m")
    network: Network = encoder_network(CASES["mel"][0])
    inputs = encode(network, CASES["mel"][1], 3)
    firmware = build_firmware(network, TOOLCHAINS["cortex-m4"], tmp_path, raw=True)
    recorded = record_run(network, firmware, inputs.events, 0, inputs.raw)
    assert (recorded.encoding > 1000).all()
    counted = count_encoding(network, TOOLCHAINS["cortex-m4"], 3)
    assert 0.5 < counted / recorded.encoding.mean() < 2


@pytest.mark.parametrize("case", ["peak", "short hop"])
def test_the_encoder_is_clean_under_sanitizers(case: str, tmp_path: Path) -> None:
    skip_without_tools("c")
    network = encoder_network(CASES[case][0])
    inputs = encode(network, CASES[case][1], 6)
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover")
    firmware = build_firmware(network, TOOLCHAINS["host"], tmp_path, raw=True, flags=sanitize)
    recorded = record_run(network, firmware, inputs.events, 0, inputs.raw)
    assert np.array_equal(recorded.events["input"], inputs.events["input"])
