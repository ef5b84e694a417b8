"""Profile of exported firmware on a microcontroller: memory, instructions, time and energy.

Memory comes from the compiler and linker. Instructions are counted by QEMU while the firmware runs
recorded samples; cycles an instruction, clock and energy a cycle are figures of the target.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...runtime import Network, Trace
from ...runtime.arithmetic import DECAY_ONE
from ...runtime.encoders.inputs import random_raw_inputs
from ...runtime.errors import EngineError
from ...runtime.events import validate_events
from ..targets.target import Microcontroller
from .build import TOOLCHAINS, BoardExceeded, Toolchain, build_firmware
from .engine import record_run
from .footprint import Footprint, measure_footprint

MAX_SAMPLES = 16  # that the emulator runs
Range = tuple[float, float]


@dataclass(frozen=True)
class FirmwareProfile:
    """Firmware of a network on a microcontroller.

    Attributes:
        processor: Processor that it was compiled for and emulated on.
        footprint: Bytes of flash and RAM.
        samples: Number of samples that were run.
        instructions: Instructions of an inference that stops after 1, 2, ... timesteps, a mean over
            samples, those of the encoder included; empty where the emulated board cannot hold the
            network.
        encoding: Instructions of the encoder per timestep; 0 without one.
        time: The same in seconds, (min, max).
        energy: The same in joules, (min, max).
        error: If the target does not hold the network, the limit, the excess and a remedy.
    """

    processor: str
    footprint: Footprint
    samples: int
    instructions: tuple[float, ...]
    time: tuple[Range, ...]
    energy: tuple[Range, ...]
    error: str = ""
    encoding: float = 0.0


def profile_firmware(network: Network, trace: Trace, target: Microcontroller) -> FirmwareProfile:
    """Compile `network` for a microcontroller and run samples of `trace` on its emulation.

    Args:
        network: Network.
        trace: A run of it that holds the events of its inputs (`record="all"`).
        target: Microcontroller.

    Raises:
        MissingPackage: A tool is not installed; the text names the command that installs it.
        EngineError: The trace lacks events, or the firmware predicts otherwise than the trace.
    """
    toolchain = TOOLCHAINS[target.processor]
    footprint = measure_footprint(network, toolchain)
    error = explain_excess(network, footprint, target)
    try:
        counts = count_instructions(network, trace, toolchain, MAX_SAMPLES)
        encoding = count_encoding(network, toolchain, trace.timesteps)
    except BoardExceeded:
        if not error:
            raise
        return FirmwareProfile(target.processor, footprint, 0, (), (), (), error)
    counts = [count + encoding * step for step, count in enumerate(counts, 1)]
    return FirmwareProfile(
        target.processor,
        footprint,
        min(trace.batch, MAX_SAMPLES),
        tuple(counts),
        *_time_and_energy(counts, target),
        error,
        encoding,
    )


def count_instructions(
    network: Network, trace: Trace, toolchain: Toolchain, samples: int
) -> list[float]:
    """Count the instructions of an inference that stops after 1, 2, ... timesteps.

    Args:
        network: Network.
        trace: A run of it that holds the events of its inputs (`record="all"`).
        toolchain: Processor with an emulator.
        samples: Number of samples of the trace to run at most; the counts are their means.

    Raises:
        MissingPackage: A tool is not installed.
        EngineError: The trace lacks events, the emulated board cannot hold the network, or the
            firmware predicts otherwise than the trace.
    """
    lacking = [p.name for p in network.inputs if p.name not in trace.spikes]
    if lacking:
        raise EngineError(f"{lacking[0]}: its events were not recorded; run with record='all'")
    events = validate_events(
        network, {p.name: trace.spikes[p.name][:, :samples] for p in network.inputs}
    )
    with tempfile.TemporaryDirectory(prefix="pumice-") as folder:
        firmware = build_firmware(network, toolchain, Path(folder))
        recorded = record_run(network, firmware, events, 0)
    expected, actual = trace.predictions[:samples], recorded.predictions[-1]
    if not np.array_equal(expected, actual):
        sample = int(np.flatnonzero(expected != actual)[0])
        raise EngineError(
            f"firmware: predicts {actual[sample]} for sample {sample}, needs {expected[sample]}"
        )
    counts: list[float] = recorded.instructions.mean(axis=1).cumsum().tolist()
    return counts


def count_encoding(network: Network, toolchain: Toolchain, timesteps: int) -> float:
    """Count the instructions of the encoders per timestep; 0 without encoders.

    They hardly depend on the input: counted are those of random input, a mean over `timesteps`.

    Raises:
        MissingPackage: A tool is not installed.
        EngineError: The emulated board cannot hold the network.
    """
    if not network.encoders:
        return 0.0
    inputs = random_raw_inputs(network, timesteps)
    with tempfile.TemporaryDirectory(prefix="pumice-") as folder:
        firmware = build_firmware(network, toolchain, Path(folder), raw=True)
        recorded = record_run(network, firmware, inputs.events, 0, inputs.raw)
    steps = recorded.encoding[: int(recorded.steps[0])]
    return float(steps.mean())


def _time_and_energy(
    instructions: list[float], target: Microcontroller
) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    clock = target.clock.range[0]
    time, energy = [], []
    for count in instructions:
        low, high = (count * cycles for cycles in target.instruction.range)
        time.append((low / clock, high / clock))
        energy.append((low * target.cycle.range[0], high * target.cycle.range[1]))
    return tuple(time), tuple(energy)


def explain_excess(network: Network, footprint: Footprint, target: Microcontroller) -> str:
    """State the exceeded limit, by how much, and the remedy; empty where the firmware fits."""
    flash, ram = footprint.flash - target.flash.value, footprint.ram - target.ram.value
    parts = []
    if flash > 0:
        parts.append(
            f"flash: needs {footprint.flash:,} bytes, {flash:,} more than {target.flash.value:,}; "
            f"{_flash_remedy(footprint, target)}"
        )
    if ram > 0:
        parts.append(
            f"RAM: needs {footprint.ram:,} bytes, {ram:,} more than {target.ram.value:,}; "
            f"{_ram_remedy(network)}"
        )
    return ". ".join(parts)


def _flash_remedy(footprint: Footprint, target: Microcontroller) -> str:
    room = target.flash.value - footprint.code
    fraction = room / footprint.tables
    bits = int(8 * fraction)
    if bits >= 2:
        return f"convert with weight_bits={bits} or fewer, or sparsify its largest layer"
    return f"its constants need {1 / max(fraction, 1e-9):,.1f} times the room: use smaller layers"


def _ram_remedy(network: Network) -> str:
    states = {
        p.name: p.neurons * (8 if int(p.current_decay.min()) < DECAY_ONE else 4)
        for p in network.topological_order
    }
    name = max(states, key=lambda each: states[each])
    return (
        f"the states of {name} take {states[name]:,}: use fewer channels or a larger stride there, "
        "or current_decay 4096, which needs no stored currents"
    )
