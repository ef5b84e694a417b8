"""Run a network or a program on any engine, by name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

from ..errors import EngineError
from ..events import Events, as_events
from ..network import Network
from ..program import Program
from ..readout import input_lengths
from ..trace import Record, Trace
from .registry import Engine, get_engine


def run(
    network: Network | Program,
    inputs: Any,
    engine: str = "cpu",
    record: Record = "all",
    **options: Any,
) -> Trace:
    """Run a network on one of the engines; all of them give the same trace, bit for bit.

    Args:
        network: Network to run. A program runs as its network, except that Lava runs a process
            for each slice of each core.
        inputs: Events, uint8 (timesteps, batch, *input shape), see `pumice.runtime.events`: an
            array where the network has one input, a mapping from input population to array, or an
            object with such `events`, as part of a data set (`data.test`) or what
            `pumice.encode` returns, whose raw input the firmware encodes itself.
        engine: "reference" (numpy), "cpu" (compiled, event-driven), "onnx" (ONNX Runtime),
            "lava" (Lava's simulator), or the exported firmware: "c" (on this machine), "cortex-m"
            or "riscv" (on an emulated microcontroller).
        record: "output" records the spikes of the output population and the voltages of
            integrators, "all" the spikes of every population, "states" also the current and the
            voltage of every neuron after each timestep. Spike counts are always recorded.
        **options: Options of that engine, such as `threads` of "cpu".

    Returns:
        The trace, from zero state.

    Raises:
        EngineError: Unknown engine, record or option, events that do not fit the inputs, or a
            failed run.
        MissingPackage: A package that the engine needs is not installed.
    """
    if record not in get_args(Record):
        raise EngineError(f"record={record!r}, needs one of {', '.join(get_args(Record))}")
    events = as_events(plain_network(network, "run"), inputs)
    chosen = get_engine(engine)
    return run_on(chosen, network, events, record, **raw_option(chosen, inputs), **options)


def run_on(
    engine: Engine,
    network: Network | Program,
    events: Events,
    record: Record = "all",
    **options: Any,
) -> Trace:
    """Run validated `events` on `engine`, which gets a program as such if it takes one."""
    function: Callable[..., Trace] = engine.load()
    engine.check_options(options)
    plain = plain_network(network, engine.name)
    model = network if engine.takes_program else plain
    trace = replace(function(model, events, record, **options), network=plain)
    return add_lengths(trace, plain, events)


def add_lengths(trace: Trace, network: Network, events: Events) -> Trace:
    """Add the lengths of the samples to a trace, where the readout of the network needs them."""
    if network.readout.decision != "length":
        return trace
    arrays = events if isinstance(events, Mapping) else {network.inputs[0].name: events}
    return replace(trace, lengths=input_lengths(arrays))


def raw_option(engine: Engine, inputs: Any) -> dict[str, Any]:
    """Raw input of `inputs` as an option of an engine that encodes it; empty for others."""
    raw = getattr(inputs, "raw", None)
    return {"raw": raw} if engine.encodes and raw is not None else {}


def plain_network(network: Network | Program, who: str) -> Network:
    """Take the network of a program; raises `EngineError` for anything else than the two."""
    if isinstance(network, Program):
        return network.network
    if not isinstance(network, Network):
        kind = type(network).__name__
        raise EngineError(f"{who}: a {kind} cannot run, needs a Network or a Program")
    return network
