"""The same graph on Loihi 2, where Intel's package is installed.

That package belongs to Intel's research community and cannot be had otherwise. What is done here
follows its published examples and is tested with a stand-in for it, never on a chip: let `conform`
compare.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Network, SumPool
from ...runtime.errors import EngineError
from ..passes.schedule import schedule


def check_available() -> None:
    """Raise `EngineError` where Intel's package is not installed."""
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
    """Say, a line each, what keeps `network` from Loihi 2; needs neither Lava nor a chip.

    Of Lava's processes the chip has `LIFReset`, `Dense`, `Sparse` and `Conv`. Delays and relays are
    models of ours that run in the simulator only.
    """
    lags = schedule(network).lags
    for projection in network.projections:
        if projection.delay:
            yield f"{projection.name}: a delay that ends with the sample has no model for the chip"
        elif lags[projection.name] > 1:
            late = lags[projection.name] - 1
            yield f"{projection.name}: skips {late} hops; put in relays (pumice.deploy.passes.relays)"
        if projection.weight_exponent and isinstance(projection.connection, Conv | SumPool):
            yield f"{projection.name}: Lava's Conv has no weight_exponent; scale the weights"
    for population in network.topological_order:
        for key in ("current_decay", "voltage_decay", "threshold"):
            if getattr(population, key).size > 1:
                yield f"{population.name}: {key} differs between neurons, the chip has one a core"
        if population.kind == "cuba" and population.value_bits > 1:
            yield f"{population.name}: graded spikes have no model for the chip, send one bit"
        if population.kind == "integrator":
            yield f"{population.name}: voltages cannot be read at each step; let it spike"
    if timesteps & (timesteps - 1):
        yield f"{timesteps} timesteps: neurons reset on the chip after a power of two"


def check_supported(network: Network, timesteps: int) -> None:
    """Raise `EngineError` with the first of the obstacles, and how many there are."""
    found = list(unsupported_features(network, timesteps))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise EngineError(f"loihi2: {found[0]}{more}")


def make_probes(steps: int) -> tuple[Any, Any]:
    """Return Intel's probes of power and of time, for a run of so many steps.

    What they are called and what they tell is that of the notebooks of lava-dl,
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
    """Run `graph`, and return the spikes of each population, axes turned: (steps, *shape).

    `events` are (steps, *shape). Spikes pass between host and chip through Intel's adapters.
    `probes` are called before and after the run.
    """
    from lava.magma.core.run_configs import Loihi2HwCfg
    from lava.proc.embedded_io.spike import NxToPyAdapter, PyToNxAdapter
    from lava.proc.io import sink, source

    from .execute import execute

    for name, values in events.items():
        sent = source.RingBuffer(data=values.T)
        population = graph.network.population(name)
        bits = 0 if population.max_value == 1 else population.value_bits
        into = PyToNxAdapter(shape=sent.s_out.shape, num_message_bits=bits)
        sent.s_out.connect(into.inp)
        graph.feed(name, into.out)
    sinks = {}
    for name, neurons in graph.populations.items():
        out = NxToPyAdapter(shape=neurons.s_out.shape)
        sinks[name] = sink.RingBuffer(shape=neurons.s_out.shape, buffer=steps)
        neurons.s_out.connect(out.inp)
        out.out.connect(sinks[name].a_in)
    models = {
        source.RingBuffer: source.PySendModelFixed,
        sink.RingBuffer: sink.PyReceiveModelFixed,
    }
    configuration = Loihi2HwCfg(
        select_tag="fixed_pt", exception_proc_model_map=models, callback_fxs=list(probes)
    )
    execute(list(sinks.values()), steps, configuration)
    spikes = {name: kept.data.get().astype(np.uint8).T for name, kept in sinks.items()}
    for runtime in {kept.runtime for kept in sinks.values()}:
        runtime.stop()
    return spikes
