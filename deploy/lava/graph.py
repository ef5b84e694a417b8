"""Lava process graph of a network; import after `patch_lava()`.

Lava orders images (width, height, channels), so every array of a population is transposed
(`array.T`), and the weights between flat neurons are permuted to match. Its `Conv` is a true
convolution, unlike torch's cross-correlation, so kernels are mirrored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.process import Sparse
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ...runtime import Network, Population, Projection, connections
from ...runtime.arithmetic import ALIGN_BITS, DECAY_ONE, DELTA_BITS, STATE_HALF, align
from ...runtime.neuron_types import (
    LIF_FEATURES,
    MESSAGE_FEATURES,
    RESONATOR_FEATURES,
    list_features,
    require_features,
)
from ...runtime.population import ENCODERS, RESONATORS
from ..passes.schedule import Schedule, schedule
from .models.delayed import DelayedConv, DelayedDense, DelayedSparse
from .models.graded import GradedReset
from .models.resets import ResetRule, RuledReset
from .models.resonators import RFIzhikevichReset, RFReset
from .models.sigma_delta import DeltaReset, SigmaDeltaReset, SigmaReset

UNREACHABLE_THRESHOLD = 1 << 17  # no 24-bit voltage exceeds this threshold
MAX_LAVA_CONV_SIZE = 127  # Lava's model of Conv stores sizes and groups in 8 bits


@dataclass(frozen=True)
class ProcessGraph:
    """Connected Lava processes: a `LIFReset` per population, a connection per projection.

    Populations with graded spikes are a `GradedReset`, those with another reset than to zero or a
    refractory period a `RuledReset`, processes of pumice. Input populations have
    no process: connect the port that sends their events, of shape (width, height, channels) or
    (neurons,), with `feed`. Step `n` of sample `m` of a population is step
    `m * timesteps + n + schedule.depths[name]` here.
    """

    network: Network
    timesteps: int
    schedule: Schedule
    populations: Mapping[str, AbstractProcess]
    projections: Mapping[str, AbstractProcess]

    def feed(self, name: str, port: OutPort) -> None:
        """Connect `port` to all targets of the input population `name`."""
        for projection in self.network.projections:
            if projection.source == name:
                _connect(port, self.projections[projection.name].s_in)


def build_process_graph(network: Network, timesteps: int) -> ProcessGraph:
    """Build the processes of `network`, reset every `timesteps` steps; see `build`."""
    require_features(network, "Lava", (*LIF_FEATURES, *MESSAGE_FEATURES, *RESONATOR_FEATURES))
    timing = schedule(network)
    populations = {
        population.name: _make_neurons(population, timing.depths[population.name], timesteps)
        for population in network.topological_order
    }
    projections = {}
    for projection in network.projections:
        connection = _make_connection(network, projection, timing, timesteps)
        _connect(connection.a_out, _input_port(network, projection, populations))
        if projection.source in populations:
            _connect(populations[projection.source].s_out, connection.s_in)
        projections[projection.name] = connection
    return ProcessGraph(network, timesteps, timing, populations, projections)


def _input_port(
    network: Network, projection: Projection, populations: Mapping[str, AbstractProcess]
) -> InPort:
    neurons = populations[projection.target]
    if network.population(projection.target).kind not in RESONATORS:
        return neurons.a_in
    return neurons.a_imag_in if projection.component == "imag" else neurons.a_real_in


def _connect(out: OutPort, into: InPort) -> None:
    (out if out.shape == into.shape else out.reshape(into.shape)).connect(into)


def _transpose(values: NDArray[np.int32]) -> Any:
    return values.T if values.ndim else int(values)


def _make_encoder(population: Population, depth: int, timesteps: int) -> AbstractProcess:
    """Make sigma-delta neurons, a delta encoder or their read-out."""
    common: dict[str, Any] = {
        "name": population.name,
        "shape": population.shape[::-1],
        "reset_interval": timesteps,
        "reset_offset": depth + 1,
    }
    exponent = population.bias_exponent + (ALIGN_BITS if population.kind == "sigma_delta" else 0)
    bias = _transpose(population.bias << exponent)
    if population.kind == "integrator":
        return SigmaReset(bias=bias, **common)
    threshold = _transpose(population.threshold << DELTA_BITS)
    if population.kind == "delta":
        return DeltaReset(vth=threshold, **common)
    return SigmaDeltaReset(vth=threshold, bias=bias, **common)


def _make_resonators(population: Population, depth: int, timesteps: int) -> AbstractProcess:
    """Make resonate-and-fire neurons."""
    integers = {
        "vth": align(population.threshold).T,
        "sin_decay": population.sin_decay.T,
        "cos_decay": population.cos_decay.T,
    }
    kind = RFReset if population.kind == "rf" else RFIzhikevichReset
    return kind(
        shape=population.shape[::-1],
        integers=integers,
        name=population.name,
        reset_interval=timesteps,
        reset_offset=depth + 1,
    )


def _make_neurons(population: Population, depth: int, timesteps: int) -> AbstractProcess:
    if population.kind in RESONATORS:
        return _make_resonators(population, depth, timesteps)
    if population.kind in ENCODERS or not population.align_bits:
        return _make_encoder(population, depth, timesteps)
    # Lava adds 1 to du, and resets if (step counted from 1) % reset_interval == reset_offset.
    graded = population.kind == "cuba" and population.value_bits > 1
    kind: Any = partial(GradedReset, max_value=population.max_value) if graded else LIFReset
    if list_features(population):
        kind = partial(RuledReset, rule=_make_rule(population))
    neurons: LIFReset = kind(
        shape=population.shape[::-1],
        du=_transpose(population.current_decay - 1),
        dv=_transpose(population.voltage_decay),
        vth=UNREACHABLE_THRESHOLD
        if population.kind == "integrator"
        else _transpose(population.threshold),
        bias_mant=_transpose(population.bias),
        bias_exp=population.bias_exponent,
        reset_interval=timesteps,
        reset_offset=depth + 1,
        name=population.name,
    )
    return neurons


def _make_rule(population: Population) -> ResetRule:
    lowest = np.maximum(align(population.min_voltage), 1 - STATE_HALF)
    return ResetRule(
        population.reset,
        align(population.reset_value).T,
        lowest.T,
        population.refractory,
        population.max_spikes > 1,
        population.max_value,
        (
            align(population.threshold_step).T,
            (DECAY_ONE - population.threshold_decay).T.astype(np.int64),
            (DECAY_ONE - population.refractory_decay).T.astype(np.int64),
        ),
    )


def _make_connection(
    network: Network, projection: Projection, timing: Schedule, timesteps: int
) -> AbstractProcess:
    source, target = network.population(projection.source), network.population(projection.target)
    bits = 0 if source.value_bits == 1 else source.value_bits
    common = {
        "name": projection.name,
        "weight_exp": projection.weight_exponent,
        "num_message_bits": bits,
    }
    connection, lag = projection.connection, timing.lags[projection.name]
    needs_own_model = lag > 1 or projection.delay > 0
    if isinstance(connection, connections.SumPool):
        connection = connections.as_depthwise_conv(connection, source.shape[0])
    if isinstance(connection, connections.Conv):
        common |= _conv_parameters(connection, source.shape)
        needs_own_model |= (
            projection.weight_exponent != 0 or _max_conv_size(connection) > MAX_LAVA_CONV_SIZE
        )
    elif isinstance(connection, connections.Dense):
        order = np.ix_(_lava_order(target.shape), _lava_order(source.shape))
        common |= {"weights": connection.weights[order].astype(np.int32)}
    else:
        common |= {"weights": _sparse_weights(connection, source.shape, target.shape)}
    kinds: dict[type, tuple[Any, Any]] = {
        connections.Conv: (Conv, DelayedConv),
        connections.Dense: (Dense, DelayedDense),
        connections.Sparse: (Sparse, DelayedSparse),
    }
    plain, delayed = kinds[type(connection)]
    if not needs_own_model:
        return plain(**common)
    depth = timing.depths[target.name]
    return delayed(lag=lag, delay=projection.delay, depth=depth, timesteps=timesteps, **common)


def _lava_order(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Index of the neuron at each position of Lava's order, for a population of `shape`."""
    return np.arange(np.prod(shape)).reshape(shape).T.reshape(-1)


def _sparse_weights(
    connection: connections.Sparse, source: tuple[int, ...], target: tuple[int, ...]
) -> csr_matrix:
    rows = np.argsort(_lava_order(target))[connection.rows]
    columns = np.argsort(_lava_order(source))[connection.columns]
    weights = connection.weights.astype(np.int32)
    return csr_matrix((weights, (rows, columns)), connection.shape)


def _max_conv_size(connection: connections.Conv) -> int:
    pairs = connection.kernel, connection.stride, connection.padding, connection.dilation
    return max(connection.groups, *(size for pair in pairs for size in pair))


def _conv_parameters(connection: connections.Conv, source: tuple[int, ...]) -> dict[str, Any]:
    mirrored = connection.weights.transpose(0, 3, 2, 1)[:, ::-1, ::-1]
    return {
        "weight": mirrored.astype(np.int32),
        "input_shape": source[::-1],
        "stride": connection.stride[::-1],
        "padding": connection.padding[::-1],
        "dilation": connection.dilation[::-1],
        "groups": connection.groups,
    }
