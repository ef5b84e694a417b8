"""Profile of firmware: memory, instructions, time and energy on a microcontroller."""

from pathlib import Path

import numpy as np
import pytest
from command import pumice
from firmware import deep_network, skip_without_tools

from pumice.deploy.c.footprint import Footprint
from pumice.deploy.c.profile import explain_excess, profile_firmware
from pumice.deploy.profile import profile, profiles_to_dict
from pumice.deploy.targets.target import read_target
from pumice.runtime import Dense, Network, Population, Projection, write_network
from pumice.runtime.engines import reference
from pumice.runtime.errors import EngineError, PlacementError


def test_time_and_energy_follow_from_instructions() -> None:
    skip_without_tools("cortex-m")
    network, events = deep_network()
    trace = reference.run(network, events)
    result = profile(network, trace, "cortex-m4").firmware
    assert result and not result.error and result.samples == 6
    assert len(result.instructions) == 12
    assert list(result.instructions) == sorted(result.instructions)
    count, mcu = result.instructions[-1], read_target("cortex-m4").mcu
    assert mcu and count > 10_000
    assert result.time[-1] == pytest.approx((count / 80e6, 2 * count / 80e6))
    assert result.energy[-1] == pytest.approx((count * 180e-12, 2 * count * 330e-12))


def test_instructions_are_counted() -> None:
    """Two processors of one instruction set count nearly the same; work adds instructions."""
    skip_without_tools("cortex-m")
    network, events = deep_network()
    trace = reference.run(network, events)
    silent = reference.run(network, {name: 0 * array for name, array in events.items()})
    counts = []
    for target in ("cortex-m4", "cortex-m7"):
        mcu = read_target(target).mcu
        assert mcu
        counts.append(profile_firmware(network, trace, mcu).instructions[0])
        assert profile_firmware(network, silent, mcu).instructions[0] < 0.8 * counts[-1]
    assert counts[0] == pytest.approx(counts[1], rel=0.1)


def wide_network() -> Network:
    rng = np.random.default_rng(0)
    weights = rng.integers(-128, 128, (9000, 20)) * 2
    return Network(
        (Population("in", (20,), kind="input"), Population("out", (9000,), kind="integrator")),
        (Projection("p", "in", "out", Dense(weights)),),
    )


def test_what_does_not_fit_says_which_limit_by_how_much_and_what_helps() -> None:
    skip_without_tools("riscv")
    network = wide_network()
    trace = reference.run(network, np.ones((2, 1, 20), np.uint8))
    result = profile(network, trace, "rv32imac")
    assert result.firmware and result.firmware.instructions
    size = result.firmware.footprint
    assert result.placement_error == (
        f"flash: needs {size.flash:,} bytes, {size.flash - 131072:,} more than 131,072; convert "
        "with weight_bits=5 or fewer, or sparsify its largest layer. "
        f"RAM: needs {size.ram:,} bytes, {size.ram - 32768:,} more than 32,768; the states of out "
        "take 36,000: use fewer channels or a larger stride there, or current_decay 4096, which "
        "needs no stored currents"
    )


def test_a_network_that_is_far_too_large_is_told_so() -> None:
    mcu = read_target("rv32imac").mcu
    assert mcu
    text = explain_excess(wide_network(), Footprint(3000, 2_000_000, 1000, 100), mcu)
    assert text.endswith("its constants need 15.6 times the room: use smaller layers")


def test_a_trace_without_events_is_one_line() -> None:
    skip_without_tools("cortex-m")
    network, events = deep_network()
    trace = reference.run(network, events, "output")
    with pytest.raises(EngineError, match="record='all'"):
        profile(network, trace, "cortex-m4")


def test_a_microcontroller_is_no_chip_to_place_on() -> None:
    from pumice.deploy.placement.place import place

    with pytest.raises(PlacementError) as caught:
        place(wide_network(), "cortex-m4")
    assert str(caught.value) == (
        "cortex-m4: a microcontroller, which holds a network whole; export firmware: "
        "network.to_c(folder)"
    )


def test_the_command_prints_memory_and_instructions(tmp_path: Path) -> None:
    skip_without_tools("cortex-m")
    folder = tmp_path
    network = Network(
        (Population("in", (20,), kind="input"), Population("out", (4,), kind="integrator")),
        (Projection("p", "in", "out", Dense(np.ones((4, 20), np.int16))),),
    )
    write_network(folder / "model.pumice", network)
    np.savez(folder / "events.npz", events=np.ones((3, 2, 20), np.uint8))
    options = (folder / "model.pumice", "--events", folder / "events.npz", "--target", "cortex-m4")
    result = pumice("profile", *options)
    assert result.status == 0, result.err
    assert "Cortex-M4 (STM32L476): flash " in result.out and "instructions" in result.out
    document = pumice("profile", *options, "--json").document["targets"][0]["firmware"]
    assert document["processor"] == "cortex-m4" and len(document["instructions"]) == 3
    trace = reference.run(network, np.ones((3, 2, 20), np.uint8))
    profiles = [profile(network, trace, "cortex-m4")]
    assert profiles_to_dict(network, trace, profiles)["targets"][0]["placement"] is None
    assert "flash" in repr(profiles[0]) and "timesteps" in str(profiles[0].summary())
