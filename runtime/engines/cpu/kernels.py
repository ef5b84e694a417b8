"""The loops of the CPU engine, compiled by numba: all steps of a sample, no Python between.

They stand in one file because numba's cache does not notice a change in another one. Neurons are
ordered (height, width, channel), so that the innermost loops run over channels without a gap.
A round is a few steps of one population, computed before the next population's turn.

Weights are bytes, of which many add up in 16 bits; sums are int32. Where many sources are active,
products of bytes take over, by the processor's own instructions where it has them. All of it is
whole numbers, so no result depends on which way was taken.

What runs often takes whole arrays and where to start in them: to cut an array takes as long as to
add up dozens of weights. Indices are unsigned there, or numba would look for negative ones.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from ...arithmetic import (
    ALIGN_BITS,
    DECAY_BITS,
    DECAY_ONE,
    STATE_BITS,
    STATE_HALF,
)
from .structs import (
    BLOCK,
    INPUT,
    INTEGRATOR,
    LANES,
    PART_BITS,
    ROWS,
    Bytes,
    CompiledNetwork,
    Partition,
    Recording,
    Row,
    State,
    Weights,
    Words,
    Workspace,
)

u8 = np.uint8
i32 = np.int32
u32 = np.uint32
u64 = np.uint64

LOOKS = 1000  # for others, before the processor is left to them
MANY = 32  # of so many neurons, one that is active makes it worth while to look at all
PART = np.uint8(2**PART_BITS - 1)
I32, I64 = ir.IntType(32), ir.IntType(64)
BYTES, SHORTS, WORDS = (
    ir.VectorType(ir.IntType(bits), 32 * ROWS // bits) for bits in (8, 16, 32)
)  # of one vector
BITS, HALVES, SUMS = (ir.VectorType(ir.IntType(bits), LANES) for bits in (8, 16, 32))
CURRENT_UPPER, VOLTAGE_UPPER = (2**bits // DECAY_ONE - 1 for bits in (31, STATE_BITS))
AT_ONCE = 128  # events whose weights add up in 16 bits

# The loops count no references to arrays, which would take longer than what many a call does, so
# they make none: all are given. The option is numba's own for this.
OPTIONS: Any = {"error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
INNER: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called by loops alone
outer = njit(nogil=True, cache=True, **OPTIONS)
loop = njit(cache=True, **OPTIONS, **INNER)


def _on_counter(build: Callable[[ir.IRBuilder, Any], Any]) -> Any:
    """Return an intrinsic that does what `build` says with the first of an array of int64."""

    def use(typing: Any, counter: Any) -> Any:
        def made(context: Any, b: ir.IRBuilder, signature: Any, given: Any) -> Any:
            return build(b, cgutils.create_struct_proxy(counter)(context, b, given[0]).data)

        return types.int64(counter), made

    return intrinsic(use)


# Add one, whoever else does so, and return what it was; return it as others have left it.
add_at_once = _on_counter(lambda b, at: b.atomic_rmw("add", at, I64(1), "seq_cst"))
look_at_once = _on_counter(lambda b, at: b.load_atomic(at, "seq_cst", 8))


def _active_bits(typing: Any, values: Any, first: Any) -> Any:
    """Return a bit for each value of the block from `first` on: 1 where it is not zero."""

    def build(context: Any, b: ir.IRBuilder, signature: Any, given: Any) -> Any:
        array, place = _pointers(context, b, signature, given)
        held = b.load(_at(b, array, place, ir.VectorType(ir.IntType(8), BLOCK)), align=1)
        nothing = ir.Constant(held.type, [0] * BLOCK)
        return b.bitcast(b.icmp_unsigned("!=", held, nothing), I64)

    return types.uint64(values, first), build


active_bits: Any = intrinsic(_active_bits)


def _on_bits(build: Callable[[ir.IRBuilder, Any], Any]) -> Any:
    """Return an intrinsic that does what `build` says with 64 bits."""

    def use(typing: Any, bits: Any) -> Any:
        return types.uint64(types.uint64), lambda _, b, signature, given: build(b, given[0])

    return intrinsic(use)


# How many bits are 1, and which is the first of them, where there is one.
count_bits = _on_bits(lambda b, bits: b.ctpop(bits))
lowest_bit = _on_bits(lambda b, bits: b.cttz(bits, ir.Constant(ir.IntType(1), 1)))

# How a thread leaves its processor to others.
sched_yield = types.ExternalFunction(
    "sched_yield" if os.name == "posix" else "SwitchToThread", types.int32()
)


@outer
def run_samples(
    layout: CompiledNetwork,
    states: State,
    recording: Recording,
    scratch: Workspace,
    afresh: bool,
    tile: Partition,
) -> None:
    """Advance samples by all timesteps, or until they stop.

    Each goes on from its row of `states`, or, `afresh`, from silence in the only row. Writes the
    states and the recording. Of one part, a `tile` is shared by whoever takes samples from it, each
    the next that no other has. Of several, all take every sample, and of each population what is
    theirs; they work on the same arrays, but for the scratch, at the same time.
    """
    sample = -1
    while True:
        sample = add_at_once(tile.counter) if tile.parts == 1 else sample + 1
        if sample >= recording.batch:
            break
        row = 0 if afresh else sample
        state = State(
            states.current[row],
            states.voltage[row],
            states.history[row],
            states.clock[row],
            states.score[row],
        )
        if afresh and tile.number == 0:
            _silence(layout, state)
        _meet(tile)
        before = state.clock[0]
        scratch.events[:] = 0
        for start in range(0, recording.timesteps, layout.steps):
            if state.clock[1]:
                _hold(layout, state, recording, sample, start)
                break
            steps = min(layout.steps, recording.timesteps - start)
            _round(layout, state, recording, scratch, sample, start, steps, tile)
            if len(layout.thresholds):
                _judge(layout, state)
        if len(layout.thresholds):
            recording.steps[sample] = state.clock[0] - before


@loop
def _silence(layout: CompiledNetwork, state: State) -> None:
    """Bring a sample back to before its first step; what is written before it is read may stay."""
    for population in layout.populations:
        first, beyond = population.first, population.first + population.neurons
        past = population.history + population.delay * population.row
        state.history[population.history : past] = 0
        if population.kind != INPUT:
            state.voltage[first:beyond] = 0
            if not population.forgets:
                state.current[first:beyond] = 0
    state.clock[:] = 0
    state.score[:] = 0


@loop
def _round(
    layout: CompiledNetwork,
    state: State,
    recording: Recording,
    scratch: Workspace,
    sample: int,
    start: int,
    steps: int,
    tile: Partition,
) -> None:
    """Compute `steps` steps from step `start` on."""
    for number in range(len(layout.populations)):
        population = layout.populations[number]
        low, high = _bounds(population, tile)
        if population.kind == INPUT:
            for step in range(tile.number, steps, tile.parts):
                place = (start + step) * recording.batch + sample
                _read(population, state.history, _values(population, step), recording, place)
        elif low < high:
            _advance(layout, number, state, recording, scratch, sample, start, steps, low, high)
        _meet(tile)
        for step in range(steps):
            values = _values(population, step)
            count = count_active(state.history, values, population.row)
            scratch.events[number * layout.steps + step] = count
            scratch.found[number * layout.steps + step] = False
        _count(layout, number, state, scratch, recording, sample, steps, low, high)
        if recording.spikes_first[number] >= 0:
            for step in range(steps):
                place = (start + step) * recording.batch + sample
                _write_spikes(layout, number, state, scratch, recording, place, step, low, high)
    _meet(tile)
    if tile.number == 0:
        for population in layout.populations:
            past = state.history[population.history :]
            for byte in range(population.delay * population.row):
                past[byte] = past[byte + steps * population.row]
    _meet(tile)


@loop
def _bounds(population: Row, tile: Partition) -> tuple[int, int]:
    """Return the first neuron of `population` that is in `tile`, and the first behind it."""
    unit, neurons = population.unit, population.neurons
    units = (neurons + unit - 1) // unit
    low, high = tile.number * units // tile.parts, (tile.number + 1) * units // tile.parts
    return min(low * unit, neurons), min(high * unit, neurons)


@loop
def _meet(tile: Partition) -> None:
    """Wait until all tiles have come here."""
    if tile.parts > 1:
        came = add_at_once(tile.counter)
        last, looks = (came // tile.parts + 1) * tile.parts, 0
        while 0 <= look_at_once(tile.counter) < last:  # less where one of them will never come
            looks += 1
            if looks > LOOKS:
                sched_yield()


@loop
def _advance(
    layout: CompiledNetwork,
    number: int,
    state: State,
    recording: Recording,
    scratch: Workspace,
    sample: int,
    start: int,
    steps: int,
    low: int,
    high: int,
) -> None:
    """Compute `steps` steps of the neurons from `low` to before `high` of one population."""
    population = layout.populations[number]
    together = _together(layout, population, scratch, steps)
    for step in range(steps):
        if step % together == 0:
            _activate(layout, population, state, scratch, step, together, low, high)
        sums = step % together * population.neurons
        values = _values(population, step)
        update(layout, population, state, scratch.sums, sums, values, low, high)
        if recording.voltages_first[number] >= 0:
            place = (start + step) * recording.batch + sample
            _write_voltages(number, population, state, recording, place)


@loop
def _judge(layout: CompiledNetwork, state: State) -> None:
    """Let the sample stop after this step where the margin of its answer passes the threshold."""
    population = layout.populations[layout.output]
    neurons, score = population.neurons, state.score
    if population.kind == INTEGRATOR:
        for i in range(neurons):
            score[i] = state.voltage[population.first + i]
    else:
        values = _values(population, 0)
        for i in range(neurons):
            score[i] += state.history[values + i]
    first, second = max(score[0], score[1]), min(score[0], score[1])
    for i in range(2, neurons):
        if score[i] > first:
            first, second = score[i], first
        elif score[i] > second:
            second = score[i]
    step = state.clock[0]
    state.clock[0] = step + 1
    if step < len(layout.thresholds):
        state.clock[1] = first - second > layout.thresholds[step]


@loop
def _hold(
    layout: CompiledNetwork, state: State, recording: Recording, sample: int, start: int
) -> None:
    """Record the voltages of a sample that has stopped for all steps from `start` on."""
    for number in range(len(layout.populations)):
        if recording.voltages_first[number] >= 0:
            for now in range(start, recording.timesteps):
                place = now * recording.batch + sample
                _write_voltages(number, layout.populations[number], state, recording, place)


@loop
def _listed(
    layout: CompiledNetwork, number: int, state: State, scratch: Workspace, step: int
) -> int:
    """Locate the list of a population's active neurons at `step` of this round.

    It lists them where this has not been asked before.
    """
    population, now = layout.populations[number], number * layout.steps + step
    first = layout.steps * population.first + step * population.neurons
    if scratch.events[now] and not scratch.found[now]:
        values = _values(population, step)
        find_active(state.history, values, population.row, scratch.active, first)
        scratch.found[now] = True
    return int(first)


@loop
def _values(population: Row, step: int) -> int:
    """Locate the values sent at `step` of this round in the history; earlier steps are < 0."""
    return int(population.history + (population.delay + step) * population.row)


@loop
def _read(population: Row, history: Bytes, onto: int, recording: Recording, place: int) -> None:
    """Bring the events of an input into (height, width, channel) order."""
    channels, neurons = u64(population.channels), population.neurons
    positions, events = neurons // population.channels, recording.events
    first = population.first * recording.timesteps * recording.batch + place * neurons
    to, start, beyond = u64(onto), u64(first), u64(positions)
    if positions == 1:
        for neuron in range(channels):
            history[to + neuron] = events[start + neuron]
        return
    if channels == u64(2):  # in one loop that takes both, so that the compiler joins the stores
        for position in range(beyond):
            history[to + position * u64(2)] = events[start + position]
            history[to + position * u64(2) + u64(1)] = events[start + beyond + position]
        return
    for _ in range(channels):
        for position in range(beyond):
            history[to + position * channels] = events[start + position]
        start, to = start + beyond, to + u64(1)


@loop
def _count(
    layout: CompiledNetwork,
    number: int,
    state: State,
    scratch: Workspace,
    recording: Recording,
    sample: int,
    steps: int,
    low: int,
    high: int,
) -> None:
    """Count the spikes of a round, of the neurons from `low` to before `high`, as they lie."""
    population, counts, row = layout.populations[number], recording.counts, u64(sample)
    first, events = u64(population.first), 0
    for step in range(steps):
        events += scratch.events[number * layout.steps + step]
    if events * MANY <= population.neurons * steps:
        for step in range(steps):
            begin, end = _within(layout, number, state, scratch, step, low, high)
            for event in range(u64(begin), u64(end)):
                counts[row, first + u64(scratch.active[event])] += 1
        return
    sent, fours = state.history, steps // 4 * 4
    for step in range(0, fours, 4):
        a, b = u64(_values(population, step)), u64(_values(population, step + 1))
        c, d = u64(_values(population, step + 2)), u64(_values(population, step + 3))
        for i in range(u64(low), u64(high)):
            some = u8(u8(sent[a + i] != 0) + u8(sent[b + i] != 0))
            rest = u8(u8(sent[c + i] != 0) + u8(sent[d + i] != 0))
            counts[row, first + i] += i32(u8(some + rest))
    for step in range(fours, steps):
        a = u64(_values(population, step))
        for i in range(u64(low), u64(high)):
            counts[row, first + i] += i32(sent[a + i] != 0)


@loop
def _within(
    layout: CompiledNetwork,
    number: int,
    state: State,
    scratch: Workspace,
    step: int,
    low: int,
    high: int,
) -> tuple[int, int]:
    """Return from where to before where the active neurons that lie within bounds are listed."""
    begin = _listed(layout, number, state, scratch, step)
    end = begin + int(scratch.events[number * layout.steps + step])
    while begin < end and scratch.active[begin] < low:
        begin += 1
    while begin < end and scratch.active[end - 1] >= high:
        end -= 1
    return begin, end


@loop
def _write_spikes(
    layout: CompiledNetwork,
    number: int,
    state: State,
    scratch: Workspace,
    recording: Recording,
    place: int,
    step: int,
    low: int,
    high: int,
) -> None:
    """Record the spikes of a step in (channel, height, width)."""
    population = layout.populations[number]
    channels, neurons = population.channels, population.neurons
    positions, values = neurons // channels, _values(population, step)
    samples = recording.timesteps * recording.batch
    onto = recording.spikes_first[number] * samples + place * neurons
    begin, end = _within(layout, number, state, scratch, step, low, high)
    for event in range(u64(begin), u64(end)):
        one = scratch.active[event]
        position = int(u32(one) // u32(channels))
        neuron = (one - position * channels) * positions + position
        recording.spikes[u64(onto + neuron)] = state.history[u64(values + one)]


@loop
def _write_voltages(
    number: int, population: Row, state: State, recording: Recording, place: int
) -> None:
    channels, neurons = population.channels, population.neurons
    positions = neurons // channels
    samples = recording.timesteps * recording.batch
    voltages = recording.voltages[recording.voltages_first[number] * samples + place * neurons :]
    for i in range(neurons):
        position = i // channels
        neuron = (i - position * channels) * positions + position
        voltages[neuron] = state.voltage[population.first + i]


@loop
def count_active(values: Bytes, first: int, size: int) -> int:
    """Count the nonzero values among the `size` from `first` on, a multiple of the block size."""
    start, count = u64(first), u64(0)
    for block in range(u64(0), u64(size), u64(BLOCK)):
        count += count_bits(active_bits(values, start + block))
    return int(count)


@outer
def find_active(values: Bytes, first: int, size: int, active: Words, onto: int) -> int:
    """List which of the `size` values from `first` on are not zero, in `active` from `onto` on.

    Returns how many. Values are whole blocks.
    """
    start, to = u64(first), u64(onto)
    for block in range(u64(0), u64(size), u64(BLOCK)):
        bits = active_bits(values, start + block)
        while bits:
            active[to] = i32(block + lowest_bit(bits))
            to += u64(1)
            bits &= bits - u64(1)
    return int(to - u64(onto))


@loop
def _together(layout: CompiledNetwork, population: Row, scratch: Workspace, steps: int) -> int:
    """Choose where to multiply, by the events of this round, or of the last from later sources.

    Returns of how many steps activations are added up at once: one, or all where products of a
    step are few.
    """
    together = 1
    for number in range(population.into_first, population.into_last):
        projection = layout.projections[number]
        events, first = 0, projection.source * layout.steps
        for step in range(steps):
            events += scratch.events[first + step]
        least, windows = steps * projection.product, steps * projection.windows
        if projection.windows < ROWS:  # the fewer, the more of the eight are none
            least = least * ((windows + ROWS - 1) // ROWS * ROWS) // windows
        multiplied = projection.product > 0 and events >= least
        scratch.multiplied[number] = multiplied
        if multiplied and projection.windows < ROWS:
            together = steps
    return together


@loop
def _activate(
    layout: CompiledNetwork,
    population: Row,
    state: State,
    scratch: Workspace,
    first: int,
    steps: int,
    low: int,
    high: int,
) -> None:
    """Add up activations in `steps` steps from `first` on in `scratch.sums`.

    Those of the neurons from `low` to before `high`; what stands there for others is of no use.
    """
    begin, end = low, (steps - 1) * population.neurons + high
    scratch.sums[begin:end] = 0
    signed = layout.weights.view(np.int8)
    for number in range(population.into_first, population.into_last):
        projection = layout.projections[number]
        direct = projection.shift == 0 and projection.negative == 0
        sums = scratch.sums if direct else scratch.partial
        if not direct:
            sums[begin:end] = 0
        if projection.signed:
            _add_up(
                layout, projection, signed, state, scratch, sums, number, first, steps, low, high
            )  # fmt: skip
        else:
            _add_up(
                layout, projection, layout.weights, state, scratch, sums, number, first, steps,
                low, high,
            )  # fmt: skip
        if not direct:
            sign, shift = i32(-1 if projection.negative else 1), u64(projection.shift) & u64(31)
            for i in range(u64(begin), u64(end)):
                scratch.sums[i] += i32(sign * sums[i]) >> shift


@loop
def _add_up(
    layout: CompiledNetwork,
    projection: Row,
    weights: Weights,
    state: State,
    scratch: Workspace,
    sums: Words,
    number: int,
    first: int,
    steps: int,
    low: int,
    high: int,
) -> None:
    """Add what the events of one projection bring to `sums` (steps * target neurons,).

    `weights` are those of the layout, as bytes of the projection's type.
    """
    source, history = layout.populations[projection.source], state.history
    if scratch.multiplied[number]:
        values = _values(source, first - projection.delay)
        _multiply(
            layout, projection, source, weights, history, values, scratch, sums, steps, low, high
        )
        return
    for step in range(first, first + steps):
        begin, count = _arriving(layout, projection, state, scratch, step)
        values = _values(source, step - projection.delay)
        onto, end = (step - first) * projection.neurons, begin + count
        if projection.sparse:
            _follow(
                layout, projection, weights, history, values, scratch.active, begin, end,
                sums, onto,
            )  # fmt: skip
        else:
            scatter(
                layout, projection, weights, history, values, scratch.active, begin, end,
                sums, onto, low, high,
            )  # fmt: skip


@loop
def _arriving(
    layout: CompiledNetwork, projection: Row, state: State, scratch: Workspace, step: int
) -> tuple[int, int]:
    """Locate the list of neurons whose events arrive at `step`, and count them."""
    source = layout.populations[projection.source]
    sent = step - projection.delay
    if sent >= 0:
        count = scratch.events[projection.source * layout.steps + sent]
        return _listed(layout, projection.source, state, scratch, sent), int(count)
    values = _values(source, sent)
    first = layout.steps * layout.sizes[1]
    return first, find_active(state.history, values, source.row, scratch.active, first)


@loop
def _follow(
    layout: CompiledNetwork,
    projection: Row,
    weights: Weights,
    history: Bytes,
    values: int,
    active: Words,
    begin: int,
    end: int,
    sums: Words,
    onto: int,
) -> None:
    """Add each event along the synapses of its neuron."""
    starts, targets = u64(projection.starts), u64(projection.targets)
    first, to, left = u64(projection.weights), u64(onto), i32(projection.left) & i32(31)
    tables = layout.tables
    for event in range(u64(begin), u64(end)):
        neuron = active[event]
        value = i32(history[u64(values + neuron)]) << left
        start, stop = u64(tables[starts + u64(neuron)]), u64(tables[starts + u64(neuron) + u64(1)])
        for synapse in range(start, stop):
            target = u64(tables[targets + synapse])
            sums[to + target] += i32(value * i32(weights[first + synapse]))


@loop
def scatter(
    layout: CompiledNetwork,
    projection: Row,
    weights: Weights,
    history: Bytes,
    values: int,
    active: Words,
    begin: int,
    end: int,
    sums: Words,
    onto: int,
    low: int,
    high: int,
) -> None:
    """Add each event to the windows that see it; those of one place and group together.

    The taps of a row and of a column of the source say where the weights start, where the targets
    they meet start, and how many there are.
    """
    taps, tables, graded = layout.taps, layout.tables, projection.graded
    rows, columns = u64(projection.rows), u64(projection.columns)
    inputs, outputs = projection.group_inputs, projection.group_outputs
    channels, width, several = projection.channels, projection.width, projection.groups > 1
    plane, first_weight, left = projection.plane, projection.weights, i32(projection.left) & i32(31)
    many, one = projection.windows > 1, projection.windows == projection.groups == 1
    first = begin
    while first < end:
        event = int(active[u64(first)])
        position = int(u32(event) // u32(channels))
        y = int(u32(position) // u32(width))
        x = position - y * width
        corner = position * channels
        beyond, to = corner + inputs, onto
        if several:
            group = int(u32(event - corner) // u32(inputs))
            beyond, to = beyond + group * inputs, onto + group * outputs
        last = first + 1
        while last < end and active[u64(last)] < beyond:
            last += 1
        origin = first_weight - corner * plane
        for row in range(u64(tables[rows + u64(y)]), u64(tables[rows + u64(y) + u64(1)])):
            if many and not low <= taps[row, 1] < high:
                continue
            for column in range(
                u64(tables[columns + u64(x)]), u64(tables[columns + u64(x) + u64(1)])
            ):
                start = origin + taps[row, 0] + taps[column, 0]
                target, length = to + taps[row, 1] + taps[column, 1], taps[column, 2]
                if one:
                    start, target, length = start + low, target + low, high - low
                if graded:
                    add_graded(
                        sums, target, length, weights, start, plane, left,
                        active, first, last, history, values,
                    )  # fmt: skip
                else:
                    add(sums, target, length, weights, start, plane, left, active, first, last)
        first = last


def _add(
    typing: Any,
    sums: Any,
    onto: Any,
    length: Any,
    weights: Any,
    start: Any,
    plane: Any,
    left: Any,
    active: Any,
    first: Any,
    last: Any,
) -> Any:
    """Add `length` weights of each event in `active` from `first` to before `last`, shifted left.

    Those of event `e` begin at `start + e * plane`; they are added to `sums` from `onto` on. Behind
    the last, weights and sums are read, and sums written as they were: there must be some.
    """
    given = sums, onto, length, weights, start, plane, left, active, first, last
    return types.void(*given), _build_sums


add: Any = intrinsic(_add)


def _build_sums(context: Any, b: ir.IRBuilder, signature: Any, given: Any) -> Any:
    """Write the instructions that add up events: as many lanes at once as there are registers for.

    Of so many events sums fit into 16 bits, and go to memory once.
    """
    sums, onto, length, weights, start, plane, left, active, first, last = _pointers(
        context, b, signature, given
    )
    signed = signature.args[3].dtype.signed
    with cgutils.for_range_slice(b, first, last, I64(AT_ONCE), I64) as (begin, _):
        many = b.icmp_signed("<", b.sub(last, begin), I64(AT_ONCE))
        end = b.select(many, last, b.add(begin, I64(AT_ONCE)))
        done = I64(0)
        for vectors in (8, 4, 2, 1):
            until = length if vectors == 1 else b.and_(length, I64(-LANES * vectors))
            with cgutils.for_range_slice(b, done, until, I64(LANES * vectors), I64) as (lane, _):
                place = b.add(start, lane)
                totals = _build_totals(
                    b, weights, place, plane, active, begin, end, vectors, signed
                )
                for number, total in enumerate(totals):
                    wide = b.shl(b.sext(total, SUMS), _splat(b, b.trunc(left, I32), LANES))
                    if vectors == 1:
                        inside = _splat(b, b.trunc(b.sub(length, lane), I32), LANES)
                        kept = b.icmp_signed("<", ir.Constant(SUMS, list(range(LANES))), inside)
                        wide = b.select(kept, wide, ir.Constant(SUMS, [0] * LANES))
                    target = b.add(b.add(onto, lane), I64(LANES * number))
                    at = _at(b, sums, target, SUMS)
                    b.store(b.add(b.load(at, align=4), wide), at, align=4)
            done = until
    return context.get_dummy_value()


def _build_totals(
    b: ir.IRBuilder,
    weights: Any,
    place: Any,
    plane: Any,
    active: Any,
    begin: Any,
    end: Any,
    vectors: int,
    signed: bool,
) -> list[Any]:
    """Write what adds up vectors of weights in 16 bits: from `place` on, a `plane` an event."""
    nothing = ir.Constant(HALVES, [0] * LANES)
    totals = [cgutils.alloca_once(b, HALVES) for _ in range(vectors)]
    for total in totals:
        b.store(nothing, total)
    with cgutils.for_range_slice(b, begin, end, I64(1), I64) as (event, _):
        neuron = b.sext(b.load(_at(b, active, event)), I64)
        row = b.add(place, b.mul(neuron, plane))
        for number, total in enumerate(totals):
            held = b.load(_at(b, weights, b.add(row, I64(LANES * number)), BITS), align=1)
            wide = b.sext(held, HALVES) if signed else b.zext(held, HALVES)
            b.store(b.add(b.load(total), wide), total)
    return [b.load(total) for total in totals]


@loop
def add_graded(
    sums: Words,
    onto: int,
    length: int,
    weights: Weights,
    start: int,
    plane: int,
    left: np.int32,
    active: Words,
    first: int,
    last: int,
    history: Bytes,
    values: int,
) -> None:
    """Do the same times what each event carries: `history` from `values` on; two at a time."""
    o, w, p, v = u64(onto), u64(start), u64(plane), u64(values)
    for at in range(u64(first), u64(last), u64(2)):
        one, other = u64(active[at]), u64(active[at])
        q, r = i32(history[v + one]) << left, i32(0)
        if at + u64(1) < u64(last):
            other = u64(active[at + u64(1)])
            r = i32(history[v + other]) << left
        a, b = w + one * p, w + other * p
        for i in range(u64(length)):
            sums[o + i] += q * i32(weights[a + i]) + r * i32(weights[b + i])


@loop
def _multiply(
    layout: CompiledNetwork,
    projection: Row,
    source: Row,
    weights: Weights,
    history: Bytes,
    values: int,
    scratch: Workspace,
    sums: Words,
    steps: int,
    low: int,
    high: int,
) -> None:
    """Do the same as products of bytes: all windows of a step, or those of all steps if few."""
    windows = projection.windows
    first, last = low * windows // projection.neurons, high * windows // projection.neurons
    if windows == 1:
        first, last = 0, 1
    together = steps if windows < ROWS else 1
    for step in range(0, steps, together):
        for part in range(projection.parts):
            for frame in range(together):
                _see(
                    projection, history, values + (step + frame) * source.row, part, scratch, frame
                )
            left = projection.left + part * PART_BITS
            onto = step * projection.neurons
            _multiply_windows(
                layout, projection, weights, scratch, sums, onto, left, together, first, last,
                low, high,
            )  # fmt: skip


@loop
def _see(
    projection: Row, history: Bytes, values: int, part: int, scratch: Workspace, frame: int
) -> None:
    """Write a map of the source with its padding to the image: the bits of one part of values."""
    width, shift = projection.width * projection.channels, u64(part * PART_BITS)
    pitch, margin = projection.pitch, projection.padding_x * projection.channels
    image, first = scratch.image, frame * projection.frame
    if projection.padding_y or projection.padding_x:
        for i in range(u64(projection.frame)):
            image[u64(first) + i] = 0
    for y in range(projection.height):
        onto = u64(first + (y + projection.padding_y) * pitch + margin)
        start = u64(values + y * width)
        for i in range(u64(width)):
            image[onto + i] = (history[start + i] >> shift) & PART


@loop
def _multiply_windows(
    layout: CompiledNetwork,
    projection: Row,
    weights: Weights,
    scratch: Workspace,
    sums: Words,
    onto: int,
    left: int,
    frames: int,
    begin: int,
    end: int,
    low: int,
    high: int,
) -> None:
    """Add to `sums` what windows see, times the weights of each group; eight at a time.

    The windows of each frame from `begin` to before `end`; of a single one the outputs from `low`
    to before `high`.
    """
    columns, outputs, lanes = projection.window_columns, projection.group_outputs, projection.lanes
    groups, corners, targets = projection.groups, scratch.corners, scratch.targets
    aside = projection.stride_x * projection.channels
    down = projection.stride_y * projection.pitch - columns * aside
    first_lane, last_lane = 0, lanes
    if projection.windows == groups == 1:
        first_lane, last_lane = low // (2 * ROWS) * (2 * ROWS), min(high, lanes)
    count = frames * (end - begin)
    for group in range(groups):
        start = projection.packed + group * projection.quads * lanes * 4
        frame, window, x = -1, end, 0
        corner = target = 0
        for first in range(0, count, ROWS):
            for row in range(ROWS):
                if window == end:
                    frame, window, x = frame + 1, begin, 0
                    corner = frame * projection.frame + group * projection.group_inputs
                    corner += begin // columns * projection.stride_y * projection.pitch
                    target = onto + frame * projection.neurons
                    target += (begin * groups + group) * outputs
                corners[row], targets[row] = corner, target
                if first + row >= count:  # what comes of no window is not used
                    corners[row], targets[row] = 0, sums.size - lanes
                window, x = window + 1, x + 1
                corner, target = corner + aside, target + groups * outputs
                if x == columns:
                    corner, x = corner + down, 0
            for lane in range(first_lane, last_lane, 2 * ROWS):
                place = start + lane * 4 * projection.quads
                if lane + ROWS < lanes:
                    multiply_sixteen_lanes(
                        scratch.image, corners, layout.tables, projection.offsets,
                        projection.quads, weights, place, sums, targets, lane, left,
                    )  # fmt: skip
                else:
                    multiply_eight_lanes(
                        scratch.image, corners, layout.tables, projection.offsets,
                        projection.quads, weights, place, sums, targets, lane, left,
                    )  # fmt: skip


def _multiplies(lanes: int) -> Any:
    """Return an intrinsic that multiplies what eight windows see with so many lanes of weights."""

    def multiply(
        typing: Any,
        image: Any,
        corners: Any,
        offsets: Any,
        first: Any,
        quads: Any,
        weights: Any,
        start: Any,
        sums: Any,
        targets: Any,
        lane: Any,
        left: Any,
    ) -> Any:
        """Add eight windows' products with lanes of weights, shifted left, to their sums.

        A window sees four bytes of the image at its corner plus each of the `quads` offsets from
        `first` on. Its products with four bytes of weights for each of eight lanes, which lie from
        `start` on, are summed up in 32 bits, then added to `sums` from its target plus `lane` on;
        then come the next eight lanes.
        """
        given = image, corners, offsets, first, quads, weights, start, sums, targets, lane, left
        return types.void(*given), build

    def build(context: Any, b: ir.IRBuilder, signature: Any, given: Any) -> Any:
        features = set(context.codegen().magic_tuple()[2].split(","))
        tiles = range(lanes // ROWS)  # all at once where there are registers for their totals
        for part in [tiles] if "+avx512vl" in features else [[tile] for tile in tiles]:
            _build_products(context, b, signature, given, features, part)
        return context.get_dummy_value()

    return intrinsic(multiply)


def _build_products(
    context: Any,
    b: ir.IRBuilder,
    signature: Any,
    given: Any,
    features: set[str],
    tiles: Sequence[int],
) -> None:
    """Write the instructions that multiply eight windows with tiles of eight lanes."""
    image, corners, offsets, first, quads, weights, start, sums, targets, lane, left = _pointers(
        context, b, signature, given
    )
    signed, at = signature.args[5].dtype.signed, partial(_at, b)

    totals = {
        (row, tile): cgutils.alloca_once_value(b, ir.Constant(WORDS, [0] * ROWS))
        for row in range(ROWS)
        for tile in tiles
    }
    for total in totals.values():
        b.store(ir.Constant(WORDS, [0] * ROWS), total)
    seen = [at(image, b.load(at(corners, I64(row)))) for row in range(ROWS)]
    with cgutils.for_range(b, quads) as quad:
        offset = b.sext(b.load(at(offsets, b.add(first, quad.index))), I64)
        held = {}
        for tile in tiles:
            place = b.mul(I64(4 * ROWS), b.add(quad.index, b.mul(I64(tile), quads)))
            held[tile] = b.load(at(weights, b.add(start, place), BYTES), align=1)
        for row in range(ROWS):
            four = b.load(at(seen[row], offset, I32), align=1)
            values = b.bitcast(_splat(b, four), BYTES)
            for tile in tiles:
                pair = (values, held[tile]) if signed else (held[tile], values)
                total = totals[row, tile]
                b.store(_dot(b, features, b.load(total), *pair), total)
    shift = _splat(b, b.trunc(left, I32))
    for (row, tile), total in totals.items():
        target = b.add(b.add(lane, I64(tile * ROWS)), b.load(at(targets, I64(row))))
        onto = at(sums, target, WORDS)
        b.store(b.add(b.load(onto, align=4), b.shl(b.load(total), shift)), onto, align=4)


def _pointers(context: Any, b: ir.IRBuilder, signature: Any, given: Any) -> Iterator[Any]:
    """Give where arrays start, and numbers as 64 bits."""
    for kind, value in zip(signature.args, given, strict=True):
        if isinstance(kind, types.Array):
            yield cgutils.create_struct_proxy(kind)(context, b, value).data
        else:
            yield context.cast(b, value, kind, types.int64)


def _at(b: ir.IRBuilder, array: Any, index: Any, vector: Any = None) -> Any:
    """Locate an element, or a vector that starts there."""
    place = b.gep(array, [index])
    return place if vector is None else b.bitcast(place, vector.as_pointer())


def _splat(b: ir.IRBuilder, word: Any, lanes: int = ROWS) -> Any:
    """Return a vector of some times `word`."""
    many = ir.VectorType(I32, lanes)
    nothing = ir.Constant(many, ir.Undefined)
    one = b.insert_element(nothing, word, I32(0))
    return b.shuffle_vector(one, nothing, ir.Constant(many, [0] * lanes))


def _dot(b: ir.IRBuilder, features: set[str], totals: Any, unsigned: Any, signed: Any) -> Any:
    """Return `totals` plus the sums of four products of bytes each, as the processor can.

    The signed bytes that are values, or the unsigned, are no more than `PART`: sums of two
    products fit into 16 bits.
    """

    def call(name: str, result: Any, *values: Any) -> Any:
        kind = ir.FunctionType(result, [value.type for value in values])
        return b.call(cgutils.get_or_insert_function(b.module, kind, name), values)

    if "+avxvnni" in features or {"+avx512vnni", "+avx512vl"} <= features:
        quads = [b.bitcast(each, WORDS) for each in (unsigned, signed)]
        return call("llvm.x86.avx512.vpdpbusd.256", WORDS, totals, *quads)
    if "+avx2" in features:
        pairs = call("llvm.x86.avx2.pmadd.ub.sw", SHORTS, unsigned, signed)
        ones = ir.Constant(SHORTS, [1] * 2 * ROWS)
        return b.add(totals, call("llvm.x86.avx2.pmadd.wd", WORDS, pairs, ones))
    wide = ir.VectorType(ir.IntType(32), 4 * ROWS)
    products = b.mul(b.zext(unsigned, wide), b.sext(signed, wide))
    for place in range(4):
        every_fourth = ir.Constant(WORDS, [4 * lane + place for lane in range(ROWS)])
        totals = b.add(totals, b.shuffle_vector(products, products, every_fourth))
    return totals


multiply_eight_lanes, multiply_sixteen_lanes = _multiplies(ROWS), _multiplies(2 * ROWS)


@outer
def update(
    layout: CompiledNetwork,
    population: Row,
    state: State,
    sums: Words,
    onto: int,
    values: int,
    low: int,
    high: int,
) -> None:
    """Advance the neurons from `low` to before `high` by a step; parameters repeat."""
    period, first = population.period, low
    while first < high:
        inside = first % period
        count = min(period - inside, high - first)
        place, o, to = population.first + first, onto + first, values + first
        if population.plain and population.holds:
            step_neurons(
                layout, population, state, place, inside, count, sums, o, to, True, True, True
            )  # fmt: skip
        elif population.plain:
            step_neurons(
                layout, population, state, place, inside, count, sums, o, to, True, True, False
            )  # fmt: skip
        elif population.forgets:
            step_neurons(
                layout, population, state, place, inside, count, sums, o, to, False, True, False
            )  # fmt: skip
        else:
            step_neurons(
                layout, population, state, place, inside, count, sums, o, to, False, False, False
            )  # fmt: skip
        first += count


@njit(forceinline=True, **OPTIONS, **INNER)
def step_neurons(
    layout: CompiledNetwork,
    population: Row,
    state: State,
    place: int,
    inside: int,
    count: int,
    sums: Words,
    onto: int,
    to: int,
    plain: bool,
    forgets: bool,
    holds: bool,
) -> None:
    """Do what `arithmetic.step` says for `count` neurons from `place` on.

    Their parameters stand from `inside` a period on: what a current keeps of itself, and what a
    voltage does, a period each, of which none is needed where currents keep nothing or voltages
    all; then thresholds and biases, both aligned. All that is computed has 32 bits, so that as many
    neurons as possible are computed at once: casts keep numba from 64.
    """
    current, voltage, sent = state.current, state.voltage, state.history
    shares, levels, largest = layout.shares, layout.levels, i32(population.largest)
    n, at, o, e = u64(population.period), u64(place), u64(onto), u64(to)
    s, t = u64(population.shares + inside), u64(population.levels + inside)
    for i in range(u64(count)):
        u = i32(sums[o + i] << i32(ALIGN_BITS))
        if not forgets:
            u = i32(u + _kept(current[at + i], i32(shares[s + i]), i32(CURRENT_UPPER)))
        if not plain:
            if u > i32(STATE_HALF):
                u = i32(u - i32(2 * STATE_HALF))
            elif u <= i32(-STATE_HALF):
                u = i32(u + i32(2 * STATE_HALF))
        if not forgets:
            current[at + i] = u
        v = voltage[at + i]
        if not holds:
            v = _kept(v, i32(shares[s + n + i]), i32(VOLTAGE_UPPER))
        v = i32(i32(v + u) + levels[t + n + i])
        v = i32(min(max(v, i32(1 - STATE_HALF)), i32(STATE_HALF - 1)))
        spike = v > levels[t + i]
        value = u8(1)
        if not plain:
            value = u8(i32(min(max(i32(v >> i32(ALIGN_BITS)), i32(1)), largest)))
        voltage[at + i] = i32(0) if spike else v
        sent[e + i] = value if spike else u8(0)


@njit(forceinline=True, **OPTIONS, **INNER)
def _kept(state: np.int32, share: np.int32, upper: np.int32) -> np.int32:
    """Return `share` of `state`, in 1/4096, rounded towards zero.

    The product may need more than 32 bits, so the lower bits of the state are multiplied apart.
    `upper` says which others there are: of few, the compiler takes a faster product.
    """
    size = state if state >= i32(0) else i32(-state)
    much = i32(i32(i32(size >> i32(DECAY_BITS)) & upper) * share)
    less = i32(i32(size & i32(DECAY_ONE - 1)) * share)
    kept = i32(much + i32(less >> i32(DECAY_BITS)))
    return kept if state >= i32(0) else i32(-kept)
