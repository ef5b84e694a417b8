"""Build the float network of a traced module: its populations, and a projection for each term."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import NetworkError
from ..diagnostics import UnsupportedLayerError
from ..quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ..quantize.fuse import fuse_linear_ops
from ..quantize.linear_ops import FusedLinear, Shape
from ..quantize.neuron_populations import Incoming, build_neurons
from .trace_cells import Expression, TracedPopulation
from .tracer import Tracer

INPUT_NAME, OUTPUT_NAME = "input", "output"
Layout = Literal["steps", "sequence", "batch first", "merged", "static"]


@dataclass(frozen=True, eq=False)
class Trace:
    """A traced module.

    Attributes:
        populations: Its populations in the order of their first call, the read-out among them.
        tracer: The table of operations, and the layers.
        output: Name of the population that is read.
        events: Drawn input, (timesteps, batch, *shape).
        layout: Layout of the input.
    """

    populations: Mapping[str, TracedPopulation]
    tracer: Tracer
    output: str
    events: NDArray[np.float64]
    layout: Layout


def import_traced(trace: Trace, shape: Shape, value_bits: int, name: str) -> FloatNetwork:
    """Build the float network of a trace.

    Raises:
        NetworkError: A layer has no form in a float network; names it.
    """
    populations: list[FloatPopulation] = []
    projections: list[FloatProjection] = []
    shapes = {INPUT_NAME: shape} | {p.name: p.shape for p in trace.populations.values()}
    for population in trace.populations.values():
        made, incoming = _build_population(trace, population, shapes)
        populations += made
        projections += incoming
        shapes[population.name] = made[-1].shape
    provenance = {"format": name, "layout": trace.layout}
    return FloatNetwork(
        INPUT_NAME,
        shape,
        value_bits,
        tuple(populations),
        tuple(projections),
        trace.output,
        provenance,
    )


def _build_population(
    trace: Trace, population: TracedPopulation, shapes: Mapping[str, Shape]
) -> tuple[tuple[FloatPopulation, ...], tuple[FloatProjection, ...]]:
    name = population.name
    try:
        expression = population.expression()
    except UnsupportedLayerError as error:
        raise NetworkError(f"{name}: {error.reason}; {error.remedy}") from None
    if not expression.terms:
        raise NetworkError(f"{name}: gets no input that depends on the network's")
    incoming: list[FusedLinear] = []
    for term in expression.terms:
        ops = [trace.tracer.ops[key] for key in term.ops]
        incoming.append(fuse_linear_ops(ops, shapes[term.source]))
    incoming[0] = _add_offset(name, incoming, expression)
    labelled = [
        Incoming(
            f"{term.source}-{name}{f'-{number}' if number else ''}", term.source, linear, term.delay
        )
        for number, (term, linear) in enumerate(zip(expression.terms, incoming, strict=True))
    ]
    return build_neurons(name, population.params, labelled)


def _add_offset(name: str, incoming: list[FusedLinear], expression: Expression) -> FusedLinear:
    """The first projection with the offset of all as its bias."""
    first = incoming[0]
    if any(each.shape != first.shape for each in incoming):
        shapes = ", ".join(sorted({str(each.shape) for each in incoming}))
        raise NetworkError(f"{name}: adds values of shapes {shapes}")
    if expression.offset is None:
        return first
    channels = expression.offset.reshape(first.shape[0], -1)
    if np.ptp(channels, axis=1).any():
        raise NetworkError(
            f"{name}: its bias differs within a channel, since a padded layer follows a bias; "
            "leave out one of them"
        )
    return replace(first, bias=first.bias + channels[:, 0])
