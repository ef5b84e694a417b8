"""Lay out connections for the C core: synapses by source, convolution taps, packed products."""

import math

import numpy as np
from numpy.typing import NDArray

from ...connections import (
    Connection,
    Conv,
    Dense,
    Sparse,
    SumPool,
    as_depthwise_conv,
    conv_output_size,
)
from ...population import Population
from .costs import Costs, Layer, dense_fraction
from .library import core
from .tables import (
    CONV,
    DEPTHWISE,
    HALF_LANES,
    PART_BITS,
    SPARSE,
    ArrayBuilders,
    Fields,
    Shape,
    Tap,
    hwc_order,
    pair_fields,
)

Kernel = tuple[int, int, int, int, int]


def compile_connection(
    builders: ArrayBuilders,
    connection: Connection,
    source: Population,
    target: Population,
    costs: Costs,
    learns: bool,
) -> Fields:
    """Lay out the weights of `connection`, return where they are."""
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source.shape[0])
    weights, fields = _weight_bytes(connection.weights, learns)
    fields |= _extreme_sums(connection, weights, fields, learns)
    fields["learns"] = int(learns)
    fields["graded"] = int(source.value_bits > 1)
    fields["parts"] = -(-source.value_bits // PART_BITS)
    builders.weights.align()
    if isinstance(connection, Sparse):
        return _synapses(builders, connection, weights, source.shape, target.shape, fields)
    if isinstance(connection, Conv):
        return _windows(builders, connection, weights, source.shape, fields, costs)
    for axis, shape in enumerate((target.shape, source.shape)):
        if len(shape) == 3 and shape[0] > 1 and shape[1:] != (1, 1):
            weights = weights.take(hwc_order(shape), axis)
    weights = np.ascontiguousarray(weights)[:, :, None, None]
    one = Conv(np.zeros(weights.shape, np.int16))
    return _windows(builders, one, weights, (source.neurons, 1, 1), fields, costs)


def _weight_bytes(weights: NDArray[np.int16], learns: bool) -> tuple[NDArray[np.uint8], Fields]:
    """Return `weights` as bytes, and how to read them: a synapse has no more than 8 bits.

    Of mixed sign they are even, so their halves fit; of one sign they or their magnitudes do.
    """
    low, high = (int(weights.min()), int(weights.max())) if weights.size else (0, 0)
    halved = int(low < 0 < high)
    is_signed = int(halved or (low >= -128 and high <= 127 and not learns))
    held = np.empty(weights.shape, np.uint8)
    if is_signed:  # buffered, so that no copy of 16 bits is made
        np.right_shift(weights, halved, held.view(np.int8), dtype=np.int16, casting="unsafe")
    else:
        np.abs(weights, held, dtype=np.int16, casting="unsafe")
    return held, {
        "is_signed": is_signed,
        "negate": int(not is_signed and low < 0),
        "halved": halved,
    }


def _extreme_sums(
    connection: Dense | Sparse | Conv, weights: NDArray[np.uint8], fields: Fields, learns: bool
) -> Fields:
    """Return the largest sums of positive and negative weight bytes into a neuron, as magnitudes.

    Weights that learn may all become 255.
    """
    if not isinstance(connection, Sparse):
        sums = core.extreme_sums(weights, len(weights), fields["is_signed"])
    elif learns:
        sums = 255 * int(np.bincount(connection.rows).max(initial=0)), 0
    else:
        values = weights.view(np.int8) if fields["is_signed"] else weights
        total = np.bincount(connection.rows, values, connection.shape[0])
        size = np.bincount(connection.rows, np.abs(values.astype(np.int16)), connection.shape[0])
        sums = ((size + sign * total).max(initial=0) // 2 for sign in (1, -1))
    highest, lowest = map(int, sums)
    return {"highest": highest, "lowest": lowest}


def _synapses(
    builders: ArrayBuilders,
    sparse: Sparse,
    weights: NDArray[np.uint8],
    source: Shape,
    target: Shape,
    fields: Fields,
) -> Fields:
    """Lay out the synapses of `sparse` by source neuron."""
    rows, columns = np.argsort(hwc_order(target)), np.argsort(hwc_order(source))
    order = sort_order(columns[sparse.columns], rows[sparse.rows])
    counts = np.bincount(columns[sparse.columns], minlength=sparse.shape[1])
    targets, narrow = rows[sparse.rows[order]], sparse.shape[0] <= 1 << 16
    where = builders.targets if narrow else builders.tables
    starts = builders.tables.add(np.concatenate([[0], np.cumsum(counts)]))
    by_target = 0
    if sparse.shape[1] <= 1 << 16 and not fields["graded"] and not fields["learns"]:
        by_target = _by_target(builders, sparse, weights, rows, columns)
    return fields | {
        "kind": SPARSE,
        "weights": builders.weights.add(weights[order]),
        "starts": starts,
        "targets": where.add(targets),
        "narrow": int(narrow),
        "by_target": by_target,
        "windows": 1,
        "dense_from": 0,
    }


def sort_order(major: NDArray[np.int64], minor: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order by `major`, then by `minor`; both count neurons."""
    order = np.arange(len(major))
    for keys in (minor, major):
        sorted_keys = keys[order]
        if (sorted_keys[1:] < sorted_keys[:-1]).any():
            small = sorted_keys.max() < 1 << 16  # which numpy sorts faster
            order = order[
                np.argsort(sorted_keys.astype(np.uint16 if small else int), kind="stable")
            ]
    return order


def _by_target(
    builders: ArrayBuilders,
    sparse: Sparse,
    weights: NDArray[np.uint8],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> int:
    """Lay out the synapses of `sparse` by target neuron as well, for groups of samples."""
    order = sort_order(rows[sparse.rows], columns[sparse.columns])
    counts = np.bincount(rows[sparse.rows], minlength=sparse.shape[0])
    first = builders.weights.add(weights[order])
    listed = builders.targets.add(columns[sparse.columns[order]])
    return builders.tables.add(np.concatenate([[0], np.cumsum(counts), [first, listed]]))


def _windows(
    builders: ArrayBuilders,
    conv: Conv,
    weights: NDArray[np.uint8],
    source: Shape,
    fields: Fields,
    costs: Costs,
) -> Fields:
    """Lay out `conv` of these `weights` for a source of shape (channels, height, width)."""
    outputs, inputs, height, width = weights.shape
    group = outputs // conv.groups
    kernel = conv.groups, group, inputs, height, width
    windows = conv_output_size(conv, source)
    order = sorted(range(width), key=lambda k: (k * conv.dilation[1] % conv.stride[1], -k))
    laid = builders.weights.reserve(weights.size)
    by_input = builders.weights.held[laid : laid + weights.size]
    places = np.argsort(order).astype(np.int32)
    core.lay_by_input(weights, kernel, places, by_input)
    down = _kernel_taps(conv, 0, source[1], windows[0], list(range(height)))
    across = _kernel_taps(conv, 1, source[2], windows[1], order)
    rows = [
        [(place * width * group, row * windows[1] * outputs, 0) for place, row in taps]
        for taps in down
    ]
    columns = [
        _merge_taps([(place * group, column * outputs, group) for place, column in taps])
        for taps in across
    ]
    channels = source[0]
    exact = channels > 1 and channels * channels * source[2] < 1 << 32
    depthwise_layer = conv.groups > 1 and group == inputs == 1
    longest = max((run[2] for runs in columns for run in runs), default=0)
    one_run = conv.groups == 1 and all(len(runs) <= 1 for runs in columns) and windows != (1, 1)
    fields |= {
        "kind": DEPTHWISE if depthwise_layer else CONV,
        "weights": laid,
        "rows": _add_taps(builders, rows),
        "columns": _add_taps(builders, columns),
        "plane": height * width * group,
        "run": longest if one_run else 0,
        "windows": windows[0] * windows[1],
        "window_columns": windows[1],
        **dict(zip(("channels", "height", "width"), source, strict=True)),
        **{"groups": conv.groups, "group_inputs": inputs, "group_outputs": group},
        **pair_fields("kernel", (height, width)),
        **pair_fields("stride", conv.stride),
        **pair_fields("padding", conv.padding),
        **pair_fields("dilation", conv.dilation),
        "magic": -(-(1 << 32) // channels) if exact else 0,
        **(
            _pack_depthwise(builders, weights)
            if depthwise_layer
            else _pack_quads(builders, conv, laid, places, kernel, source, windows)
        ),
    }
    counts = sum(map(len, rows)), sum(map(len, columns))
    layer = _describe_layer(conv, fields, counts, longest, weights.size)
    least = math.ceil(dense_fraction(layer, costs, depthwise_layer) * math.prod(source))
    return fields | {"dense_from": max(1, least) if least <= math.prod(source) else 0}


def _describe_layer(
    conv: Conv, fields: Fields, counts: tuple[int, int], longest: int, weights: int
) -> Layer:
    """Describe a layer for the cost model; `counts` are its row taps and column runs."""
    return Layer(
        height=fields["height"],
        width=fields["width"],
        channels=fields["channels"],
        row_taps=counts[0],
        column_runs=counts[1],
        run=longest,
        windows=fields["windows"],
        groups=conv.groups,
        fours=fields.get("quads", 0),
        lanes=fields.get("lanes", 0),
        frame=fields["frame"] if any(conv.padding) or fields["parts"] > 1 else 0,
        weights=weights,
        parts=fields["parts"],
        graded=bool(fields["graded"]),
    )


def _pack_depthwise(builders: ArrayBuilders, weights: NDArray[np.uint8]) -> Fields:
    """Lay out weights (channels, 1, 1, height, width) by tap, then channel."""
    builders.weights.align()
    by_tap = weights[:, 0].transpose(1, 2, 0)
    return {"packed": builders.weights.add(by_tap.reshape(-1)), "frame": 0}


def _pack_quads(
    builders: ArrayBuilders,
    conv: Conv,
    laid: int,
    places: NDArray[np.int32],
    kernel: Kernel,
    source: Shape,
    windows: Shape,
) -> Fields:
    """Lay out the weights that are `laid` out by input for products, with the bytes they read.

    `kernel`: the sizes (groups, outputs, inputs, rows, columns); `places`: where columns are.
    Neighboring inputs are a run, padded with zeros to whole fours. Lanes come in tiles of 16, the
    last of which may have 8.
    """
    groups, outputs, inputs, height, width = kernel
    channels, across = source[0], source[2] + 2 * conv.padding[1]
    joined = groups == conv.dilation[1] == 1
    run, runs = (width * inputs, height) if joined else (inputs, height * width)
    fours, lanes = -(-run // 4), -(-outputs // HALF_LANES) * HALF_LANES
    builders.weights.align()
    size = groups * runs * fours * 4 * lanes
    packed = builders.weights.reserve(size)
    held = builders.weights.held
    by_input = held[laid : laid + math.prod(kernel)]
    core.lay_by_quad(by_input, kernel, places, joined, held[packed : packed + size])
    down, aside = (np.arange(n) * d for n, d in zip((height, width), conv.dilation, strict=True))
    taps = (across * down[:, None] + (aside[:1] if joined else aside)).reshape(-1, 1) * channels
    rows, columns = (np.arange(n) * s for n, s in zip(windows, conv.stride, strict=True))
    corners = (across * rows[:, None] + columns) * channels
    return {
        "packed": packed,
        "quads": runs * fours,
        "lanes": lanes,
        "offsets": builders.tables.add((taps + 4 * np.arange(fours)).reshape(-1)),
        "corners": builders.tables.add(corners.reshape(-1)),
        "pitch": across * channels,
        "frame": across * channels * (source[1] + 2 * conv.padding[0]),
    }


def _kernel_taps(
    conv: Conv, axis: int, size: int, windows: int, order: list[int]
) -> list[list[tuple[int, int]]]:
    """Return for each source index of `axis` the kernel indices that meet it, and their windows."""
    stride, padding, dilation = conv.stride[axis], conv.padding[axis], conv.dilation[axis]
    taps: list[list[tuple[int, int]]] = []
    for source in range(size):
        found = ((place, source + padding - k * dilation) for place, k in enumerate(order))
        taps.append(
            [
                (place, start // stride)
                for place, start in found
                if start % stride == 0 and 0 <= start // stride < windows
            ]
        )
    return taps


def _merge_taps(taps: list[Tap]) -> list[Tap]:
    """Join taps that follow each other in weights and in targets; with groups none do."""
    runs: list[Tap] = []
    for weight, target, count in taps:
        first, start, reach = runs[-1] if runs else (-1, -1, 0)
        if (weight, target) == (first + reach, start + reach):
            runs[-1] = (first, start, reach + count)
        else:
            runs.append((weight, target, count))
    return runs


def _add_taps(builders: ArrayBuilders, taps: list[list[Tap]]) -> int:
    """Append the taps of each source index, return where the table of their starts begins."""
    starts = np.cumsum([builders.taps.size, *map(len, taps)])
    builders.taps.add(np.array(sum(taps, []), np.int32).reshape(-1, 3))
    return builders.tables.add(starts)
