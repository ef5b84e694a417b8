"""Streams from files, pipes and sockets of this host, with peers that misbehave."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.runtime.stream import (
    Aer40Decoder,
    CsvDecoder,
    EventChunk,
    StreamStats,
    iter_chunks,
    iter_socket,
    open_listener,
    read_recording,
    replay_in_real_time,
)
from pumice.runtime.stream.sources import POLL_SECONDS, _is_readable

EVENT = bytes([3, 1, 0x80, 0, 5])


def events(pieces: list[EventChunk]) -> int:
    return sum(len(piece.t) for piece in pieces)


@contextmanager
def listening(
    kind: str, once: bool = False
) -> Iterator[tuple[int, list[EventChunk], StreamStats, threading.Thread]]:
    """A listener on a free port that collects chunks, and is stopped at the end."""
    opened, tcp = open_listener(f"{kind}://127.0.0.1:0")
    stats, stop, actual = StreamStats(), threading.Event(), list[EventChunk]()
    source = iter_socket(opened, tcp, Aer40Decoder(stats), stats, stop, once)
    thread = threading.Thread(target=lambda: actual.extend(source))
    thread.start()
    try:
        yield opened.getsockname()[1], actual, stats, thread
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive() and opened.fileno() == -1


def send_bytes(port: int, *parts: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        for part in parts:
            peer.sendall(part)


def wait_until(holds: "list[EventChunk]", count: int) -> None:
    limit = time.monotonic() + 20
    while events(holds) < count and time.monotonic() < limit:
        time.sleep(0.01)


def test_a_file_and_a_pipe_give_every_event(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(EVENT * 40_000 + b"\x01")
    stats = StreamStats()
    assert events(list(read_recording(tmp_path / "a.bin", stats))) == 40_000
    assert events(list(iter_chunks(io.BytesIO(b"1,2,3,0\n" * 9), CsvDecoder(stats)))) == 9
    assert stats.malformed == 1


def test_a_partial_event_of_a_connection_is_counted_and_the_next_connection_served() -> None:
    with listening("tcp") as (port, actual, stats, _):
        send_bytes(port, EVENT * 3 + EVENT[:2])
        wait_until(actual, 3)
        send_bytes(port, EVENT[:1], EVENT[1:])
        wait_until(actual, 4)
    assert events(actual) == 4 and sum(piece.new_stream for piece in actual) == 2
    assert (stats.malformed, stats.connections) == (1, 2)


def test_a_reset_connection_is_no_error() -> None:
    with listening("tcp", once=True) as (port, actual, stats, thread):
        peer = socket.create_connection(("127.0.0.1", port), 10)
        peer.sendall(EVENT)
        wait_until(actual, 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        peer.close()  # with a reset
        thread.join(20)
    assert events(actual) == 1 and stats.connections == 1


def test_each_datagram_is_decoded_on_its_own() -> None:
    with listening("udp") as (port, actual, stats, _):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for data in (EVENT * 2 + b"\x07", b"", EVENT):
                peer.sendto(data, ("127.0.0.1", port))
        wait_until(actual, 3)
    assert events(actual) == 3 and stats.malformed == 1


def test_datagrams_that_the_kernel_drops_are_counted() -> None:
    listener, _ = open_listener("udp://127.0.0.1:0")
    stats, stop, datagrams = StreamStats(), threading.Event(), 70_000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for _ in range(datagrams):  # before any is received
            peer.sendto(EVENT * 200, listener.getsockname())
    received = 0
    for chunk in iter_socket(listener, False, Aer40Decoder(stats), stats, stop):
        received += len(chunk.t)
        if received == 200 * (datagrams - stats.dropped_datagrams) and not _is_readable(listener):
            stop.set()
    if not stats.dropped_datagrams:
        pytest.skip("this kernel kept all datagrams")
    assert received == 200 * (datagrams - stats.dropped_datagrams) and stats.malformed == 0


def test_a_listener_without_events_can_be_stopped() -> None:
    with listening("tcp"), listening("udp"):
        time.sleep(POLL_SECONDS / 2)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://127.0.0.1", "needs the form tcp://127.0.0.1:PORT"),
        ("http://127.0.0.1:80", "needs the form"),
        ("tcp://127.0.0.1:99999", "needs the form"),
        ("udp://192.0.2.1:5000", "is not an address of this host"),
        ("tcp://0.0.0.0:5000", "is not an address of this host"),
        ("tcp://example.org:5000", "is not an address of this host"),
    ],
)
def test_only_local_addresses_are_accepted(address: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_listener(address)


def test_an_address_in_use_is_an_error() -> None:
    opened, _ = open_listener("tcp://127.0.0.1:0")
    with opened, pytest.raises(DataError, match="cannot be opened: Address already in use"):
        open_listener(f"tcp://127.0.0.1:{opened.getsockname()[1]}")


def test_replayed_events_are_complete_and_never_early() -> None:
    t = np.array([100, 20_100, 40_100, 40_050, 60_100])
    whole = EventChunk(t, t, t % 2, t)
    start = time.perf_counter()
    parts = list(replay_in_real_time(iter([whole]), speed=2.0))
    assert time.perf_counter() - start >= 0.03
    assert np.concatenate([part.t for part in parts]).tolist() == t.tolist()
    assert len(parts) == 4


def test_a_time_jump_is_replayed_without_delay() -> None:
    t = np.array([0, 1 << 50, 10])
    start = time.perf_counter()
    assert events(list(replay_in_real_time(iter([EventChunk(t, t, t, t)])))) == 3
    assert time.perf_counter() - start < 30
