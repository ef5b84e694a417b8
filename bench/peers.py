"""What else computes a spiking network, each as one function from events to the output's spikes.

All take the same `Network` of neurons that integrate and fire (no decay), where floating-point sums
of whole numbers are exact: every peer must give the same spikes before it is timed.
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

Spikes = NDArray[np.uint8]
Peer = Callable[[Spikes], Spikes]  # events (timesteps, batch, *shape) to output spikes


@dataclass(frozen=True)
class Term:
    """A linear map that several sources share: their values are added first, as peers would."""

    sources: tuple[str, ...]
    connection: Any
    delay: int


def incoming_terms(network: Network, name: str) -> list[Term]:
    """Return what adds up in population `name`."""
    found: list[Term] = []
    for p in network.incoming(name):
        for k, term in enumerate(found):
            if term.connection is p.connection and term.delay == p.delay:
                found[k] = Term((*term.sources, p.source), term.connection, term.delay)
                break
        else:
            found.append(Term((p.source,), p.connection, p.delay))
    return found


def pumice_cpu(network: Network, threads: int = 1) -> Peer:
    """The fast engine."""
    out = network.output
    return lambda events: cpu.run(network, events, "output", threads).spikes[out]


def pumice_fixed_path(network: Network, multiplied: bool) -> Peer:
    """Events alone, or products wherever something is active: what the fast engine chooses from."""
    alone = replace(network)  # which has a layout of its own
    table = cpu.engine.compiled_network(alone).projections
    if table["sparse"].all():
        raise NotImplementedError("sparse projections are never multiplied")
    table["product"] = (1 - table["sparse"]) * multiplied
    return pumice_cpu(alone)


def pumice_onnx(network: Network) -> Peer:
    """Pumice's own export, integers, in ONNX Runtime."""
    model = onnx.load(to_onnx(network, record="output").SerializeToString())
    return lambda events: onnx.run(model, events).spikes[network.output]


def numpy_reference(network: Network) -> Peer:
    """The reference engine: plain numpy."""
    return lambda events: reference.run(network, events, "output").spikes[network.output]


def to_torch(connection: Any) -> "Any":
    """Return a connection as a function of a tensor (batch, *source shape), without gradient."""
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
    """Neurons of torch over all steps of `drive` (timesteps, batch, *shape)."""
    import torch

    voltage, spikes = torch.zeros_like(drive[0]), []
    for now in drive:
        voltage = voltage + now
        fired = (voltage > threshold).to(drive.dtype)
        voltage = voltage * (1 - fired)
        spikes.append(fired)
    return torch.stack(spikes)


def run_layerwise(
    network: Network, neurons: Callable[[str], Callable[[Any], Any]]
) -> Callable[[Any], Any]:
    """Return `network` layer by layer, each over all steps; step by step if it is recurrent."""
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
                    seen = before if term.delay else state
                    drive = drive + apply(sum(seen[source] for source in term.sources))
                total = voltage[population.name] + drive.view(-1, *population.shape)
                fired = (total > float(population.threshold)).to(now.dtype)
                voltage[population.name] = total * (1 - fired)
                state[population.name] = fired
            steps.append(state[network.output])
        return torch.stack(steps)

    return recurrent if any(p.delay for p in network.projections) else forward


def _as_peer(forward: Callable[[Any], Any]) -> Peer:
    import torch

    def run(events: Spikes) -> Spikes:
        with torch.inference_mode():
            given = torch.from_numpy(events).to(torch.float32)
            answer: Spikes = forward(given).to(torch.uint8).numpy()
        return answer

    return run


def torch_plain(network: Network) -> Peer:
    """Plain torch, float32."""

    def neurons(name: str) -> Callable[[Any], Any]:
        level = float(network.population(name).threshold)
        return lambda drive: integrate_and_fire(drive, level)

    return _as_peer(run_layerwise(network, neurons))


def spikingjelly(network: Network) -> Peer:
    """SpikingJelly's multi-step neurons, torch backend, float32; it fires at `>=`."""
    from spikingjelly.activation_based import functional, neuron

    if any(p.delay for p in network.projections):
        raise NotImplementedError("recurrent over layers")
    made = []

    def neurons(name: str) -> Callable[[Any], Any]:
        level = float(network.population(name).threshold) + 0.5
        node = neuron.IFNode(v_threshold=level, v_reset=0.0, step_mode="m")
        made.append(node.eval())
        return lambda drive: node(drive)

    forward = run_layerwise(network, neurons)

    def once(events: Any) -> Any:
        for node in made:
            functional.reset_net(node)
        return forward(events)

    return _as_peer(once)


def onnx_float(network: Network, timesteps: int, batch: int) -> Peer:
    """The same steps as float32 graph in ONNX Runtime, written by torch with all steps unrolled."""
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
        raise NotImplementedError("no sparse product")
    shape = (timesteps, batch, *network.inputs[0].shape)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export: Any = torch.onnx.export  # it takes an open file, whatever its types say
        export(Module(), (torch.zeros(shape),), file, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        file.getvalue(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def run(events: Spikes) -> Spikes:
        answer: Spikes = session.run(None, {name: events.astype(np.float32)})[0].astype(np.uint8)
        return answer

    return run


def slayer(network: Network) -> Peer:
    """lava-dl SLAYER's CUBA blocks with the same integers, for a chain of layers."""
    import sys

    import torch

    from pumice.runtime.lava_compat import patch_lava

    if len(network.projections) != len(network.topological_order):
        raise NotImplementedError("not a chain")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch_lava()
        detection = "lava.lib.dl.slayer.object_detection"  # it wants cv2
        sys.modules.setdefault(detection, types.ModuleType(detection))
        from lava.lib.dl import slayer as library
    blocks = []
    for population in network.topological_order:
        (projection,) = network.incoming(population.name)
        neuron = {
            "threshold": (float(population.threshold) + 1) / 64,  # it fires at `>=`
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
            answer: Spikes = np.moveaxis(values.numpy(), -1, 0).astype(np.uint8)
        return answer

    return run
