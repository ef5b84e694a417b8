"""The loops of the fast engine, compiled by numba: one sample, all its steps, no Python between.

They stand in one file because numba's cache does not notice a change in another one. Neurons are
ordered (height, width, channel), so that the innermost loops run over channels without a gap.
A round is a few steps of one population, computed before the next population's turn.

Sums are int32. Where many sources are active, float32 products take over: a `Network` keeps every
sum below 2^23, so they are exact, and no result depends on which way was taken.
"""

import numpy as np
from numba import njit

from ..arithmetic import ALIGN_BITS, DECAY_BITS, STATE_HALF
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
    Shorts,
    State,
    Words,
)

PRODUCT_FROM = 0.6  # the share of active sources from which products are faster (measured)
DECAY_MASK = (1 << DECAY_BITS) - 1

i16 = np.int16
i32 = np.int32
u64 = np.uint64
f32 = np.float32

loop = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})


@loop
def advance(layout: Layout, state: State, recording: Recording, sample: int) -> None:
    """Advance `sample`, whose `state` it is, by all timesteps or until it stops; writes both."""
    scratch = _scratch(layout)
    for start in range(0, recording.timesteps, layout.steps):
        if state.clock[1]:
            _hold(layout, state, recording, sample, start)
            return
        steps = min(layout.steps, recording.timesteps - start)
        for number in range(len(layout.populations)):
            population = layout.populations[number]
            if population.kind != INPUT:
                _activate(layout, population, state, scratch, steps)
            for step in range(steps):
                values = _values(population, state, step)
                place = (start + step) * recording.batch + sample
                if population.kind == INPUT:
                    _read(population, values, recording, place)
                else:
                    sums = scratch.sums[step * population.neurons :]
                    _update(layout.parameters, population, state, sums, values)
                active = scratch.active[_listed(layout, population, step) :]
                count = find_active(values, active)
                scratch.events[number * layout.steps + step] = count
                _write(number, population, state, values, recording, sample, place, active[:count])
        if len(layout.thresholds):
            _judge(layout, state)
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
        values = _values(population, state, 0)
        for i in range(neurons):
            score[i] += values[i]
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
def _scratch(layout: Layout) -> Scratch:
    widest, fan_in, channels, neurons = 0, 0, 0, 0
    for population in layout.populations:
        widest = max(widest, population.row)
        neurons += population.neurons
    for projection in layout.projections:
        fan_in = max(fan_in, projection.fan_in)
        channels = max(channels, projection.group_outputs)
    return Scratch(
        np.empty(layout.steps * widest, i32),
        np.empty(layout.steps * widest, i32),
        np.empty(layout.steps * neurons + 1, i32),
        np.empty(layout.steps * len(layout.populations), i32),
        np.empty(widest + 1, i32),
        np.empty(8, i32),
        np.empty(8, np.int64),
        np.empty((4, fan_in + 3), f32),
        np.empty((4, channels), f32),
    )


@loop
def _listed(layout: Layout, population: Row, step: int) -> int:
    """Return where the active neurons of `population` at `step` of this round are listed."""
    return int(layout.steps * population.first + step * population.neurons)


@loop
def _values(population: Row, state: State, step: int) -> Bytes:
    """Return what `population` sends at `step` of this round; steps of earlier ones are < 0."""
    first = population.history + (population.delay + step) * population.row
    return state.history[first : first + population.row]


@loop
def _read(population: Row, values: Bytes, recording: Recording, place: int) -> None:
    """Bring the events of an input into (height, width, channel) order."""
    channels, neurons = population.channels, population.neurons
    positions = neurons // channels
    values[:] = 0
    first = population.first * recording.timesteps * recording.batch + place * neurons
    for channel in range(channels):
        given = recording.events[first + channel * positions :][:positions]
        for position in range(positions):
            if given[position]:  # few are: to look is faster than to write all
                values[position * channels + channel] = given[position]


@loop
def _write(
    number: int,
    population: Row,
    state: State,
    values: Bytes,
    recording: Recording,
    sample: int,
    place: int,
    active: Words,
) -> None:
    """Record a step's spikes, counts and voltages in (channel, height, width) order."""
    channels, neurons = population.channels, population.neurons
    positions = neurons // channels
    samples = recording.timesteps * recording.batch
    spikes = recording.spikes[recording.spikes_first[number] * samples + place * neurons :]
    counts = recording.counts[sample, population.first :]
    for one in active:
        position = one // channels
        neuron = (one - position * channels) * positions + position
        counts[neuron] += 1
        if recording.spikes_first[number] >= 0:
            spikes[neuron] = values[one]
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


@loop
def find_active(values: Bytes, active: Words) -> int:
    """Write the indices of `values` that are not zero to `active`, return how many there are."""
    count = 0
    words = values.view(np.uint64)
    for word in range(len(words)):
        if words[word]:
            for i in range(8 * word, 8 * word + 8):
                active[count] = i
                count += values[i] != 0
    return count


@loop
def _activate(layout: Layout, population: Row, state: State, scratch: Scratch, steps: int) -> None:
    """Add up a round's activations of `population`, over its projections, into `scratch.sums`."""
    size = steps * population.neurons
    sums, partial = scratch.sums[:size], scratch.partial[:size]
    sums[:] = 0
    for number in range(population.into_first, population.into_last):
        projection = layout.projections[number]
        if projection.shift == 0:
            _project(layout, projection, state, scratch, sums, steps)
        else:
            partial[:] = 0
            _project(layout, projection, state, scratch, partial, steps)
            for i in range(size):
                sums[i] += partial[i] >> projection.shift


@loop
def _project(
    layout: Layout, projection: Row, state: State, scratch: Scratch, sums: Words, steps: int
) -> None:
    """Add what a round's events of one projection bring to `sums` (steps * target neurons,)."""
    source = layout.populations[projection.source]
    if projection.product:
        events = 0
        for step in range(steps):
            events += len(_active(layout, projection, state, scratch, step))
        if events >= PRODUCT_FROM * steps * source.neurons:
            _multiply(layout, projection, source, state, scratch, sums, steps)
            return
    neurons = len(sums) // steps
    for step in range(steps):
        values = _values(source, state, step - projection.delay)
        active = _active(layout, projection, state, scratch, step)
        onto = sums[step * neurons : (step + 1) * neurons]
        if projection.sparse:
            _follow(layout, projection, values, active, onto)
        else:
            _scatter(layout, projection, values, active, scratch, onto)


@loop
def _active(layout: Layout, projection: Row, state: State, scratch: Scratch, step: int) -> Words:
    """Return which neurons of the source are active in what arrives at `step` of this round."""
    source = layout.populations[projection.source]
    sent = step - projection.delay
    if sent < 0:
        return scratch.past[: find_active(_values(source, state, sent), scratch.past)]
    first = _listed(layout, source, sent)
    return scratch.active[first : first + scratch.events[projection.source * layout.steps + sent]]


@loop
def _follow(layout: Layout, projection: Row, values: Bytes, active: Words, sums: Words) -> None:
    """Add each event along the synapses of its neuron."""
    starts = layout.tables[projection.starts :]
    targets = layout.tables[projection.targets :]
    weights = layout.weights[projection.weights :]
    for neuron in active:
        for synapse in range(starts[neuron], starts[neuron + 1]):
            sums[targets[synapse]] += i32(values[neuron]) * i32(weights[synapse])


@loop
def _scatter(
    layout: Layout, projection: Row, values: Bytes, active: Words, scratch: Scratch, sums: Words
) -> None:
    """Add each event to the windows that see it; up to eight of one place and group at once.

    The taps of a row and of a column of the source say where the weights start, where the targets
    they meet start, and how many there are.
    """
    taps, plane, weights = layout.taps, projection.plane, layout.weights
    rows, columns = layout.tables[projection.rows :], layout.tables[projection.columns :]
    carried, apart = scratch.carried, scratch.apart
    k = 0
    while k < len(active):
        position = active[k] // projection.channels
        channel = active[k] - position * projection.channels
        group = channel // projection.group_inputs
        end = position * projection.channels + (group + 1) * projection.group_inputs
        count = 1
        if k + 3 < len(active) and active[k + 3] < end:
            count = 8 if projection.small and k + 7 < len(active) and active[k + 7] < end else 4
        total = 0
        for j in range(count):
            apart[j] = (active[k + j] - active[k]) * plane
            carried[j] = values[active[k + j]]
            total += carried[j]
        if total > count == 8:
            count = 4
        y = position // projection.width
        x = position - y * projection.width
        for row in range(rows[y], rows[y + 1]):
            from_row = projection.weights + channel * plane + taps[row, 0]
            onto_row = taps[row, 1] + group * projection.group_outputs
            for column in range(columns[x], columns[x + 1]):
                start, onto = from_row + taps[column, 0], onto_row + taps[column, 1]
                length = taps[column, 2]
                if count == 1:
                    add(sums, onto, length, weights, start, carried[0])
                elif count == 8:
                    add_eight(sums, onto, length, weights, start, apart)
                elif total == 4:
                    add_four(sums, onto, length, weights, start, apart)
                else:
                    add_products(sums, onto, length, weights, start, apart, carried)
        k += count


@loop
def add(sums: Words, onto: int, length: int, weights: Shorts, start: int, value: int) -> None:
    """Add `value` times the weights from `start` on to the sums from `onto` on.

    Indices are unsigned here and below: numba would look for negative ones in each round.
    """
    for i in range(u64(length)):
        sums[u64(onto) + i] += i32(value) * i32(weights[u64(start) + i])


@loop
def add_four(
    sums: Words, onto: int, length: int, weights: Shorts, start: int, apart: Longs
) -> None:
    """Add the weights of four events of value 1; `apart` says how far they lie from the first."""
    a, b = u64(start), u64(start + apart[1])
    c, d = u64(start + apart[2]), u64(start + apart[3])
    for i in range(u64(length)):
        sums[u64(onto) + i] += (i32(weights[a + i]) + i32(weights[b + i])) + (
            i32(weights[c + i]) + i32(weights[d + i])
        )


@loop
def add_eight(
    sums: Words, onto: int, length: int, weights: Shorts, start: int, apart: Longs
) -> None:
    """Do the same for eight events, whose weights add up to no more than 16 bits."""
    a, b = u64(start), u64(start + apart[1])
    c, d = u64(start + apart[2]), u64(start + apart[3])
    e, f = u64(start + apart[4]), u64(start + apart[5])
    g, h = u64(start + apart[6]), u64(start + apart[7])
    for i in range(u64(length)):
        low = i16(i16(weights[a + i] + weights[b + i]) + i16(weights[c + i] + weights[d + i]))
        high = i16(i16(weights[e + i] + weights[f + i]) + i16(weights[g + i] + weights[h + i]))
        sums[u64(onto) + i] += i32(i16(low + high))


@loop
def add_products(
    sums: Words,
    onto: int,
    length: int,
    weights: Shorts,
    start: int,
    apart: Longs,
    carried: Words,
) -> None:
    """Add the weights of four events times what they have `carried`."""
    a, b = u64(start), u64(start + apart[1])
    c, d = u64(start + apart[2]), u64(start + apart[3])
    p, q, r, s = carried[0], carried[1], carried[2], carried[3]
    for i in range(u64(length)):
        sums[u64(onto) + i] += (p * i32(weights[a + i]) + q * i32(weights[b + i])) + (
            r * i32(weights[c + i]) + s * i32(weights[d + i])
        )


@loop
def _multiply(
    layout: Layout,
    projection: Row,
    source: Row,
    state: State,
    scratch: Scratch,
    sums: Words,
    steps: int,
) -> None:
    """Do the same as products of float32: four windows at a time, times the matrix of a group."""
    windows = projection.windows
    fan_in, outputs = projection.fan_in, projection.group_outputs
    for group in range(projection.groups):
        matrix = layout.weights[projection.matrix + group * fan_in * outputs :]
        for first in range(0, steps * windows, 4):
            count = min(4, steps * windows - first)
            scratch.rows[:, : fan_in + 3] = 0
            for r in range(count):
                step = (first + r) // windows
                window = first + r - step * windows
                values = _values(source, state, step - projection.delay)
                _look(projection, values, window, group, scratch.rows[r])
            scratch.products[:, :outputs] = 0
            multiply_rows(scratch.rows, matrix, fan_in, outputs, scratch.products)
            for r in range(count):
                start = ((first + r) * projection.groups + group) * outputs
                for i in range(outputs):
                    sums[start + i] += i32(scratch.products[r, i])


@loop
def _look(projection: Row, values: Bytes, window: int, group: int, row: Floats) -> None:
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
        seen = (y * projection.width + left + first * dilation) * projection.channels
        onto = (j * projection.kernel_width + first) * inputs
        columns, length = last - first, inputs
        if projection.groups == dilation == 1:  # they lie side by side
            columns, length = 1, columns * inputs
        for column in range(columns):
            to = u64(onto + column * inputs)
            start = u64(seen + column * dilation * projection.channels + group * inputs)
            for c in range(u64(length)):
                row[to + c] = values[start + c]


@loop
def multiply_rows(
    rows: Floats, matrix: Shorts, fan_in: int, outputs: int, products: Floats
) -> None:
    """Add four `rows` times `matrix` (fan_in, outputs) to `products`, four of the fan-in at once.

    `rows` are zero from `fan_in` on, where the last weights are read once more.
    """
    onto0, onto1, onto2, onto3 = products[0], products[1], products[2], products[3]
    for k in range(0, fan_in, 4):
        a, b = matrix[k * outputs :], matrix[min(k + 1, fan_in - 1) * outputs :]
        c, d = (
            matrix[min(k + 2, fan_in - 1) * outputs :],
            matrix[min(k + 3, fan_in - 1) * outputs :],
        )
        p0, q0, r0, s0 = rows[0, k], rows[0, k + 1], rows[0, k + 2], rows[0, k + 3]
        p1, q1, r1, s1 = rows[1, k], rows[1, k + 1], rows[1, k + 2], rows[1, k + 3]
        p2, q2, r2, s2 = rows[2, k], rows[2, k + 1], rows[2, k + 2], rows[2, k + 3]
        p3, q3, r3, s3 = rows[3, k], rows[3, k + 1], rows[3, k + 2], rows[3, k + 3]
        for i in range(outputs):
            p, q, r, s = f32(a[i]), f32(b[i]), f32(c[i]), f32(d[i])
            onto0[i] += p0 * p + q0 * q + r0 * r + s0 * s
            onto1[i] += p1 * p + q1 * q + r1 * r + s1 * s
            onto2[i] += p2 * p + q2 * q + r2 * r + s2 * s
            onto3[i] += p3 * p + q3 * q + r3 * r + s3 * s


@loop
def _update(parameters: Words, population: Row, state: State, sums: Words, spikes: Bytes) -> None:
    """Advance all neurons of `population` by a step; parameters repeat every `period` neurons."""
    period = population.period
    values = parameters[population.parameters :]
    for first in range(0, population.neurons, period):
        place = population.first + first
        step_neurons(
            state.current[place : place + period],
            state.voltage[place : place + period],
            sums[first:],
            values[:period],
            values[period:],
            values[2 * period :],
            values[3 * period :],
            i32(population.largest),
            spikes[first:],
        )


@loop
def step_neurons(
    current: Words,
    voltage: Words,
    sums: Words,
    current_kept: Words,
    voltage_kept: Words,
    threshold: Words,
    bias: Words,
    largest: np.int32,
    sent: Bytes,
) -> None:
    """Do what `arithmetic.step` says, in int32; threshold and bias are aligned already."""
    for i in range(len(current)):
        u = i32(kept(current[i], current_kept[i]) + (sums[i] << ALIGN_BITS))
        if u > STATE_HALF:
            u = i32(u - 2 * STATE_HALF)
        elif u <= -STATE_HALF:
            u = i32(u + 2 * STATE_HALF)
        v = i32(kept(voltage[i], voltage_kept[i]) + u + bias[i])
        v = i32(min(max(v, i32(1 - STATE_HALF)), i32(STATE_HALF - 1)))
        spike = v > threshold[i]
        current[i] = u
        voltage[i] = 0 if spike else v
        sent[i] = min(max(v >> ALIGN_BITS, i32(1)), largest) if spike else 0


@loop
def kept(state: np.int32, share: np.int32) -> np.int32:
    """Return `share` / 4096 of `state` towards zero, no term above 32 bits: |v| = 4096 h + l."""
    size = i32(abs(state))
    high = i32(i32(size >> DECAY_BITS) * share)
    low = i32(i32(i32(size & DECAY_MASK) * share) >> DECAY_BITS)
    kept = i32(high + low)
    return i32(-kept) if state < 0 else kept
