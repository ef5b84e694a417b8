from pathlib import Path

import numpy as np
import pytest
from command import EVENTS, NETWORK

from pumice.runtime.engines import cpu, reference
from pumice.runtime.errors import EngineError
from pumice.runtime.host_timing import (
    cpu_name,
    energy_between,
    read_rapl,
    time_on_host,
)


def package(folder: Path, name: str, energy: str, most: str = "262143328850") -> Path:
    """A counter as the kernel shows it."""
    folder.mkdir(parents=True)
    for key, text in (("name", name), ("energy_uj", energy), ("max_energy_range_uj", most)):
        (folder / key).write_text(f"{text}\n")
    return folder


def test_each_package_is_counted_once_and_its_parts_are_not(tmp_path: Path) -> None:
    package(tmp_path / "intel-rapl:0", "package-0", "1000")
    package(tmp_path / "intel-rapl:0:0", "core", "400")
    package(tmp_path / "intel-rapl:1", "package-1", "50", "99")
    assert read_rapl(tmp_path) == {"intel-rapl:0": (1000, 262143328850), "intel-rapl:1": (50, 99)}


def test_a_counter_that_wraps_still_counts() -> None:
    before, after = {"a": (90, 99), "b": (5, 99)}, {"a": (20, 99), "b": (7, 99)}
    assert energy_between(before, after) == pytest.approx(32e-6)


def test_without_counters_energy_is_none(tmp_path: Path) -> None:
    package(tmp_path / "intel-rapl:0", "package-0", "not a number")
    assert read_rapl(tmp_path) == read_rapl(tmp_path / "absent") == {}
    assert energy_between({}, {}) is None


def test_percentiles_rise_and_a_step_is_shorter_than_an_inference(tmp_path: Path) -> None:
    result = time_on_host(NETWORK, EVENTS, "cpu", cpu.run, runs=12, powercap=tmp_path)
    assert result.step and 0 < result.step[0] <= result.step[1] <= result.step[2]
    assert 0 < result.inference[0] <= result.inference[1] <= result.inference[2]
    assert result.joules is None and result.runs == 12 and result.processor


def test_joules_are_those_between_the_readings_by_inference(tmp_path: Path) -> None:
    """An engine that itself moves the counter on by 3 J."""
    folder = package(tmp_path / "intel-rapl:0", "package-0", "0")

    def run(*arguments: object) -> object:
        energy = folder / "energy_uj"
        energy.write_text(str(int(energy.read_text()) + 3_000_000))
        return reference.run(*arguments)  # type: ignore[arg-type]

    result = time_on_host(NETWORK, EVENTS, "reference", run, runs=5, powercap=tmp_path)  # type: ignore[arg-type]
    assert result.joules == pytest.approx(3.0) and result.step is None


def test_each_sample_is_run_alone() -> None:
    shapes = []

    def run(*arguments: object) -> object:
        shapes.append(arguments[1]["in"].shape)  # type: ignore[index]
        return reference.run(*arguments)  # type: ignore[arg-type]

    time_on_host(NETWORK, EVENTS, "reference", run, runs=2)  # type: ignore[arg-type]
    assert set(shapes) == {(5, 1, 2, 6, 6)} and len(shapes) == 4


def test_the_cpu_name_is_that_of_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: A 9 Chip\n")
    assert cpu_name(tmp_path / "cpuinfo") == "A 9 Chip"
    assert isinstance(cpu_name(tmp_path / "absent"), str)


def test_events_that_do_not_fit_are_rejected() -> None:
    with pytest.raises(EngineError):
        time_on_host(NETWORK, np.zeros((2, 1, 3), np.uint8), "cpu", cpu.run)
