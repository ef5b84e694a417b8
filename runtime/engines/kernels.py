"""The loops of the fast engine, compiled by numba: all steps of a sample, no Python between.

They stand in one file because numba's cache does not notice a change in another one. Neurons are
ordered (height, width, channel), so that the innermost loops run over channels without a gap.
A round is a few steps of one population, computed before the next population's turn.

Weights are bytes, of which eight add up in 16 bits; sums are int32. Where many sources are active,
float32 products take over: a `Network` keeps every sum below 2^23, so they are exact, and no result
depends on which way was taken.

What runs often takes whole arrays and where to start in them: to cut an array takes as long as to
add up dozens of weights. Indices are unsigned there, or numba would look for negative ones.
"""

from typing import Any

import numpy as np
from numba import njit

from ..arithmetic import ALIGN_BITS, STATE_HALF
from .tables import (
    INPUT,
    INTEGRATOR,
    Bytes,
    Floats,
    Layout,
    Longs,
    Recording,
    Row,
    Scratch,
    State,
    Weights,
    Words,
)

i16 = np.int16
i32 = np.int32
u32 = np.uint32
u64 = np.uint64
f32 = np.float32
f64 = np.float64

LOW, ONES = u64(0x7F7F7F7F7F7F7F7F), u64(0x0101010101010101)
GATHER = u64(0x0102040810204080)  # times eight bytes of 0 or 1: the first byte's bit comes lowest
DE_BRUIJN = u64(0x03F79D71B4CB0A89)  # the upper six bits of its 64 shifts all differ
PLACES = np.zeros(64, np.uint8)
for _place in range(64):
    PLACES[((int(DE_BRUIJN) << _place) % 2**64) >> 58] = _place

# The loops count no references to arrays, which would take longer than what many a call does, so
# they make none: all are given. The option is numba's own for this.
OPTIONS: Any = {"error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
INNER: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called by loops alone
outer = njit(nogil=True, cache=True, **OPTIONS)
loop = njit(cache=True, **OPTIONS, **INNER)


@outer
def advance(
    layout: Layout,
    states: State,
    recording: Recording,
    scratch: Scratch,
    first: int,
    last: int,
    afresh: bool,
) -> None:
    """Advance the samples from `first` to before `last`, by all timesteps or until they stop.

    Each goes on from its row of `states`, or, `afresh`, from silence in the only row. Writes the
    states and the recording.
    """
    for sample in range(first, last):
        row = 0 if afresh else sample
        state = State(
            states.current[row],
            states.voltage[row],
            states.history[row],
            states.clock[row],
            states.score[row],
        )
        if afresh:
            state.current[:] = 0
            state.voltage[:] = 0
            state.history[:] = 0
            state.clock[:] = 0
            state.score[:] = 0
        before = state.clock[0]
        scratch.events[:] = 0
        for start in range(0, recording.timesteps, layout.steps):
            if state.clock[1]:
                _hold(layout, state, recording, sample, start)
                break
            steps = min(layout.steps, recording.timesteps - start)
            _round(layout, state, recording, scratch, sample, start, steps)
            if len(layout.thresholds):
                _judge(layout, state)
        if len(layout.thresholds):
            recording.steps[sample] = state.clock[0] - before


@loop
def _round(
    layout: Layout,
    state: State,
    recording: Recording,
    scratch: Scratch,
    sample: int,
    start: int,
    steps: int,
) -> None:
    """Compute `steps` steps from step `start` on."""
    for number in range(len(layout.populations)):
        population = layout.populations[number]
        together = _together(layout, population, scratch, steps)
        for step in range(steps):
            place = (start + step) * recording.batch + sample
            values = _values(population, step)
            if population.kind == INPUT:
                _read(population, state.history, values, recording, place)
            else:
                if step % together == 0:
                    _activate(layout, population, state, scratch, step, together)
                sums = step % together * population.neurons
                update(layout, population, state, scratch.sums, sums, values)
            listed = _listed(layout, population, step)
            count = find_active(state.history, values, population.row, scratch.active, listed)
            scratch.events[number * layout.steps + step] = count
            _write(
                number, population, state, values, recording, sample, place,
                scratch.active, listed, listed + count,
            )  # fmt: skip
    for population in layout.populations:
        past = state.history[population.history :]
        for byte in range(population.delay * population.row):
            past[byte] = past[byte + steps * population.row]


@loop
def _judge(layout: Layout, state: State) -> None:
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
def _hold(layout: Layout, state: State, recording: Recording, sample: int, start: int) -> None:
    """Record the voltages of a sample that has stopped for all steps from `start` on."""
    for number in range(len(layout.populations)):
        if recording.voltages_first[number] >= 0:
            for now in range(start, recording.timesteps):
                place = now * recording.batch + sample
                _write_voltages(number, layout.populations[number], state, recording, place)


@loop
def _listed(layout: Layout, population: Row, step: int) -> int:
    """Return where the active neurons of `population` at `step` of this round are listed."""
    return int(layout.steps * population.first + step * population.neurons)


@loop
def _values(population: Row, step: int) -> int:
    """Return where the history has what is sent at `step` of this round; earlier ones are < 0."""
    return int(population.history + (population.delay + step) * population.row)


@loop
def _read(population: Row, history: Bytes, onto: int, recording: Recording, place: int) -> None:
    """Bring the events of an input into (height, width, channel) order."""
    channels, neurons = u64(population.channels), population.neurons
    positions, events = neurons // population.channels, recording.events
    first = population.first * recording.timesteps * recording.batch + place * neurons
    to, start, beyond = u64(onto), u64(first), u64(positions)
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
def _write(
    number: int,
    population: Row,
    state: State,
    values: int,
    recording: Recording,
    sample: int,
    place: int,
    active: Words,
    begin: int,
    end: int,
) -> None:
    """Record a step's counts as neurons lie, spikes and voltages in (channel, height, width)."""
    for event in range(u64(begin), u64(end)):
        one = active[event]
        recording.counts[u64(sample), u64(population.first + one)] += 1
    if recording.spikes_first[number] >= 0:
        channels, neurons = population.channels, population.neurons
        positions = neurons // channels
        samples = recording.timesteps * recording.batch
        onto = recording.spikes_first[number] * samples + place * neurons
        for event in range(u64(begin), u64(end)):
            one = active[event]
            position = int(u32(one) // u32(channels))
            neuron = (one - position * channels) * positions + position
            recording.spikes[u64(onto + neuron)] = state.history[u64(values + one)]
    if recording.voltages_first[number] >= 0:
        _write_voltages(number, population, state, recording, place)


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


@outer
def find_active(values: Bytes, first: int, size: int, active: Words, onto: int) -> int:
    """List which of the `size` values from `first` on are not zero, in `active` from `onto` on.

    Returns how many. `first` and `size` are whole words, eight bytes each.
    """
    start, to = u64(first) >> u64(3), u64(onto)
    words = values.view(np.uint64)
    for block in range(u64(0), u64(size) >> u64(3), u64(8)):
        bits = u64(0)  # one for each of 64 values
        for word in range(min(u64(8), (u64(size) >> u64(3)) - block)):
            bits |= ((ones(words[start + block + word]) * GATHER) >> u64(56)) << (word << u64(3))
        while bits:
            lowest = bits & (~bits + u64(1))
            active[to] = i32((block << u64(3)) + u64(PLACES[(lowest * DE_BRUIJN) >> u64(58)]))
            to += u64(1)
            bits ^= lowest
    return int(to - u64(onto))


@loop
def ones(word: np.uint64) -> np.uint64:
    """Return 1 in every byte of `word` that is not 0."""
    return (((word & LOW) + LOW | word) >> u64(7)) & ONES


@loop
def _together(layout: Layout, population: Row, scratch: Scratch, steps: int) -> int:
    """Choose where to multiply, by the events of this round, or of the last from later sources.

    Returns of how many steps activations are added up at once: one, or all where any is multiplied.
    """
    together = 1
    for number in range(population.into_first, population.into_last):
        projection = layout.projections[number]
        events, first = 0, projection.source * layout.steps
        for step in range(steps):
            events += scratch.events[first + step]
        multiplied = projection.product > 0 and events >= steps * projection.product
        scratch.multiplied[number] = multiplied
        if multiplied:
            together = steps
    return together


@loop
def _activate(
    layout: Layout, population: Row, state: State, scratch: Scratch, first: int, steps: int
) -> None:
    """Add up the activations of `population` in `steps` steps from `first` on: `scratch.sums`."""
    size = steps * population.neurons
    scratch.sums[:size] = 0
    signed = layout.weights.view(np.int8)
    for number in range(population.into_first, population.into_last):
        projection = layout.projections[number]
        direct = projection.shift == 0 and projection.negative == 0
        sums = scratch.sums if direct else scratch.partial
        if not direct:
            sums[:size] = 0
        if projection.signed:
            _add_up(layout, projection, signed, state, scratch, sums, number, first, steps)
        else:
            _add_up(layout, projection, layout.weights, state, scratch, sums, number, first, steps)
        if not direct:
            sign, shift = i32(-1 if projection.negative else 1), u64(projection.shift) & u64(31)
            for i in range(u64(size)):
                scratch.sums[i] += i32(sign * sums[i]) >> shift


@loop
def _add_up(
    layout: Layout,
    projection: Row,
    weights: Weights,
    state: State,
    scratch: Scratch,
    sums: Words,
    number: int,
    first: int,
    steps: int,
) -> None:
    """Add what the events of one projection bring to `sums` (steps * target neurons,).

    `weights` are those of the layout, as bytes of the projection's type.
    """
    source, history = layout.populations[projection.source], state.history
    if scratch.multiplied[number]:
        values = _values(source, first - projection.delay)
        _multiply(projection, source, weights, history, values, scratch, sums, steps)
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
        elif projection.gathers and count >= projection.windows:
            _count(history, values, source.row, scratch.before)
            _gather(layout, projection, weights, history, values, scratch, begin, end, sums, onto)
        else:
            _scatter(
                layout, projection, weights, history, values, scratch.active, begin, end,
                sums, onto,
            )  # fmt: skip


@loop
def _arriving(
    layout: Layout, projection: Row, state: State, scratch: Scratch, step: int
) -> tuple[int, int]:
    """Return where the neurons active in what arrives at `step` are listed, and how many are."""
    source = layout.populations[projection.source]
    sent = step - projection.delay
    if sent >= 0:
        count = scratch.events[projection.source * layout.steps + sent]
        return _listed(layout, source, sent), int(count)
    values = _values(source, sent)
    last = layout.populations[len(layout.populations) - 1]
    first = _listed(layout, last, layout.steps)
    return first, find_active(state.history, values, source.row, scratch.active, first)


@loop
def _follow(
    layout: Layout,
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
def _scatter(
    layout: Layout,
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
    """Add each event to the windows that see it; those of one place and group together.

    The taps of a row and of a column of the source say where the weights start, where the targets
    they meet start, and how many there are.
    """
    taps, tables, graded = layout.taps, layout.tables, projection.graded
    rows, columns = u64(projection.rows), u64(projection.columns)
    inputs, outputs = projection.group_inputs, projection.group_outputs
    channels, width, several = projection.channels, projection.width, projection.groups > 1
    plane, first_weight, left = projection.plane, projection.weights, i32(projection.left) & i32(31)
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
            for column in range(
                u64(tables[columns + u64(x)]), u64(tables[columns + u64(x) + u64(1)])
            ):
                start = origin + taps[row, 0] + taps[column, 0]
                target = to + taps[row, 1] + taps[column, 1]
                length = taps[column, 2]
                if last - first == 1 and not graded:
                    add_one(sums, target, length, weights, start + plane * event, left)
                elif graded:
                    add_graded(
                        sums, target, length, weights, start, plane, left,
                        active, first, last, history, values,
                    )  # fmt: skip
                else:
                    add(sums, target, length, weights, start, plane, left, active, first, last)
        first = last


@loop
def add_one(sums: Words, onto: int, length: int, weights: Weights, start: int, left: int) -> None:
    """Add `length` weights of one event, shifted left, to the sums from `onto` on."""
    o, a, shift = u64(onto), u64(start), u64(left) & u64(31)
    for i in range(u64(length)):
        sums[o + i] += i32(weights[a + i]) << shift


@loop
def four(weights: Weights, a: int, b: int, c: int, d: int) -> np.int16:
    """Return the sum of four weights, which fits into 16 bits, as do two such sums."""
    return i16(i16(i16(weights[a]) + i16(weights[b])) + i16(i16(weights[c]) + i16(weights[d])))


@loop
def add(
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
) -> None:
    """Add `length` weights of each event in `active` from `first` to before `last`, shifted left.

    Those of event `e` begin at `start + e * plane`. Eight at a time: they fit into 16 bits.
    """
    o, w, p, at = u64(onto), u64(start), u64(plane), u64(first)
    shift = u64(left) & u64(31)  # said once more, so that the compiler stays within 32 bits
    while at + u64(8) <= u64(last):
        a, b = w + u64(active[at]) * p, w + u64(active[at + u64(1)]) * p
        c, d = w + u64(active[at + u64(2)]) * p, w + u64(active[at + u64(3)]) * p
        e, f = w + u64(active[at + u64(4)]) * p, w + u64(active[at + u64(5)]) * p
        g, h = w + u64(active[at + u64(6)]) * p, w + u64(active[at + u64(7)]) * p
        for i in range(u64(length)):
            low = four(weights, a + i, b + i, c + i, d + i)
            high = four(weights, e + i, f + i, g + i, h + i)
            sums[o + i] += i32(i16(low + high)) << shift
        at += u64(8)
    if at + u64(4) <= u64(last):
        a, b = w + u64(active[at]) * p, w + u64(active[at + u64(1)]) * p
        c, d = w + u64(active[at + u64(2)]) * p, w + u64(active[at + u64(3)]) * p
        for i in range(u64(length)):
            sums[o + i] += i32(four(weights, a + i, b + i, c + i, d + i)) << shift
        at += u64(4)
    if at + u64(2) <= u64(last):
        a, b = w + u64(active[at]) * p, w + u64(active[at + u64(1)]) * p
        for i in range(u64(length)):
            sums[o + i] += i32(i16(i16(weights[a + i]) + i16(weights[b + i]))) << shift
        at += u64(2)
    if at < u64(last):
        add_one(sums, onto, length, weights, start + plane * active[at], left)


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
def _count(values: Bytes, first: int, size: int, before: Words) -> None:
    """Write to `before` how many of the values from `first` on are not zero before each eight."""
    words, start, count = values.view(np.uint64), u64(first) >> u64(3), u64(0)
    for word in range(u64(size) >> u64(3)):
        before[word] = i32(count)
        count += (ones(words[start + word]) * ONES) >> u64(56)
    before[u64(size) >> u64(3)] = i32(count)


@loop
def _before(values: Bytes, first: int, before: Words, neuron: int) -> int:
    """Return how many of the values from `first` on are not zero before that of `neuron`."""
    word, rest = u64(neuron) >> u64(3), u64(neuron) & u64(7)
    seen = ones(values.view(np.uint64)[(u64(first) >> u64(3)) + word])
    seen &= (u64(1) << (rest << u64(3))) - u64(1)
    return int(before[word] + ((seen * ONES) >> u64(56)))


@loop
def _gather(
    layout: Layout,
    projection: Row,
    weights: Weights,
    history: Bytes,
    values: int,
    scratch: Scratch,
    begin: int,
    end: int,
    sums: Words,
    onto: int,
) -> None:
    """Do the same from the side of the targets: add to each window the events that it sees.

    What it sees in a row of the source is one run of the list of events. Rows of weights end with
    zeros, which are added to the next window's sums.
    """
    active, rows, before = scratch.active, scratch.listed, scratch.before
    channels, width, height = projection.channels, projection.width, projection.height
    kernel_height, kernel_width = projection.kernel_height, projection.kernel_width
    outputs, lanes = projection.group_outputs, projection.lanes
    left, matrix = projection.left, projection.matrix
    stride, dilation = projection.stride_x, projection.dilation_y
    windows, columns = projection.windows, projection.window_columns
    one = windows == width == height == kernel_width == kernel_height == 1  # it sees all events
    for window_y in range(windows // columns):
        top = window_y * projection.stride_y - projection.padding_y
        from_row = (max(0, -top) + dilation - 1) // dilation
        to_row = min(kernel_height, (height - top + dilation - 1) // dilation)
        side = -projection.padding_x
        for _ in range(columns):
            first = min(max(side, 0), width)
            last = max(first, min(side + kernel_width, width))
            count = u64(0)
            for j in range(from_row, to_row):
                corner = ((top + j * dilation) * width + first) * channels
                start, stop = begin, end
                if not one:
                    start = begin + _before(history, values, before, corner)
                    reach = (last - first) * channels
                    stop = begin + _before(history, values, before, corner + reach)
                origin = matrix + ((j * kernel_width + first - side) * channels - corner) * lanes
                _list(active, start, stop, origin, lanes, rows, count)
                count += u64(stop - start)
            if count:
                _list_nothing(rows, count, layout.nothing)
                add_rows(sums, onto, lanes, weights, rows, int(count), left)
            onto += outputs
            side += stride


@loop
def _list(
    active: Words, start: int, stop: int, origin: int, lanes: int, rows: Longs, count: int
) -> None:
    """List where the weights of events start, four at a time: up to three too many are harmless."""
    at = u64(count)
    for event in range(u64(start), u64(stop), u64(4)):
        rows[at] = origin + active[event] * lanes
        rows[at + u64(1)] = origin + active[event + u64(1)] * lanes
        rows[at + u64(2)] = origin + active[event + u64(2)] * lanes
        rows[at + u64(3)] = origin + active[event + u64(3)] * lanes
        at += u64(4)


@loop
def _list_nothing(rows: Longs, count: int, nothing: int) -> None:
    """List seven rows of zeros behind the others."""
    for k in range(u64(count), u64(count) + u64(7)):
        rows[k] = nothing


@loop
def add_rows(
    sums: Words, onto: int, length: int, weights: Weights, rows: Longs, count: int, left: int
) -> None:
    """Add `length` weights from each of the `rows` on, shifted left, to the sums from `onto` on.

    Eight or four at a time: they fit into 16 bits, and up to seven rows of zeros stand behind.
    """
    o, n, at, shift = u64(onto), u64(count), u64(0), u64(left) & u64(31)
    while at + u64(4) < n:
        a, b = u64(rows[at]), u64(rows[at + u64(1)])
        c, d = u64(rows[at + u64(2)]), u64(rows[at + u64(3)])
        e, f = u64(rows[at + u64(4)]), u64(rows[at + u64(5)])
        g, h = u64(rows[at + u64(6)]), u64(rows[at + u64(7)])
        for i in range(u64(length)):
            low = four(weights, a + i, b + i, c + i, d + i)
            high = four(weights, e + i, f + i, g + i, h + i)
            sums[o + i] += i32(i16(low + high)) << shift
        at += u64(8)
    if at < n:
        a, b = u64(rows[at]), u64(rows[at + u64(1)])
        c, d = u64(rows[at + u64(2)]), u64(rows[at + u64(3)])
        for i in range(u64(length)):
            sums[o + i] += i32(four(weights, a + i, b + i, c + i, d + i)) << shift


@loop
def _multiply(
    projection: Row,
    source: Row,
    weights: Weights,
    history: Bytes,
    values: int,
    scratch: Scratch,
    sums: Words,
    steps: int,
) -> None:
    """Do the same as products of float32: four windows at a time, times the matrix of a group."""
    windows, left = projection.windows, i32(projection.left) & i32(31)
    fan_in, outputs, lanes = projection.fan_in, projection.group_outputs, projection.lanes
    for group in range(projection.groups):
        matrix = projection.matrix + group * fan_in * lanes
        for first in range(0, steps * windows, 4):
            count = min(4, steps * windows - first)
            scratch.rows[:, : fan_in + 3] = 0
            for r in range(count):
                step = (first + r) // windows
                window = first + r - step * windows
                seen = values + step * source.row
                _look(projection, history, seen, window, group, scratch.rows[r])
            scratch.products[:, :lanes] = 0
            multiply_rows(scratch.rows, weights, matrix, fan_in, lanes, scratch.products)
            for r in range(count):
                start = ((first + r) * projection.groups + group) * outputs
                for i in range(outputs):
                    sums[start + i] += i32(scratch.products[r, i]) << left


@loop
def _look(
    projection: Row, history: Bytes, values: int, window: int, group: int, row: Floats
) -> None:
    """Write what one window sees to `row` (kernel rows * columns * inputs of the group,)."""
    at_y = window // projection.window_columns
    at_x = window - at_y * projection.window_columns
    top = at_y * projection.stride_y - projection.padding_y
    left = at_x * projection.stride_x - projection.padding_x
    inputs, dilation = projection.group_inputs, projection.dilation_x
    first = max(0, (dilation - 1 - left) // dilation)
    last = min(projection.kernel_width, (projection.width - left + dilation - 1) // dilation)
    for j in range(projection.kernel_height):
        y = top + j * projection.dilation_y
        if not 0 <= y < projection.height or first >= last:
            continue
        seen = values + (y * projection.width + left + first * dilation) * projection.channels
        onto = (j * projection.kernel_width + first) * inputs
        columns, length = last - first, inputs
        if projection.groups == dilation == 1:  # they lie side by side
            columns, length = 1, columns * inputs
        for column in range(columns):
            to = u64(onto + column * inputs)
            start = u64(seen + column * dilation * projection.channels + group * inputs)
            for c in range(u64(length)):
                row[to + c] = history[start + c]


@outer
def multiply_rows(
    rows: Floats, weights: Weights, matrix: int, fan_in: int, outputs: int, products: Floats
) -> None:
    """Add four `rows` times the matrix (fan_in, outputs) that starts at `matrix` to `products`.

    Four of the fan-in at once; `rows` are zero from `fan_in` on, where the last weights are read
    once more.
    """
    onto0, onto1, onto2, onto3 = products[0], products[1], products[2], products[3]
    last = fan_in - 1
    for k in range(0, fan_in, 4):
        a, b = u64(matrix + k * outputs), u64(matrix + min(k + 1, last) * outputs)
        c, d = (
            u64(matrix + min(k + 2, last) * outputs),
            u64(matrix + min(k + 3, last) * outputs),
        )
        p0, q0, r0, s0 = rows[0, k], rows[0, k + 1], rows[0, k + 2], rows[0, k + 3]
        p1, q1, r1, s1 = rows[1, k], rows[1, k + 1], rows[1, k + 2], rows[1, k + 3]
        p2, q2, r2, s2 = rows[2, k], rows[2, k + 1], rows[2, k + 2], rows[2, k + 3]
        p3, q3, r3, s3 = rows[3, k], rows[3, k + 1], rows[3, k + 2], rows[3, k + 3]
        for i in range(u64(outputs)):
            p, q = f32(weights[a + i]), f32(weights[b + i])
            r, s = f32(weights[c + i]), f32(weights[d + i])
            onto0[i] += p0 * p + q0 * q + r0 * r + s0 * s
            onto1[i] += p1 * p + q1 * q + r1 * r + s1 * s
            onto2[i] += p2 * p + q2 * q + r2 * r + s2 * s
            onto3[i] += p3 * p + q3 * q + r3 * r + s3 * s


@outer
def update(
    layout: Layout, population: Row, state: State, sums: Words, onto: int, values: int
) -> None:
    """Advance all neurons by a step; parameters repeat every `period` neurons."""
    count = population.period
    for first in range(0, population.neurons, count):
        place, o, to = population.first + first, onto + first, values + first
        if population.forgets and population.holds:
            step_neurons(layout, population, state, place, count, sums, o, to, True, True)
        elif population.forgets:
            step_neurons(layout, population, state, place, count, sums, o, to, True, False)
        else:
            step_neurons(layout, population, state, place, count, sums, o, to, False, False)


@njit(forceinline=True, **OPTIONS, **INNER)
def step_neurons(
    layout: Layout,
    population: Row,
    state: State,
    place: int,
    count: int,
    sums: Words,
    onto: int,
    to: int,
    forgets: bool,
    holds: bool,
) -> None:
    """Do what `arithmetic.step` says for `count` neurons from `place` on.

    What a current keeps of itself and what a voltage does, `count` each, are float64, which holds
    their products whole: none is needed where currents keep nothing or voltages all. Then come
    thresholds and biases, both aligned.
    """
    current, voltage, sent = state.current, state.voltage, state.history
    shares, levels, largest = layout.shares, layout.levels, i32(population.largest)
    n, at, o, e = u64(count), u64(place), u64(onto), u64(to)
    s, t = u64(population.shares), u64(population.levels)
    for i in range(n):
        u = i32(sums[o + i] << ALIGN_BITS)
        if not forgets:
            u = i32(u + i32(f64(current[at + i]) * shares[s + i]))
        if u > STATE_HALF:
            u = i32(u - 2 * STATE_HALF)
        elif u <= -STATE_HALF:
            u = i32(u + 2 * STATE_HALF)
        if not forgets:
            current[at + i] = u
        v = voltage[at + i]
        if not holds:
            v = i32(f64(v) * shares[s + n + i])
        v = i32(v + u + levels[t + n + i])
        v = i32(min(max(v, i32(1 - STATE_HALF)), i32(STATE_HALF - 1)))
        spike = v > levels[t + i]
        voltage[at + i] = 0 if spike else v
        sent[e + i] = min(max(v >> ALIGN_BITS, i32(1)), largest) if spike else 0
