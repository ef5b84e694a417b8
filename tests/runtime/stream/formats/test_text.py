"""Text recordings in the forms that others write."""

import numpy as np
import pytest

from pumice.runtime.stream import StreamStats
from pumice.runtime.stream.formats import CsvDecoder

TWO = [[9, 3, 0, 3811], [9, 4, 1, 3820]]  # x, y, polarity, t


def decode(data: bytes, order: str | None = None) -> tuple[list[list[int]], StreamStats]:
    stats = StreamStats()
    decoder = CsvDecoder(stats, order)
    chunks = [*decoder.decode(data), *decoder.finish()]
    return [row for chunk in chunks for row in np.stack(chunk[:4], axis=1).tolist()], stats


@pytest.mark.parametrize(
    "data",
    [
        b"3811,9,3,0\n3820,9,4,1\n",
        b"3811,9,3,0\r\n\r\n3820,9,4,1",
        b"3811;9;3;0\n3820;9;4;1\n",
        b"  3811 9\t3  0\n3820 9 4 1 \n",
        b"3811, 9, 3, 0,\n3820, 9, 4, 1,\n",
        b"9,3,0,3811\n9,4,1,3820\n",  # x, y, polarity, t
        b"0.003811000 9 3 0\n0.003820000 9 4 1\n",  # seconds
        b"3811.0,9,3,0\n3820.0,9,4,1\n",
        b"3811.0,9.0,3.0,0.0\n3820.0,9.0,4.0,1.0\n",
        b"3.811e-03 9 3 0\n3.820e-03 9 4 1\n",
        b"3.811000e+03 9.0e+00 3.0e+00 0.0e+00\n3.82e3 9e0 4e0 1e0\n",
        b"3811,9,3,-1\n3820,9,4,1\n",
        b"3811,9,3,False\n3820,9,4,True\n",
        b"346 260\n0.003811 9 3 0\n0.00382 9 4 1\n",
        b"\xef\xbb\xbft,x,y,p\n3811,9,3,0\n3820,9,4,1\n",
        b"x,y,p,t\n9,3,0,3811\n9,4,1,3820\n",
        b"polarity;timestamp;y;x\n0;3811;3;9\n1;3820;4;9\n",
        b"timestamp_us,x,y,polarity\n3811,9,3,0\n3820,9,4,1\n",
        b"x,y,polarity,time [s]\n9,3,0,0.003811\n9,4,1,0.00382\n",
        b",t,x,y,p\n0,3811,9,3,0\n1,3820,9,4,1\n",  # with an index
        b"# recorded today\n# t x y p\n3811 9 3 0\n% middle\n3820 9 4 1\n",
        b'"t","x","y","on"\n3811,9,3,0\n3820,9,4,1\n',
    ],
)
def test_every_usual_form_is_read(data: bytes) -> None:
    rows, stats = decode(data)
    assert rows == TWO and stats.malformed == 0


def test_width_and_height_in_the_first_line_are_the_sensor_size() -> None:
    decoder = CsvDecoder(StreamStats(), None)
    list(decoder.decode(b"240 180\n1 2 3 0\n"))
    assert decoder.size == (240, 180)


@pytest.mark.parametrize("order", ["txyp", "xypt", "xytp"])
def test_an_order_of_columns_is_found_from_the_numbers(order: str) -> None:
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 10**6, 3000))
    columns = {"t": t, "x": rng.integers(0, 346, 3000), "y": rng.integers(0, 260, 3000)}
    columns["p"] = rng.integers(0, 2, 3000)
    lines = zip(*(columns[key].tolist() for key in order), strict=True)
    rows, stats = decode("".join(",".join(map(str, line)) + "\n" for line in lines).encode())
    assert rows == np.stack([columns[key] for key in "xypt"], axis=1).tolist()
    assert stats.malformed == 0


def test_times_of_an_epoch_in_seconds_keep_their_microseconds() -> None:
    rows, _ = decode(b"1468940293.922985274 3 4 1\n1468940293.922986000 3 4 0\n")
    assert [row[3] for row in rows] == [1468940293922985, 1468940293922986]


def test_a_time_that_overflows_as_seconds_is_malformed() -> None:
    rows, stats = decode(b"0.5 2 3 0\n1e305 2 3 0\n")
    assert rows == [[2, 3, 0, 500_000]] and stats.malformed == 1


def test_integers_above_53_bits_are_exact() -> None:
    rows, _ = decode(b"1605537493718345987,3,4,1\n")
    assert rows == [[3, 4, 1, 1605537493718345987]]


def test_a_live_stream_has_a_fixed_order_and_no_delay() -> None:
    stats = StreamStats()
    decoder = CsvDecoder(stats)
    (chunk,) = decoder.decode(b"1,2,3,0\n4,5")
    assert np.stack(chunk[:4]).ravel().tolist() == [2, 3, 0, 1]
    assert list(decoder.decode(b",6,1\n"))[0].x.tolist() == [5]
    decoder.discard()
    assert stats.malformed == 0


def test_a_datagram_needs_no_end_of_line() -> None:
    stats = StreamStats()
    chunks = list(CsvDecoder(stats).decode_datagrams([b"1,2,3,0", b"4,5,6", b"7,8,9,1\n"]))
    assert [chunk.t.tolist() for chunk in chunks] == [[1], [7]] and stats.malformed == 1


@pytest.mark.parametrize(
    "line",
    [
        b"x,2,3,0",
        b"1,2,3",
        b"1,2,3,0,5",
        b"1,,2,3,0",
        b",1,2,3",
        b"nan,2,3,0",
        b"inf,2,3,0",
        b"1,2.5,3,0",
        b"1,2,3,0.5",
        b"1_0,2,3,0",
        b"\xff\xfe",
        b"9" * 90 + b",1,1,1",
        b"7" * 300 + b",1,1,1",
        b"t,x,y,p",
        b"1e300,2,3,0",
        b"-9223372036854775808,2,3,0",
    ],
)
def test_a_line_that_is_no_event_counts_and_the_others_are_read(line: bytes) -> None:
    rows, stats = decode(b"1,2,3,0\n" + line + b"\n4,5,6,1\n")
    assert rows == [[2, 3, 0, 1], [5, 6, 1, 4]] and stats.malformed == 1


def test_a_polarity_that_is_none_stays_for_the_count_of_events_off_the_sensor() -> None:
    assert decode(b"1,2,3,7\n", "txyp")[0] == [[2, 3, 7, 1]]


def test_a_line_without_an_end_takes_no_memory_and_counts_once() -> None:
    stats = StreamStats()
    decoder = CsvDecoder(stats)
    for _ in range(300):
        assert not list(decoder.decode(b"7" * 65536)) and len(decoder.remainder) <= 256
    (chunk,) = decoder.decode(b"7\n1,2,3,0\n")
    assert chunk.t.tolist() == [1] and stats.malformed == 1
