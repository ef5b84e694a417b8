"""Where a stream's bytes come from: a file, standard input, or a socket of this host."""

import ipaddress
import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from .chunks import EventChunk, StreamStats
from .decoders import NO_EVENTS, Decoder
from .windows import MAX_GAP_US

READ_SIZE = 1 << 16  # bytes at a time; no more of a stream is ever held
MAX_DATAGRAM = 1 << 16
POLL_SECONDS = 0.2  # seconds between looks at whether a stream was stopped
MAX_CHUNK_US = 5_000  # microseconds


def iter_chunks(source: BinaryIO, decoder: Decoder) -> Iterator[EventChunk]:
    """Yield the events of an open file or of standard input as they come."""
    # read1 returns what is there instead of waiting for a whole buffer
    read = getattr(source, "read1", source.read)
    while data := read(READ_SIZE):
        yield decoder.decode(data)
    decoder.reset()


def iter_file(path: Path, decoder: Decoder) -> Iterator[EventChunk]:
    """Yield the events of the file at `path`; raises `DataError` where it cannot be read."""
    try:
        with path.open("rb") as opened:
            yield from iter_chunks(opened, decoder)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def open_listener(address: str) -> tuple[socket.socket, bool]:
    """Return the socket that listens at `address`, and whether it is a TCP one.

    `address` is such as `tcp://127.0.0.1:5000` or `udp://localhost:5000`. Raises `DataError` where
    it is of another form or not of this host, or is taken.
    """
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    if scheme not in ("tcp", "udp") or not host or not port.isdecimal() or int(port) > 65535:
        raise DataError(f"{address}: needs the form tcp://127.0.0.1:PORT or udp://127.0.0.1:PORT")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        of_this_host = ipaddress.ip_address(host).is_loopback
    except ValueError:
        of_this_host = False
    if not of_this_host:
        raise DataError(f"{address}: is not an address of this host; use 127.0.0.1 or [::1]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_STREAM if scheme == "tcp" else socket.SOCK_DGRAM
    opened = socket.socket(family, kind)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, int(port)))
        if scheme == "tcp":
            opened.listen(1)
    except OSError as error:
        opened.close()
        raise DataError(f"{address}: cannot be opened: {error.strerror}") from error
    return opened, scheme == "tcp"


def iter_socket(
    opened: socket.socket,
    tcp: bool,
    decoder: Decoder,
    stats: StreamStats,
    stop: threading.Event,
    exit_on_disconnect: bool = False,
) -> Iterator[EventChunk]:
    """Yield events from a listening socket, one peer after the other, until `stop` is set.

    A TCP peer that went is counted, and the next one begins another recording; with `once` the
    stream ends there. Every datagram stands for itself: an event it leaves incomplete is left out.
    """
    with opened:
        while not stop.is_set():
            if not _is_readable(opened):
                continue
            if not tcp:
                yield decoder.decode(opened.recv(MAX_DATAGRAM))
                decoder.flush()
                continue
            yield NO_EVENTS._replace(new_stream=True)
            yield from _iter_connection(opened.accept()[0], decoder, stop)
            decoder.reset()
            stats.connections += 1
            if exit_on_disconnect:
                return


def _is_readable(opened: socket.socket) -> bool:
    return bool(select.select([opened], [], [], POLL_SECONDS)[0])


def _iter_connection(
    peer: socket.socket, decoder: Decoder, stop: threading.Event
) -> Iterator[EventChunk]:
    with peer:
        while not stop.is_set():
            if not _is_readable(peer):
                continue
            try:
                data = peer.recv(READ_SIZE)
            except ConnectionError:
                return
            if not data:
                return
            yield decoder.decode(data)


def replay_in_real_time(chunks: Iterable[EventChunk], speed: float = 1.0) -> Iterator[EventChunk]:
    """Yield events when their time has come, `speed` times as fast as they were recorded.

    They are cut into parts of at most 5 ms. Where time leaps by more than 10 seconds, or another
    recording begins, the clock starts again.
    """
    start, began, before = 0, 0.0, None
    for piece in chunks:
        t = np.maximum.accumulate(piece.t)
        cuts = np.flatnonzero(np.diff(t // MAX_CHUNK_US)) + 1
        parts = zip(*(np.split(array, cuts) for array in piece[:4]), strict=True)
        for number, (x, y, polarity, times) in enumerate(parts):
            part = EventChunk(x, y, polarity, times, piece.new_stream and number == 0)
            if len(part.t):
                last = int(part.t[-1])
                if before is None or part.new_stream or abs(last - before) > MAX_GAP_US:
                    start, began = int(part.t[0]), time.perf_counter()
                due = began + (last - start) / 1e6 / speed
                time.sleep(max(0.0, due - time.perf_counter()))
                before = last
            yield part
