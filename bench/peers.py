"""Peer implementations of a spiking network, each a function from events to output spikes.

All run the same `Network` of integrate-and-fire neurons without decay, for which floating-point
sums of integers are exact: every peer must give the same spikes before it is timed.
"""

import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pumice.convert.formats.onnx.writer import to_onnx
from pumice.runtime import Conv, Dense, Network, Sparse, SumPool
from pumice.runtime.engines import cpu, onnx, reference
from pumice.runtime.engines.cpu.tables import SPARSE

Spikes = NDArray[np.uint8]
Peer = Callable[[Spikes], Spikes]  # events (timesteps, batch, *shape) to output spikes


@dataclass(frozen=True)
class Term:
    """A linear map that several sources share; their values are summed before it is applied."""

    sources: tuple[str, ...]
    connection: Any
    delay: int


def incoming_terms(network: Network, name: str) -> list[Term]:
    """Group the incoming projections of population `name` that share a connection."""
    grouped: list[Term] = []
    for p in network.incoming(name):
        for k, term in enumerate(grouped):
            if term.connection is p.connection and term.delay == p.delay:
                grouped[k] = Term((*term.sources, p.source), term.connection, term.delay)
                break
        else:
            grouped.append(Term((p.source,), p.connection, p.delay))
    return grouped


def pumice_cpu(network: Network, threads: int = 1) -> Peer:
    """The CPU engine of pumice."""
    out = network.output
    return lambda events: cpu.run(network, events, "output", threads).spikes[out]


def pumice_fixed_path(network: Network, dense: bool) -> Peer:
    """The CPU engine of pumice with only event-driven kernels, or only dense ones."""
    copy = replace(network)  # has a compiled network of its own
    tables = cpu.engine.compiled_network(copy).tables
    allowed = tables.column("kind") != SPARSE
    if not allowed.any():
        raise NotImplementedError("sparse projections have no dense kernel")
    tables.column("dense_from")[:] = allowed * int(dense)
    return pumice_cpu(copy)


def pumice_onnx(network: Network) -> Peer:
    """Pumice's own export, integers, in ONNX Runtime."""
    model = onnx.load(to_onnx(network, record="output").SerializeToString())
    return lambda events: onnx.run(model, events).spikes[network.output]


def numpy_reference(network: Network) -> Peer:
    """The reference engine of pumice in numpy."""
    return lambda events: reference.run(network, events, "output").spikes[network.output]


def to_torch(connection: Any) -> "Any":
    """Convert a connection to a function of a tensor (batch, *source shape), without gradient."""
    import torch
    from torch.nn import functional

    if isinstance(connection, Sparse):
        index = torch.from_numpy(np.stack([connection.rows, connection.columns]).astype(np.int64))
        values = torch.from_numpy(connection.weights.astype(np.float32))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrix = torch.sparse_coo_tensor(index, values, connection.shape).to_sparse_csr()
        return lambda x: (matrix @ x.flatten(1).T).T
    if isinstance(connection, Dense):
        weights = torch.from_numpy(connection.weights.astype(np.float32))
        return lambda x: functional.linear(x.flatten(1), weights)
    if isinstance(connection, SumPool):
        area = connection.kernel[0] * connection.kernel[1] * connection.weight
        return lambda x: (
            area
            * functional.avg_pool2d(x, connection.kernel, connection.stride, connection.padding)
        )
    assert isinstance(connection, Conv)
    weights = torch.from_numpy(connection.weights.astype(np.float32))
    c = connection
    return lambda x: functional.conv2d(x, weights, None, c.stride, c.padding, c.dilation, c.groups)


def integrate_and_fire(drive: Any, threshold: float) -> Any:
    """Integrate-and-fire neurons in torch; `drive` is (timesteps, batch, *shape)."""
    import torch

    voltage, spikes = torch.zeros_like(drive[0]), []
    for now in drive:
        voltage = voltage + now
        spike = (voltage > threshold).to(drive.dtype)
        voltage = voltage * (1 - spike)
        spikes.append(spike)
    return torch.stack(spikes)


def run_layerwise(
    network: Network, neurons: Callable[[str], Callable[[Any], Any]]
) -> Callable[[Any], Any]:
    """Build a forward function that runs layer by layer, or step by step if it is recurrent."""
    import torch

    layers = []
    for population in network.topological_order:
        maps = [
            (term, to_torch(term.connection)) for term in incoming_terms(network, population.name)
        ]
        layers.append((population, maps, neurons(population.name)))

    def forward(events: Any) -> Any:
        values = {network.inputs[0].name: events}
        for population, maps, fire in layers:
            drive: Any = 0
            for term, apply in maps:
                total = sum(values[source] for source in term.sources)
                drive = drive + apply(total.flatten(0, 1))
            values[population.name] = fire(drive.view(*events.shape[:2], *population.shape))
        return values[network.output]

    def recurrent(events: Any) -> Any:
        steps = []
        state = {p.name: torch.zeros(events.shape[1], *p.shape) for p in network.topological_order}
        voltage = dict(state)
        for now in events:
            before, state = state, {network.inputs[0].name: now}
            for population, maps, _ in layers:
                drive: Any = 0
                for term, apply in maps:
                    values = before if term.delay else state
                    drive = drive + apply(sum(values[source] for source in term.sources))
                total = voltage[population.name] + drive.view(-1, *population.shape)
                spike = (total > float(population.threshold)).to(now.dtype)
                voltage[population.name] = total * (1 - spike)
                state[population.name] = spike
            steps.append(state[network.output])
        return torch.stack(steps)

    return recurrent if any(p.delay for p in network.projections) else forward


def _as_peer(forward: Callable[[Any], Any]) -> Peer:
    import torch

    def run(events: Spikes) -> Spikes:
        with torch.inference_mode():
            values = torch.from_numpy(events).to(torch.float32)
            spikes: Spikes = forward(values).to(torch.uint8).numpy()
        return spikes

    return run


def torch_plain(network: Network) -> Peer:
    """torch, float32."""

    def neurons(name: str) -> Callable[[Any], Any]:
        threshold = float(network.population(name).threshold)
        return lambda drive: integrate_and_fire(drive, threshold)

    return _as_peer(run_layerwise(network, neurons))


def spikingjelly(network: Network) -> Peer:
    """SpikingJelly's multi-step neurons, torch backend, float32 (it spikes at `>=`)."""
    from spikingjelly.activation_based import functional, neuron

    if any(p.delay for p in network.projections):
        raise NotImplementedError("recurrence across layers")
    nodes = []

    def neurons(name: str) -> Callable[[Any], Any]:
        threshold = float(network.population(name).threshold) + 0.5
        node = neuron.IFNode(v_threshold=threshold, v_reset=0.0, step_mode="m")
        nodes.append(node.eval())
        return lambda drive: node(drive)

    forward = run_layerwise(network, neurons)

    def once(events: Any) -> Any:
        for node in nodes:
            functional.reset_net(node)
        return forward(events)

    return _as_peer(once)


def onnx_float(network: Network, timesteps: int, batch: int) -> Peer:
    """A float32 ONNX graph in ONNX Runtime, exported by torch with all steps unrolled."""
    import io

    import onnxruntime
    import torch

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.walk = run_layerwise(
                network,
                lambda name: (
                    lambda drive: integrate_and_fire(
                        drive, float(network.population(name).threshold)
                    )
                ),
            )

        def forward(self, events: Any) -> Any:
            return self.walk(events)

    if any(isinstance(p.connection, Sparse) for p in network.projections):
        raise NotImplementedError("no sparse matrix product")
    shape = (timesteps, batch, *network.inputs[0].shape)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export: Any = torch.onnx.export  # accepts an open file, which its type hints omit
        export(Module(), (torch.zeros(shape),), file, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        file.getvalue(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def run(events: Spikes) -> Spikes:
        spikes: Spikes = session.run(None, {name: events.astype(np.float32)})[0].astype(np.uint8)
        return spikes

    return run


def slayer(network: Network) -> Peer:
    """lava-dl SLAYER's CUBA blocks with the same integers, for a sequential network."""
    import sys

    import torch

    from pumice.runtime.lava_compat import patch_lava

    if len(network.projections) != len(network.topological_order):
        raise NotImplementedError("not sequential")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch_lava()
        detection = "lava.lib.dl.slayer.object_detection"  # requires cv2
        sys.modules.setdefault(detection, types.ModuleType(detection))
        from lava.lib.dl import slayer as library
    blocks = []
    for population in network.topological_order:
        (projection,) = network.incoming(population.name)
        neuron = {
            "threshold": (float(population.threshold) + 1) / 64,  # SLAYER spikes at `>=`
            "current_decay": 1.0,
            "voltage_decay": 0.0,
        }
        connection = projection.connection
        if isinstance(connection, Conv):
            outputs, inputs, *kernel = connection.weights.shape
            block = library.block.cuba.Conv(
                neuron,
                inputs,
                outputs,
                tuple(kernel),
                stride=connection.stride,
                padding=connection.padding,
                weight_norm=False,
                delay_shift=False,
            )
        elif isinstance(connection, Dense):
            if len(network.population(projection.source).shape) == 3:
                blocks.append(library.block.cuba.Flatten())
            outputs, inputs = connection.weights.shape
            block = library.block.cuba.Dense(
                neuron, inputs, outputs, weight_norm=False, delay_shift=False
            )
        else:
            raise NotImplementedError(type(connection).__name__)
        weights = torch.from_numpy(connection.weights.astype(np.float32)) / 64
        block.synapse.weight.data[:] = weights.reshape(block.synapse.weight.shape)
        blocks.append(block.eval())

    def run(events: Spikes) -> Spikes:
        with torch.inference_mode():
            values = torch.from_numpy(np.moveaxis(events, 0, -1).astype(np.float32))
            for block in blocks:
                neuron = getattr(block, "neuron", None)
                if neuron is not None:
                    neuron.current_state = neuron.voltage_state = torch.zeros(1)
                values = block(values)
            spikes: Spikes = np.moveaxis(values.numpy(), -1, 0).astype(np.uint8)
        return spikes

    return run
