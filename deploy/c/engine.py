"""Engines `c`, `cortex-m` and `riscv`: the exported firmware, compiled and run on recorded events.

`c` runs on this machine, the others in QEMU's emulation of a Cortex-M4 and of a 32-bit RISC-V
processor.
"""

import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Network, Trace
from ...runtime.errors import EngineError
from ...runtime.events import Events, validate_events
from ...runtime.population import ENCODERS
from ...runtime.trace import Record, hold_after_exit, select_recorded
from .build import TOOLCHAINS, Firmware, Toolchain, build_firmware, run_program

RECORD_SPIKES, RECORD_STATES, RECORD_EVENTS = 1, 2, 4
Raw = NDArray[Any] | None  # input of an encoder, (timesteps, samples, *shape)
STATUS = {-3: "the tables are damaged: their CRC-32 differs"}


@dataclass
class FirmwareRecord:
    """Recording of a firmware run.

    Attributes:
        spikes: By population, uint8 (timesteps, batch, neurons), or int32 of messages.
        voltages: By population, int32 (timesteps, batch, neurons).
        currents: The same of currents.
        steps: Timesteps that each sample ran, int64 (batch,).
        instructions: Instructions of each timestep, float64 (timesteps, batch); 0 after the sample
            has stopped, and where nothing counts them.
        predictions: Predicted class after each timestep, int64 (timesteps, batch).
        events: Events that the firmware encoded, by input population, uint8 (timesteps, batch,
            *shape); empty where it got events.
        encoding: Instructions of the encoder in each timestep, float64 (timesteps, batch).
        stack: Bytes of stack that the program used, runner included; 0 where unknown.
        plastic: Plastic weights after the last sample, uint8, in the order of the firmware.
    """

    spikes: dict[str, NDArray[Any]] = field(default_factory=dict)
    voltages: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    currents: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    instructions: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    predictions: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    events: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    encoding: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    stack: int = 0
    plastic: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))


def run(network: Network, events: Events, record: Record = "all", raw: Raw = None) -> Trace:
    """Run the firmware on this machine, compiled by gcc; see `pumice.runtime.run`.

    With `raw`, the input of each timestep (`EncodedInputs.raw`), the firmware encodes it, and the
    events of the trace are those that it computed.
    """
    return run_on_toolchain(network, events, record, TOOLCHAINS["host"], raw)


def run_cortex_m(
    network: Network,
    events: Events,
    record: Record = "all",
    raw: Raw = None,
    cpu: str = "cortex-m4",
) -> Trace:
    """Run the firmware on an emulated Cortex-M4, or another `cpu` ("cortex-m7"); see `run`."""
    if cpu not in TOOLCHAINS:
        names = ", ".join(name for name in TOOLCHAINS if name.startswith("cortex"))
        raise EngineError(f"cortex-m: no cpu {cpu!r}; there are {names}")
    return run_on_toolchain(network, events, record, TOOLCHAINS[cpu], raw)


def run_riscv(network: Network, events: Events, record: Record = "all", raw: Raw = None) -> Trace:
    """Run the firmware on an emulated 32-bit RISC-V processor (rv32imac); see `run`."""
    return run_on_toolchain(network, events, record, TOOLCHAINS["rv32imac"], raw)


def run_on_toolchain(
    network: Network, events: Events, record: Record, toolchain: Toolchain, raw: Raw = None
) -> Trace:
    """Compile `network` with `toolchain` and run it on `events` from zero state.

    Raises:
        MissingPackage: A tool is not installed.
        EngineError: The events do not fit, or the program does not compile, fit or end.
    """
    validated = validate_events(network, events)
    states = record == "states"
    with tempfile.TemporaryDirectory(prefix="pumice-") as folder:
        firmware = build_firmware(
            network, toolchain, Path(folder), trace=states, raw=raw is not None
        )
        what = RECORD_SPIKES + RECORD_STATES * states
        recorded = record_run(network, firmware, validated, what, raw)
    return _to_trace(network, {**validated, **recorded.events}, recorded, record)


def record_run(
    network: Network,
    firmware: Firmware,
    events: Mapping[str, NDArray[np.uint8]],
    what: int,
    raw: Raw = None,
) -> FirmwareRecord:
    """Run `firmware` on validated `events`, or on `raw` input, and read what it recorded.

    `what` adds up `RECORD_SPIKES` (with the voltages of integrators) and `RECORD_STATES`.
    """
    timesteps, batch = next(iter(events.values())).shape[:2]
    frames = np.concatenate(
        [events[p.name].reshape(timesteps, batch, -1) for p in network.inputs], axis=2
    )
    if raw is not None:
        if raw.shape[:2] != (timesteps, batch):
            raise EngineError(f"raw input is {raw.shape}, but events are of {(timesteps, batch)}")
        frames = raw.reshape(timesteps, batch, -1)
        frames = frames.astype(frames.dtype.newbyteorder("<"))
    header = struct.pack("<3I", timesteps, batch, what)
    recorded = header + frames.transpose(1, 0, 2).tobytes()
    data = run_program(firmware.toolchain, firmware.program, recorded)
    what += RECORD_EVENTS * (raw is not None)
    return read_record(network, data, (timesteps, batch), what, firmware.toolchain)


def read_record(
    network: Network, data: bytes, shape: tuple[int, int], what: int, toolchain: Toolchain
) -> FirmwareRecord:
    """Parse `output.bin` of the runner, for `shape` (timesteps, batch).

    Raises:
        EngineError: The firmware found its tables damaged, or the record is cut short.
    """
    recorded = FirmwareRecord(
        steps=np.zeros(shape[1], np.int64),
        instructions=np.zeros(shape),
        predictions=np.zeros(shape, np.int64),
        encoding=np.zeros(shape),
    )
    columns = _columns(network, recorded, shape, what & ~RECORD_EVENTS)
    if what & RECORD_EVENTS:
        (population,) = network.inputs
        events = np.zeros((*shape, population.neurons), np.uint8)
        columns.insert(0, events)
        recorded.events[population.name] = events.reshape(*shape, *population.shape)
    status = struct.unpack_from("<i", data)[0]
    if status:
        raise EngineError(f"{toolchain.name}: {STATUS.get(status, f'status {status}')}")
    at = 4
    for sample in range(shape[1]):
        while struct.unpack_from("<I", data, at)[0]:
            step = int(recorded.steps[sample])
            ticks, prediction = struct.unpack_from("<2I", data, at + 4)
            recorded.instructions[step, sample] = ticks * toolchain.instructions_per_tick
            recorded.predictions[step:, sample] = prediction
            recorded.steps[sample] += 1
            at += 12
            if what & RECORD_EVENTS:
                ticks = struct.unpack_from("<I", data, at)[0]
                recorded.encoding[step, sample] = ticks * toolchain.instructions_per_tick
                at += 4
            for array in columns:
                row = array[step, sample]
                row[:] = np.frombuffer(data, row.dtype, row.size, at)
                at += row.nbytes
        at += 4
    recorded.stack = struct.unpack_from("<I", data, at)[0]
    recorded.plastic = np.frombuffer(data, np.uint8, offset=at + 4)
    return recorded


def _columns(
    network: Network, recorded: FirmwareRecord, shape: tuple[int, int], what: int
) -> list[NDArray[Any]]:
    """Allocate the recorded arrays, and list them in the order in which the runner writes them."""
    columns: list[NDArray[Any]] = []
    for population in network.topological_order if what else ():
        size = (*shape, population.neurons)
        if population.kind != "integrator":
            dtype = "<i4" if population.kind in ENCODERS else np.uint8
            recorded.spikes[population.name] = np.zeros(size, dtype)
            columns.append(recorded.spikes[population.name])
        if population.kind == "integrator" or what & RECORD_STATES:
            recorded.voltages[population.name] = np.zeros(size, "<i4")
            columns.append(recorded.voltages[population.name])
        if what & RECORD_STATES:
            recorded.currents[population.name] = np.zeros(size, "<i4")
            columns.append(recorded.currents[population.name])
    return columns


def _to_trace(
    network: Network,
    events: Mapping[str, NDArray[np.uint8]],
    recorded: FirmwareRecord,
    record: Record,
) -> Trace:
    """Shape a record as the trace of an engine."""
    timesteps, batch = recorded.instructions.shape
    active = np.arange(timesteps)[:, None] < recorded.steps
    spikes = {
        name: array * active.reshape(*active.shape, *(1,) * (array.ndim - 2)).astype(np.uint8)
        for name, array in events.items()
    }
    shapes = {p.name: (timesteps, batch, *p.shape) for p in network.topological_order}
    spikes |= {name: array.reshape(shapes[name]) for name, array in recorded.spikes.items()}
    voltages, currents = (
        {
            name: hold_after_exit(array.reshape(shapes[name]), recorded.steps)
            for name, array in arrays.items()
        }
        for arrays in (recorded.voltages, recorded.currents)
    )
    counts = {name: (array != 0).sum(axis=0, dtype=np.int32) for name, array in spikes.items()}
    trace = Trace(
        timesteps, batch, spikes, counts, voltages, recorded.steps, currents, network=network
    )
    return select_recorded(network, trace, record)
