"""The exported firmware computes what the reference computes, on every processor."""

import shutil
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from firmware import Events, deep_network, one_neuron, skip_without_tools
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from messages import message_runs
from nightly import thousands
from strategies import runs, stopping_runs

from pumice.deploy.c.engine import run, run_cortex_m, run_riscv
from pumice.runtime import Conv, Dense, Network, Population, Projection, Trace
from pumice.runtime.divergence import first_divergence
from pumice.runtime.engines import reference
from pumice.runtime.engines.cpu import engine as cpu
from pumice.runtime.engines.registry import ENGINES
from pumice.runtime.engines.run import run as run_engine
from pumice.runtime.errors import EngineError, MissingPackage
from pumice.runtime.verify import verify

# How many random networks each engine runs in CI.
COUNTS = {"c": 300, "cortex-m": 30, "cortex-m7": 4, "riscv": 10}
# How many each runs in a night (`-m slow`), whole or in parts: `c` compiles each.
NIGHTLY = {"cpu": 10_000, "c": 10_000, "cortex-m": 300, "riscv": 300}
RUN: dict[str, Any] = {
    "c": run,
    "cortex-m": run_cortex_m,
    "cortex-m7": partial(run_cortex_m, cpu="cortex-m7"),
    "riscv": run_riscv,
}
PRESENT = st.sampled_from((runs, runs, stopping_runs)).flatmap(lambda strategy: strategy())


def assert_equal(network: Network, expected: Trace, actual: Trace) -> None:
    """Compare every spike, count, current and voltage, and the timesteps run."""
    assert first_divergence(network, expected, actual, "firmware") is None
    assert expected.steps.tolist() == actual.steps.tolist()
    for name, array in actual.spikes.items():
        assert array.dtype == expected.spikes[name].dtype
        assert array.shape == expected.spikes[name].shape


@pytest.mark.parametrize("name", COUNTS)
def test_random_networks_equal_the_reference(name: str) -> None:
    skip_without_tools(name)

    @settings(
        max_examples=COUNTS[name],
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(PRESENT)
    def compare(drawn: tuple[Network, Events]) -> None:
        network, events = drawn
        expected = reference.run(network, events, "states")
        assert_equal(network, expected, RUN[name](network, events, "states"))

    compare()


@pytest.mark.parametrize(("name", "count"), [("c", 25), ("cortex-m", 6), ("riscv", 3)])
def test_random_sigma_delta_networks_equal_the_reference(name: str, count: int) -> None:
    skip_without_tools(name)

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(message_runs(narrow=True))
    def compare(drawn: tuple[Network, Events]) -> None:
        network, events = drawn
        expected = reference.run(network, events, "states")
        assert_equal(network, expected, RUN[name](network, events, "states"))

    compare()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), list(NIGHTLY.items()))
def test_thousands_of_networks_equal_the_reference(name: str, count: int) -> None:
    """`cpu` takes every instruction variant, and threads that share each sample."""
    if name != "cpu":
        skip_without_tools(name)
    elif not cpu.VARIANTS:
        pytest.skip("needs the C core")

    @thousands(count)
    @given(PRESENT)
    def compare(drawn: tuple[Network, Events]) -> None:
        network, events = drawn
        expected = reference.run(network, events, "states")
        if name != "cpu":
            assert_equal(network, expected, RUN[name](network, events, "states"))
            return
        with patch.multiple(cpu, WORK=0, SHARE=1):
            for variant in cpu.VARIANTS:
                for threads in (1, 3):
                    found = cpu.run(network, events, "states", threads, variant)
                    assert_equal(network, expected, found)

    compare()


@pytest.mark.parametrize("name", COUNTS)
def test_hand_worked_steps(name: str) -> None:
    skip_without_tools(name)
    events = np.ones((4, 1, 1), np.uint8)
    trace = RUN[name](one_neuron(), events, "states")
    # 100 a step against a threshold of 150, in 1/64: 6400, 12800 > 9600 fires and resets.
    assert trace.voltages["out"].reshape(-1).tolist() == [6400, 0, 6400, 0]
    assert trace.spikes["out"].reshape(-1).tolist() == [0, 1, 0, 1]
    # Half of the current stays: 6400, 9600, 11200, 12000; the voltage leaks by a quarter:
    # 6400, 14400 fires, 11200 fires, 12000 fires.
    leaky = one_neuron(current_decay=2048, voltage_decay=1024)
    trace = RUN[name](leaky, events, "states")
    assert trace.currents["out"].reshape(-1).tolist() == [6400, 9600, 11200, 12000]
    assert trace.voltages["out"].reshape(-1).tolist() == [6400, 0, 0, 0]


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("record", ["output", "all", "states"])
def test_every_feature_and_what_is_recorded(name: str, record: Any) -> None:
    skip_without_tools(name)
    network, events = deep_network()
    expected = reference.run(network, events, record)
    assert 1 < expected.steps.min() < expected.steps.max()  # some stop early, at different steps
    assert all(array.any() for array in expected.spikes.values())
    actual = RUN[name](network, events, record)
    assert_equal(network, expected, actual)
    assert set(actual.spikes) == set(expected.spikes)
    assert set(actual.voltages) == set(expected.voltages)


@pytest.mark.parametrize(
    ("name", "bits"), [*(("c", bits) for bits in range(1, 9)), ("cortex-m", 8), ("riscv", 8)]
)
def test_weights_of_every_number_of_bits(name: str, bits: int) -> None:
    skip_without_tools(name)
    rng = np.random.default_rng(bits)
    high = 2**bits - 1
    for low, top, scale in ((0, high, 1), (-high, 0, 1), (-(2 ** (bits - 1)), high // 2, 2)):
        conv = rng.integers(low, top + 1, (11, 2, 3, 3)) * scale
        dense = rng.integers(low, top + 1, (17, 44)) * scale
        network = Network(
            (
                Population("in", (2, 4, 4), kind="input"),
                Population("conv", (11, 2, 2), threshold=1),
                Population("out", (17,), kind="integrator"),
            ),
            (
                Projection("a", "in", "conv", Conv(conv)),
                Projection("b", "conv", "out", Dense(dense)),
            ),
        )
        events = (rng.random((5, 3, 2, 4, 4)) < 0.3).astype(np.uint8)
        expected = reference.run(network, events, "states")
        assert_equal(network, expected, RUN[name](network, events, "states"))


@pytest.mark.parametrize("rate", [0.1, 1.0])
@pytest.mark.parametrize("sign", [-255, 255])
@pytest.mark.parametrize("name", COUNTS)
def test_many_events_of_the_largest_weights(name: str, sign: int, rate: float) -> None:
    """More events than are added together in registers, whose sums have 16 bits there."""
    skip_without_tools(name)
    rng = np.random.default_rng(1)
    populations = (
        Population("in", (70, 2, 2), kind="input"),
        Population("conv", (19, 2, 2), threshold=131071),
        Population("out", (19,), kind="integrator"),
    )
    projections = (
        Projection("a", "in", "conv", Conv(np.full((19, 70, 3, 3), sign), padding=(1, 1))),
        Projection("b", "in", "out", Dense(np.full((19, 280), sign))),
    )
    network = Network(populations, projections)
    events = (rng.random((2, 2, 70, 2, 2)) < rate).astype(np.uint8)
    expected = reference.run(network, events, "states")
    assert_equal(network, expected, RUN[name](network, events, "states"))


def test_verify_takes_the_engines() -> None:
    for name in ("c", "cortex-m", "riscv"):
        skip_without_tools(name)
    network, events = deep_network()
    report = verify(network, events, "c,cortex-m,riscv", "states")
    assert report.passed and [each.engine for each in report.results] == ["c", "cortex-m", "riscv"]


def test_a_missing_tool_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for name, packages in (
        ("c", "gcc"),
        ("cortex-m", "gcc-arm-none-eabi qemu-system-arm"),
        ("riscv", "gcc-riscv64-unknown-elf qemu-system-misc"),
    ):
        with pytest.raises(MissingPackage) as caught:
            run_engine(one_neuron(), np.ones((1, 1, 1), np.uint8), name)
        tools = ", ".join(ENGINES[name].tools)
        assert str(caught.value) == f"{name}: needs {tools}; apt-get install {packages}"
        with pytest.raises(MissingPackage, match="apt-get install gcc"):
            RUN[name](one_neuron(), np.ones((1, 1, 1), np.uint8))


def test_an_unknown_processor_is_one_line() -> None:
    skip_without_tools("cortex-m")
    with pytest.raises(EngineError) as caught:
        run_engine(one_neuron(), np.ones((1, 1, 1), np.uint8), "cortex-m", cpu="cortex-m1")
    assert str(caught.value) == "cortex-m: no cpu 'cortex-m1'; there are cortex-m4, cortex-m7"


def test_a_network_beyond_the_emulated_board_is_one_line() -> None:
    skip_without_tools("cortex-m")
    wide = replace(
        one_neuron(),
        populations=(Population("in", (1,), kind="input"), Population("out", (1_100_000,))),
        projections=(),
    )
    with pytest.raises(EngineError, match=r"^cortex-m4: region `ram' overflowed by \d+ bytes$"):
        run_engine(wide, np.ones((1, 1, 1), np.uint8), "cortex-m")
