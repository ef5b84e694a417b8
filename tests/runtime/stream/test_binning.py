"""Events to frames: against counting one event after the other, and what is left out."""

from collections.abc import Sequence

import numpy as np
import pytest
from command import NETWORK

from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.errors import DataError
from pumice.runtime.stream import EventChunk, Sensor, StreamStats, TimeBin, bin_events, infer_sensor

SENSOR = Sensor(6, 6, bin_us=1000)
Row = tuple[int, int, int, int]  # x, y, polarity, t


def taking(*shape: int, bits: int = 1) -> Network:
    image = Population("in", shape, kind="input", value_bits=bits)
    out = Population("out", (2,), kind="integrator")
    dense = Dense(np.ones((2, image.neurons), int))
    return Network((image, out), (Projection("p", "in", "out", dense),))


def piece(rows: Sequence[Row], fresh: bool = False) -> EventChunk:
    x, y, polarity, t = np.array(rows, np.int64).reshape(-1, 4).T
    return EventChunk(x, y, polarity, t, fresh)


def seen(*pieces: EventChunk, network: Network = NETWORK, sensor: Sensor = SENSOR) -> list[TimeBin]:
    return list(bin_events(network, sensor, pieces, StreamStats()))


def test_time_bins_match_a_hand_worked_example() -> None:
    first, second, third = seen(piece([(1, 2, 1, 50), (5, 0, 0, 1049), (1, 2, 1, 2050)]))
    assert [w.end for w in (first, second, third)] == [1050, 2050, 3050]
    assert [w.events for w in (first, second, third)] == [2, 0, 1]
    assert [w.new_stream for w in (first, second, third)] == [True, False, False]
    assert np.argwhere(first.frame).tolist() == [[0, 0, 5], [1, 2, 1]]
    assert not second.frame.any() and third.frame[1, 2, 1] == 1


@pytest.mark.parametrize("cut", [1, 3, 50, 1000])
def test_pieces_of_any_length_give_what_counting_one_by_one_gives(cut: int) -> None:
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 20_000, 400))
    rows = [
        (*place, int(when))
        for place, when in zip(rng.integers(0, [8, 8, 2], (400, 3)).tolist(), t, strict=True)
    ]
    network = taking(2, 4, 4, bits=8)
    pieces = [piece(rows[k : k + cut]) for k in range(0, 400, cut)]
    got = seen(*pieces, network=network, sensor=Sensor(8, 8, downsample=2, bin_us=1000))
    frames = np.zeros((len(got), 2, 4, 4), np.uint8)
    for x, y, p, when in rows:
        frames[(when - int(t[0])) // 1000, p, y // 2, x // 2] += 1
    assert np.array_equal(np.stack([w.frame for w in got]), frames)


def test_spikes_are_ones_and_counts_end_at_what_the_input_carries() -> None:
    many = piece([(0, 0, 0, 7)] * 300)
    assert seen(many)[0].frame.max() == 1
    assert seen(many, network=taking(2, 6, 6, bits=8))[0].frame.max() == 255
    assert seen(many, network=taking(2, 6, 6, bits=3))[0].frame.max() == 7


def test_one_channel_takes_both_polarities() -> None:
    (window,) = seen(piece([(0, 0, 0, 7), (1, 0, 1, 7)]), network=taking(1, 6, 6))
    assert window.frame[0, 0].tolist() == [1, 1, 0, 0, 0, 0]


def test_what_is_off_the_sensor_or_goes_back_is_left_out_and_counted() -> None:
    tally = StreamStats()
    rows = [
        (6, 0, 0, 1),
        (0, -1, 0, 1),
        (0, 0, 2, 1),
        (0, 0, 0, 500),
        (1, 1, 1, 499),
        (2, 2, 1, 500),
    ]
    (window,) = bin_events(NETWORK, SENSOR, [piece(rows), piece([(3, 3, 0, 20)])], tally)
    assert (window.events, tally.events, tally.off_sensor, tally.out_of_order) == (2, 2, 3, 2)


def test_a_time_jump_resets_the_stream_instead_of_emitting_empty_bins() -> None:
    tally = StreamStats()
    far = 1 << 60
    rows = [(0, 0, 0, 0), (1, 1, 1, far), (0, 0, 0, 5), (0, 0, 0, 10)]
    for pieces in ([piece(rows)], [piece([row]) for row in rows]):
        got = list(bin_events(NETWORK, SENSOR, pieces, tally))
        assert [(w.end, w.events, w.new_stream) for w in got] == [
            (1000, 1, True),
            (far + 1000, 1, True),
            (1005, 2, True),
        ]
    assert (tally.time_jumps, tally.out_of_order) == (4, 0)


def test_another_recording_begins_anew_without_being_a_leap() -> None:
    tally = StreamStats()
    again = piece([(0, 0, 0, 3)], fresh=True)
    got = list(bin_events(NETWORK, SENSOR, [piece([(0, 0, 0, 900)]), again], tally))
    assert [(w.end, w.new_stream) for w in got] == [
        (1900, True),
        (1003, True),
    ] and tally.time_jumps == 0


def test_nothing_gives_nothing() -> None:
    assert seen() == seen(piece([])) == seen(piece([], fresh=True)) == []


def test_a_sensor_is_inferred_from_the_network() -> None:
    assert infer_sensor(NETWORK, 2, 500, None) == Sensor(12, 12, 2, 500)
    assert infer_sensor(taking(72), 1, 500, (6, 6)) == Sensor(6, 6, 1, 500)


@pytest.mark.parametrize(
    ("network", "pool", "size", "told"),
    [
        (taking(72), 1, None, "in: is flat, .*give the sensor's size"),
        (taking(72), 1, (6, 7), "in: has shape .72,., but a sensor of 6 x 7"),
        (NETWORK, 1, (9, 6), "but a sensor of 9 x 6 downsampled by 1 gives .1 or 2, 6, 9."),
        (NETWORK, 4, (6, 6), "cannot be downsampled by 4"),
        (NETWORK, 1, (0, 6), "width is 0, needs 1 or more"),
    ],
)
def test_a_sensor_that_does_not_fit_is_rejected(
    network: Network, pool: int, size: tuple[int, int] | None, told: str
) -> None:
    with pytest.raises(DataError, match=told):
        infer_sensor(network, pool, 1000, size)
