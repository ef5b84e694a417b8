"""Run a process graph on Loihi 2, if Intel's package is installed.

That package is for members of Intel's research community only. The code follows its published
examples and is tested with a stand-in for it, never on a chip: compare the engines with `verify`.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Network, SumPool
from ...runtime.errors import EngineError
from ...runtime.neuron_types import list_features
from ...runtime.trace import Record
from ..passes.schedule import schedule


def check_available() -> None:
    """Check that Intel's package is installed.

    Raises:
        EngineError: It is not.
    """
    try:
        found = importlib.util.find_spec("lava.utils.loihi2_profiler")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise EngineError(
            "loihi2: needs lava-loihi, which Intel gives to members of its research community "
            "(INRC); without it, run in the simulator"
        )


def unsupported_features(network: Network, timesteps: int) -> Iterator[str]:
    """List the features of `network` that Loihi 2 does not support, one line each.

    Needs neither Lava nor a chip. Of Lava's processes the chip has `LIFReset`, `Dense`, `Sparse`
    and `Conv`; delays and graded spikes are models of pumice that run in the simulator only.
    """
    lags = schedule(network).lags
    for projection in network.projections:
        if projection.delay:
            yield f"{projection.name}: a delay that ends with the sample has no model for the chip"
        elif lags[projection.name] > 1:
            yield (
                f"{projection.name}: skips {lags[projection.name] - 1} hops; insert relay "
                "populations (pumice.deploy.passes.relays)"
            )
        if projection.weight_exponent and isinstance(projection.connection, Conv | SumPool):
            yield f"{projection.name}: Lava's Conv has no weight_exponent; scale the weights"
    for population in network.topological_order:
        for key in ("current_decay", "voltage_decay", "threshold"):
            if getattr(population, key).size > 1:
                yield f"{population.name}: {key} differs between neurons, the chip has one per core"
        if population.kind == "cuba" and population.value_bits > 1:
            yield f"{population.name}: graded spikes have no model for the chip; send one bit"
        for feature in list_features(population):
            yield f"{population.name}: {feature}: needs microcode, and pumice has none for the chip"
        if population.kind == "integrator":
            yield f"{population.name}: voltages cannot be read at each step; make it spike"
    if timesteps & (timesteps - 1):
        yield f"{timesteps} timesteps: neurons reset on the chip after a power of two; use one"


def check_supported(network: Network, timesteps: int, record: Record) -> None:
    """Check that Loihi 2 can run `network` and record what `record` asks for.

    Raises:
        EngineError: It cannot; the message has the first reason, and the number of others.
    """
    reasons = list(unsupported_features(network, timesteps))
    if record == "states":
        reasons.append("currents and voltages cannot be read at each step; use record='all'")
    if reasons:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise EngineError(f"loihi2: {reasons[0]}{more}")


def make_probes(steps: int) -> tuple[Any, Any]:
    """Create Intel's power and time probes for a run of `steps` steps.

    Their names and attributes are those of lava-dl's notebook
    tutorials/lava/lib/dl/netx/pilotnet_snn/benchmark.ipynb.
    """
    from lava.utils import loihi2_profiler

    return loihi2_profiler.Loihi2Power(num_steps=steps), loihi2_profiler.Loihi2ExecutionTime()


def run_on_chip(
    graph: Any,
    events: dict[str, NDArray[np.uint8]],
    steps: int,
    probes: Sequence[Any] = (),
) -> dict[str, Any]:
    """Run a process graph on the chip.

    Args:
        graph: The `ProcessGraph`.
        events: By input population, uint8 (steps, *shape). Spikes pass between host and chip
            through Intel's adapters.
        steps: Number of steps.
        probes: Callbacks before and after the run.

    Returns:
        The spikes of each population, axes in the network's order: (steps, *shape).
    """
    from lava.magma.core.run_configs import Loihi2HwCfg
    from lava.proc.embedded_io.spike import NxToPyAdapter, PyToNxAdapter
    from lava.proc.io import sink, source

    from .execute import execute

    for name, values in events.items():
        sender = source.RingBuffer(data=values.T)
        population = graph.network.population(name)
        bits = 0 if population.value_bits == 1 else population.value_bits
        to_chip = PyToNxAdapter(shape=sender.s_out.shape, num_message_bits=bits)
        sender.s_out.connect(to_chip.inp)
        graph.feed(name, to_chip.out)
    sinks = {}
    for name, neurons in graph.populations.items():
        from_chip = NxToPyAdapter(shape=neurons.s_out.shape)
        sinks[name] = sink.RingBuffer(shape=neurons.s_out.shape, buffer=steps)
        neurons.s_out.connect(from_chip.inp)
        from_chip.out.connect(sinks[name].a_in)
    models = {
        source.RingBuffer: source.PySendModelFixed,
        sink.RingBuffer: sink.PyReceiveModelFixed,
    }
    configuration = Loihi2HwCfg(
        select_tag="fixed_pt", exception_proc_model_map=models, callback_fxs=list(probes)
    )
    execute(list(sinks.values()), steps, configuration)
    spikes = {name: each.data.get().astype(np.uint8).T for name, each in sinks.items()}
    for runtime in {each.runtime for each in sinks.values()}:
        runtime.stop()
    return spikes
