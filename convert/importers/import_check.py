"""Check of an import: the original module and the float network, layer by layer.

Each population is simulated on what the layers before it gave in the original, so that a difference
stays where it arises. A neuron is left out from the timestep on at which its voltage is so near to
its threshold that rounding decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import NetworkError
from ..quantize.float_network import FloatNetwork, FloatPopulation
from ..quantize.linear_ops import FusedLinear
from ..quantize.neuron_params import NeuronParams
from ..quantize.neuron_populations import Pulse, constant_pulses, excess_pulses

TOLERANCE = 1e-4
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LayerRecord:
    """Inputs and outputs of a layer of the original, (timesteps, batch, neurons).

    Attributes:
        name: Name of its population.
        params: Its neurons as they were parsed.
        inputs: Input of its neurons; None for pooling, which has none of its own.
        outputs: Output that later layers got; None for a read-out.
        spikes: Its own output, which differs from `outputs` where later layers got drawn spikes.
        total: Result of a read-out that is `decode` times the sum of its inputs over time.
        decode: That factor.
        returned: What its recurrent layer got of the timestep before.
    """

    name: str
    params: NeuronParams
    inputs: Array | None
    outputs: Array | None
    spikes: Array | None
    total: Array | None = None
    decode: float = 0.0
    returned: Array | None = None


@dataclass(frozen=True, eq=False)
class Recording:
    """A run of the original: its input (timesteps, batch, *shape), layers and output layer."""

    events: Array
    layers: Mapping[str, LayerRecord]
    output: str


def check_import(network: FloatNetwork, recordings: Iterable[Recording]) -> None:
    """Compare a float network with recorded runs of the module that it was imported from.

    Raises:
        NetworkError: A layer differs; names the first one.
    """
    for recording in recordings:
        known = {population.name for population in network.populations}
        for name in recording.layers:
            if name not in known:
                raise NetworkError(f"{name}: is a layer of the original, but of no population")
        if network.output != recording.output:
            raise NetworkError(
                f"{network.output}: is the output, but that of the original is {recording.output}"
            )
        for population in network.populations:
            if population.name in recording.layers:
                _check_layer(network, population, recording)
            elif population.node not in recording.layers:  # else it helps that layer
                raise NetworkError(f"{population.name}: is no layer of the original")


def _check_layer(network: FloatNetwork, population: FloatPopulation, recording: Recording) -> None:
    record = recording.layers[population.name]
    params, excess = record.params, None
    if params.doubling:
        population = next(p for p in network.populations if p.name == f"{record.name}.membrane")
        excess = excess_pulses(params, population.shape)
    drive = _drive(network, population, recording)
    own = params.fuse_recurrent(record.name, population.shape)
    unit = params.unit
    if record.inputs is not None:
        steps, batch = record.inputs.shape[:2]
        inputs = record.inputs.reshape(steps, batch, *population.shape)
        gain = _view(params.gain / unit, population.shape)
        bias = _view(params.bias / unit, population.shape)
        expected = np.zeros_like(inputs)
        late = params.delay
        expected[late:] = (inputs * gain + bias)[: steps - late or None]
        for fused in own:
            carried = _carry_back(record, fused, population.shape)
            expected += carried * gain
        for pulse in constant_pulses(record.name, params, population.shape):
            expected[pulse.delay :] += _view(pulse.weights, population.shape)
        scale = float(np.abs(expected).max(initial=0)) or 1.0
        error = np.abs(drive - expected).max(axis=tuple(range(1, drive.ndim)))
        if (error > TOLERANCE * scale).any():
            step = int(np.argmax(error > TOLERANCE * scale))
            raise NetworkError(
                f"{record.name}: its input differs from that of the original by "
                f"{error.max() / scale:.2%} (first at timestep {step}); its incoming layers are "
                "not imported as they compute"
            )
    if record.total is not None:
        total = drive.sum(axis=0) * record.decode
        expected = record.total.reshape(total.shape)
        if not np.allclose(total, expected, TOLERANCE, TOLERANCE * np.abs(expected).max()):
            raise NetworkError(
                f"{record.name}: its sum over time differs from that of the original"
            )
    if record.spikes is None:
        return
    output = record.spikes.reshape(drive.shape)
    changed = first_difference(population, drive, output, excess)
    if changed is not None:
        raise NetworkError(
            f"{record.name}: its neurons do something else than their attributes say (first "
            f"at timestep {changed}); use neurons as their library makes them"
        )


def _carry_back(record: LayerRecord, fused: FusedLinear, shape: tuple[int, ...]) -> Array:
    """Output of the recurrent layer of neurons at each timestep, its bias included."""
    assert record.returned is not None
    return carry_back(fused, record.returned.reshape(*record.returned.shape[:2], *shape))


def carry_back(fused: FusedLinear, outputs: Array) -> Array:
    """Output of a recurrent layer for `outputs` (timesteps, batch, *shape), one step later."""
    import torch

    from ..quantize.float_simulator import apply_projection

    projection, weights = fused.to_projection("own", "own", "own"), torch.from_numpy(fused.weights)
    shape = outputs.shape[2:]
    carried = np.zeros(outputs.shape) + _view(fused.bias, shape)
    for step in range(1, len(outputs)):
        before = torch.from_numpy(np.array(outputs[step - 1], np.float64))
        summed = apply_projection(projection, weights, before).numpy()
        carried[step] += summed.reshape(carried[step].shape)
    return carried


def first_difference(
    population: FloatPopulation,
    drive: Array,
    outputs: Array,
    excess: Sequence[Pulse] | None = None,
) -> int | None:
    """First timestep at which neurons with input `drive` give something else than `outputs`.

    Args:
        population: The neurons; their bias is part of `drive`.
        drive: (timesteps, batch, *shape).
        outputs: Spikes, or voltages of an integrator, likewise.
        excess: What neurons with a doubled threshold get back; `population` is their membrane.
    """
    import torch

    from ..quantize.float_neurons import charge, float_step, initial_state

    unbiased = replace(population, bias=np.zeros(1, np.float32))
    totals = torch.from_numpy(np.ascontiguousarray(drive))
    state = initial_state(totals[0])
    certain = np.ones(drive.shape[1:], bool)
    above = np.zeros((len(drive) + 1, *drive.shape[1:]))  # whether a step starts so
    for step, total in enumerate(totals):
        before = state
        for pulse in excess or ():
            total = total + _earlier(above, step + 1 - pulse.delay, pulse, population.shape)
        state, out = float_step(unbiased, before, total)
        if excess is not None:
            above[step + 1] = out.numpy() + above[step] >= 2
            out = (out - torch.from_numpy(above[step]) >= 1).double()
        charged = charge(unbiased, before, total)[1].numpy()
        scale = np.abs(drive[step]) + np.abs(charged) + abs(population.threshold)
        if not population.spiking:
            if (np.abs(outputs[step] - charged) > TOLERANCE * (scale + scale.max())).any():
                return step
            continue
        certain &= _distance(population, charged) > TOLERANCE * scale
        if (certain & (out.numpy() != outputs[step])).any():
            return step
    return None


def _earlier(above: Array, step: int, pulse: Pulse, shape: tuple[int, ...]) -> Any:
    """Voltages returned to the neurons `above` their threshold at the start of `step`."""
    import torch

    started = above[step] if step >= 0 else np.zeros(above.shape[1:])
    return torch.from_numpy(started * _view(pulse.weights, shape))


def _distance(population: FloatPopulation, voltage: Array) -> Array:
    """Distance of voltages from the next threshold, of those that neurons may pass."""
    above = voltage - population.threshold
    if population.max_spikes == 1:
        return np.abs(above)
    amount = _view(population.reset_value, population.shape)
    passed = np.clip(np.rint(above / amount), 0, population.max_spikes - 1)
    return np.abs(above - passed * amount)


def _drive(network: FloatNetwork, population: FloatPopulation, recording: Recording) -> Array:
    """Input of a population plus its bias, from what the original's layers gave."""
    import torch

    from ..quantize.float_simulator import apply_projection

    record = recording.layers[population.node or population.name]
    steps, batch = recording.events.shape[:2]
    total = np.zeros((steps, batch, *population.shape))
    shapes = {p.name: p.shape for p in network.populations}
    shapes[network.input_name] = network.input_shape
    for projection in network.projections:
        if projection.target != population.name:
            continue
        values: Array | None = recording.events
        if projection.source == f"{record.name}.excess":
            continue  # see `first_difference`
        if projection.source == f"{record.name}.constant":
            values = np.ones((steps, batch, *shapes[projection.source]))
        elif projection.source != network.input_name:
            values = recording.layers[projection.source].outputs
        if projection.source == record.name and record.params.recurrent is not None:
            values = record.returned
        assert values is not None  # read-outs project to nothing
        values = values.reshape(steps, batch, *shapes[projection.source])
        weights = torch.from_numpy(np.array(projection.weights, np.float64))
        for step in range(projection.delay, steps):
            before = torch.from_numpy(np.ascontiguousarray(values[step - projection.delay]))
            summed = apply_projection(projection, weights, before)
            total[step] += summed.numpy().reshape(batch, *population.shape)
    return total + _view(np.asarray(population.bias, np.float64), population.shape)


def _view(values: Any, shape: tuple[int, ...]) -> Array:
    """Values, one or one per channel or neuron, as an array that broadcasts to `shape`."""
    array = np.asarray(values, np.float64).reshape(-1)
    if array.size == np.prod(shape):
        return array.reshape(shape)
    return array.reshape(-1, *[1] * (len(shape) - 1))
