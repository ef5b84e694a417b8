"""Weights of projections as the firmware core reads them: packed runs, by source neuron.

Weights that share a source, a kernel row and a kernel column are a run, which begins at a whole
byte. Common powers of two of the weights move into the scale, so that quantized weights take the
bits they have.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Dense, Network, Sparse, SumPool
from ...runtime.connections import Connection
from ...runtime.projection import Projection

DENSE, SPARSE, CONV, POOL = range(4)
FIELDS = (
    "kind",
    "source",
    "delay",
    "scale",
    "shift",
    "bits",
    "is_signed",
    "weights",
    "pitch",
    "plane",
    "count",
    "starts",
    "targets",
    "narrow",
    "channels",
    "width",
    "group_inputs",
    "target_height",
    "target_width",
    "target_channels",
    "kernel_height",
    "kernel_width",
    "stride_y",
    "stride_x",
    "padding_y",
    "padding_x",
    "dilation_y",
    "dilation_x",
)
Shape = tuple[int, ...]
Fields = dict[str, int]
Parameter = tuple[int, int, int]  # first entry, step of a channel, block of a position


@dataclass
class GrowingArray:
    """An array that grows at its end."""

    size: int = 0
    parts: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, values: NDArray[np.integer]) -> int:
        """Append `values`, and return the index of the first."""
        first = self.size
        self.parts.append(np.asarray(values, np.int64).reshape(-1))
        self.size += self.parts[-1].size
        return first

    def array(self) -> NDArray[np.int64]:
        """Join all parts, int64 (size,)."""
        return np.concatenate([*self.parts, np.zeros(0, np.int64)])


@dataclass
class TableBuilder:
    """Tables under construction: packed weights, 16-bit and 32-bit entries."""

    weights: GrowingArray = field(default_factory=GrowingArray)
    halves: GrowingArray = field(default_factory=GrowingArray)
    words: GrowingArray = field(default_factory=GrowingArray)
    shared: dict[tuple[int, Shape, Shape, str], Fields] = field(default_factory=dict)

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.int32]]:
        """Finish the tables."""
        return (
            self.weights.array().astype(np.uint8),
            self.halves.array().astype(np.uint16),
            self.words.array().astype(np.int32),
        )

    def parameter(
        self, table: GrowingArray, values: NDArray[np.integer], shape: Shape
    ) -> Parameter:
        """Append a parameter: one value, one for each channel, or one for each neuron."""
        values = np.asarray(values, np.int64)
        if (values == values.flat[0]).all():
            return table.add(values.reshape(-1)[:1]), 0, 0
        if len(shape) == 1 or values.shape != shape:
            return table.add(values), 1, 0
        return table.add(values.transpose(1, 2, 0)), 1, shape[0]


def channels_last(shape: Shape) -> NDArray[np.int64]:
    """List the neurons of `shape`, as indices in C order, in the order (height, width, channel)."""
    indices = np.arange(np.prod(shape)).reshape(shape)
    return (indices.transpose(1, 2, 0) if len(shape) == 3 else indices).reshape(-1)


def compile_projection(
    builder: TableBuilder, projection: Projection, network: Network, source: int, plastic: bool
) -> Fields:
    """Lay out the weights of a projection, and return its fields; equal connections share them.

    `scale` is in weight units, `shift` what sums are shifted right by; one of them is trivial.
    The weights of a `plastic` projection are its own, of 8 bits.
    """
    connection = projection.connection
    shapes = (
        network.population(projection.source).shape,
        network.population(projection.target).shape,
    )
    key = id(connection), *shapes, projection.name if plastic else ""
    if key not in builder.shared:
        builder.shared[key] = _connection(builder, connection, *shapes, plastic)
    fields = dict.fromkeys(FIELDS, 0) | builder.shared[key]
    left, right = fields.pop("zeros") + max(projection.weight_exponent, 0), 0
    right = max(-projection.weight_exponent, 0)
    common = min(left, right)  # rounding down commutes with this
    fields["scale"] <<= left - common
    return fields | {"source": source, "delay": projection.delay, "shift": right - common}


def _connection(
    builder: TableBuilder, connection: Connection, source: Shape, target: Shape, plastic: bool
) -> Fields:
    if isinstance(connection, SumPool):
        return _pool(connection, source, target)
    weights, fields = _integer_code(connection.weights)
    if plastic:
        weights = connection.weights.astype(np.int64)
        fields = {"scale": 1, "zeros": 0, "bits": 8, "is_signed": 0}
    if isinstance(connection, Sparse):
        return fields | _sparse(builder, connection, weights, fields["bits"], source, target)
    if isinstance(connection, Dense):
        runs = weights[channels_last(target)][:, channels_last(source)].T
        first, pitch = _add_runs(builder, runs, fields["bits"])
        fields |= {"kind": DENSE, "weights": first, "pitch": pitch, "count": runs.shape[1]}
        return fields | {"plane": pitch, "channels": len(runs), "group_inputs": len(runs)}
    outputs, inputs, height, width = weights.shape
    group = outputs // connection.groups
    grouped = weights.reshape(connection.groups, group, inputs, height, width)
    runs = grouped.transpose(0, 2, 3, 4, 1).reshape(-1, group)
    first, pitch = _add_runs(builder, runs, fields["bits"])
    fields |= {"kind": CONV, "weights": first, "pitch": pitch, "count": group}
    fields |= {"plane": height * width * pitch, "group_inputs": inputs}
    return fields | _geometry(connection, source, target)


def _pool(pool: SumPool, source: Shape, target: Shape) -> Fields:
    fields = {"kind": POOL, "scale": pool.weight, "zeros": 0, "count": 1, "group_inputs": 1}
    return fields | _geometry(pool, source, target)


def _geometry(connection: Conv | SumPool, source: Shape, target: Shape) -> Fields:
    pairs = {
        "kernel": connection.kernel,
        "stride": connection.stride,
        "padding": connection.padding,
        "dilation": connection.dilation,
    }
    names = {"kernel": ("height", "width")}
    return {
        "channels": source[0],
        "width": source[2],
        "target_channels": target[0],
        "target_height": target[1],
        "target_width": target[2],
    } | {
        f"{name}_{axis}": value
        for name, pair in pairs.items()
        for axis, value in zip(names.get(name, ("y", "x")), pair, strict=True)
    }


def _integer_code(weights: NDArray[np.int16]) -> tuple[NDArray[np.int64], Fields]:
    """Write weights as `scale * 2^zeros * code`, with codes of as few bits as possible.

    Of one sign the codes are their magnitudes.
    """
    values = weights.astype(np.int64)
    union = int(np.bitwise_or.reduce(np.abs(values), axis=None)) if values.size else 0
    zeros = (union & -union).bit_length() - 1 if union else 0
    values >>= zeros
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    is_signed = low < 0 < high
    scale = -1 if low < 0 and not is_signed else 1
    bits = (
        max((~low).bit_length(), high.bit_length()) + 1
        if is_signed
        else max(-low, high).bit_length()
    )
    return values * scale, {
        "scale": scale,
        "zeros": zeros,
        "bits": max(bits, 1),
        "is_signed": int(is_signed),
    }


def pack_bits(codes: NDArray[np.int64], bits: int) -> NDArray[np.uint8]:
    """Pack each row of `codes` (rows, count) into `ceil(count * bits / 8)` bytes, lowest first."""
    places = np.arange(bits)
    ones = ((codes[..., None] >> places) & 1).astype(np.uint8).reshape(len(codes), -1)
    return np.packbits(ones, axis=1, bitorder="little")


def _add_runs(builder: TableBuilder, runs: NDArray[np.int64], bits: int) -> tuple[int, int]:
    packed = pack_bits(runs, bits)
    return builder.weights.add(packed), packed.shape[1]


def sort_synapses(sparse: Sparse, source: Shape, target: Shape) -> NDArray[np.int64]:
    """List synapses, as indices, by source neuron and then by target neuron, channels last."""
    rows, columns = _synapse_ends(sparse, source, target)
    order: NDArray[np.int64] = np.lexsort((rows, columns))
    return order


def _synapse_ends(
    sparse: Sparse, source: Shape, target: Shape
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the targets and the sources of synapses, channels last."""
    rows = np.argsort(channels_last(target))[sparse.rows]
    return rows, np.argsort(channels_last(source))[sparse.columns]


def _sparse(
    builder: TableBuilder,
    sparse: Sparse,
    codes: NDArray[np.int64],
    bits: int,
    source: Shape,
    target: Shape,
) -> Fields:
    """Lay out synapses by source neuron."""
    rows, columns = _synapse_ends(sparse, source, target)
    order = sort_synapses(sparse, source, target)
    counts = np.bincount(columns, minlength=sparse.shape[1])
    narrow = sparse.shape[0] <= 1 << 16
    return {
        "kind": SPARSE,
        "weights": builder.weights.add(pack_bits(codes[order][None], bits)),
        "starts": builder.words.add(np.concatenate([[0], np.cumsum(counts)])),
        "targets": (builder.halves if narrow else builder.words).add(rows[order]),
        "narrow": int(narrow),
    }
