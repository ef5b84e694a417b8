"""Binning against counting one event after the other, and events that are left out."""

from collections.abc import Sequence

import numpy as np
import pytest
from command import NETWORK

from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.errors import DataError
from pumice.runtime.stream import EventChunk, Sensor, StreamStats, TimeBin, bin_events, infer_sensor

SENSOR = Sensor(6, 6, bin_us=1000)
Row = tuple[int, int, int, int]  # x, y, polarity, t


def network_of(*shape: int, bits: int = 1) -> Network:
    image = Population("in", shape, kind="input", value_bits=bits)
    out = Population("out", (2,), kind="integrator")
    dense = Dense(np.ones((2, image.neurons), int))
    return Network((image, out), (Projection("p", "in", "out", dense),))


def make_chunk(rows: Sequence[Row], new_stream: bool = False) -> EventChunk:
    x, y, polarity, t = np.array(rows, np.int64).reshape(-1, 4).T
    return EventChunk(x, y, polarity, t, new_stream)


def bin_chunks(
    *chunks: EventChunk, network: Network = NETWORK, sensor: Sensor = SENSOR
) -> list[TimeBin]:
    return list(bin_events(network, sensor, chunks, StreamStats()))


def test_time_bins_match_a_hand_worked_example() -> None:
    first, second, third = bin_chunks(make_chunk([(1, 2, 1, 50), (5, 0, 0, 1049), (1, 2, 1, 2050)]))
    assert [w.end for w in (first, second, third)] == [1050, 2050, 3050]
    assert [w.events for w in (first, second, third)] == [2, 0, 1]
    assert [w.new_stream for w in (first, second, third)] == [True, False, False]
    assert np.argwhere(first.frame).tolist() == [[0, 0, 5], [1, 2, 1]]
    assert not second.frame.any() and third.frame[1, 2, 1] == 1


@pytest.mark.parametrize("cut", [1, 3, 50, 1000])
def test_chunks_of_any_length_match_counting_one_by_one(cut: int) -> None:
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 20_000, 400))
    rows = [
        (*place, int(when))
        for place, when in zip(rng.integers(0, [8, 8, 2], (400, 3)).tolist(), t, strict=True)
    ]
    network = network_of(2, 4, 4, bits=8)
    chunks = [make_chunk(rows[k : k + cut]) for k in range(0, 400, cut)]
    bins = bin_chunks(*chunks, network=network, sensor=Sensor(8, 8, downsample=2, bin_us=1000))
    frames = np.zeros((len(bins), 2, 4, 4), np.uint8)
    for x, y, p, when in rows:
        frames[(when - int(t[0])) // 1000, p, y // 2, x // 2] += 1
    assert np.array_equal(np.stack([w.frame for w in bins]), frames)


def test_frames_are_clipped_to_the_values_of_the_input() -> None:
    many = make_chunk([(0, 0, 0, 7)] * 300)
    assert bin_chunks(many)[0].frame.max() == 1
    assert bin_chunks(many, network=network_of(2, 6, 6, bits=8))[0].frame.max() == 255
    assert bin_chunks(many, network=network_of(2, 6, 6, bits=3))[0].frame.max() == 7


def test_frames_hold_more_than_255_events_where_the_input_does() -> None:
    rows = [(1, 1, 0, 10)] * 300
    (binned,) = bin_chunks(make_chunk(rows), network=network_of(1, 6, 6, bits=12))
    assert binned.frame[0, 1, 1] == 300


def test_one_channel_takes_both_polarities() -> None:
    (time_bin,) = bin_chunks(make_chunk([(0, 0, 0, 7), (1, 0, 1, 7)]), network=network_of(1, 6, 6))
    assert time_bin.frame[0, 0].tolist() == [1, 1, 0, 0, 0, 0]


def test_off_sensor_and_out_of_order_events_are_left_out_and_counted() -> None:
    stats = StreamStats()
    rows = [
        (6, 0, 0, 1),
        (0, -1, 0, 1),
        (0, 0, 2, 1),
        (0, 0, 0, 500),
        (1, 1, 1, 499),
        (2, 2, 1, 500),
    ]
    (time_bin,) = bin_events(
        NETWORK, SENSOR, [make_chunk(rows), make_chunk([(3, 3, 0, 20)])], stats
    )
    assert (time_bin.events, stats.events, stats.off_sensor, stats.out_of_order) == (2, 2, 3, 2)


def test_a_time_jump_resets_the_stream_instead_of_emitting_empty_bins() -> None:
    stats = StreamStats()
    far = 1 << 60
    rows = [(0, 0, 0, 0), (1, 1, 1, far), (0, 0, 0, 5), (0, 0, 0, 10)]
    for chunks in ([make_chunk(rows)], [make_chunk([row]) for row in rows]):
        bins = list(bin_events(NETWORK, SENSOR, chunks, stats))
        assert [(w.end, w.events, w.new_stream) for w in bins] == [
            (1000, 1, True),
            (far + 1000, 1, True),
            (1005, 2, True),
        ]
    assert (stats.time_jumps, stats.out_of_order) == (4, 0)


def test_a_new_recording_resets_without_a_time_jump() -> None:
    stats = StreamStats()
    again = make_chunk([(0, 0, 0, 3)], new_stream=True)
    bins = list(bin_events(NETWORK, SENSOR, [make_chunk([(0, 0, 0, 900)]), again], stats))
    assert [(w.end, w.new_stream) for w in bins] == [
        (1900, True),
        (1003, True),
    ] and stats.time_jumps == 0


def test_empty_input_gives_empty_output() -> None:
    assert (
        bin_chunks()
        == bin_chunks(make_chunk([]))
        == bin_chunks(make_chunk([], new_stream=True))
        == []
    )


def test_a_sensor_is_inferred_from_the_network() -> None:
    assert infer_sensor(NETWORK, 2, 500, None) == Sensor(12, 12, 2, 500)
    assert infer_sensor(network_of(72), 1, 500, (6, 6)) == Sensor(6, 6, 1, 500)


@pytest.mark.parametrize(
    ("network", "pool", "size", "message"),
    [
        (network_of(72), 1, None, "in: is flat, .*give the sensor's size"),
        (network_of(72), 1, (6, 7), "in: has shape .72,., but a sensor of 6 x 7"),
        (NETWORK, 1, (9, 6), "but a sensor of 9 x 6 downsampled by 1 gives .1 or 2, 6, 9."),
        (NETWORK, 4, (6, 6), "cannot be downsampled by 4"),
        (NETWORK, 1, (0, 6), "width is 0, needs 1 to 2147483647"),
    ],
)
def test_a_sensor_that_does_not_fit_is_rejected(
    network: Network, pool: int, size: tuple[int, int] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        infer_sensor(network, pool, 1000, size)
