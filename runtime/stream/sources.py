"""Event sources: files, standard input, and TCP or UDP sockets of this host."""

import ipaddress
import os
import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from .binning import MAX_GAP_US
from .chunks import EventChunk, StreamStats
from .decoders import NO_EVENTS, Decoder

READ_SIZE = 1 << 16  # bytes read at a time; no more of a stream is buffered
MAX_DATAGRAM = 1 << 16
POLL_SECONDS = 0.2  # interval at which `stop` is checked
MAX_CHUNK_US = 5_000  # microseconds


def iter_chunks(source: BinaryIO, decoder: Decoder) -> Iterator[EventChunk]:
    """Decode an open file or standard input as bytes arrive."""
    # read1 returns what is there instead of waiting for a whole buffer
    read = getattr(source, "read1", source.read)
    while data := read(READ_SIZE):
        yield decoder.decode(data)
    decoder.reset()


def iter_file(path: str | os.PathLike[str], decoder: Decoder) -> Iterator[EventChunk]:
    """Decode the file at `path`; raises `DataError` where it cannot be read."""
    try:
        with open(path, "rb") as file:
            yield from iter_chunks(file, decoder)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def open_listener(address: str) -> tuple[socket.socket, bool]:
    """Open a listening socket on this host; returns it, and whether it is TCP.

    `address` is such as `tcp://127.0.0.1:5000` or `udp://localhost:5000`. Raises `DataError` where
    it has another form, is not of this host, or is in use.
    """
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    if scheme not in ("tcp", "udp") or not host or not port.isdecimal() or int(port) > 65535:
        raise DataError(f"{address}: needs the form tcp://127.0.0.1:PORT or udp://127.0.0.1:PORT")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise DataError(f"{address}: is not an address of this host; use 127.0.0.1 or [::1]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_STREAM if scheme == "tcp" else socket.SOCK_DGRAM
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        if scheme == "tcp":
            listener.listen(1)
    except OSError as error:
        listener.close()
        raise DataError(f"{address}: cannot be opened: {error.strerror}") from error
    return listener, scheme == "tcp"


def iter_socket(
    listener: socket.socket,
    tcp: bool,
    decoder: Decoder,
    stats: StreamStats,
    stop: threading.Event,
    exit_on_disconnect: bool = False,
) -> Iterator[EventChunk]:
    """Receive events on a listening socket, one connection after the other, until `stop` is set.

    Args:
        listener: Socket, which is closed at the end.
        tcp: Whether it is TCP. Every UDP datagram is decoded on its own.
        decoder: Decoder of the bytes.
        stats: Counts ended connections and malformed input.
        stop: Ends the stream.
        exit_on_disconnect: Whether the stream ends with the first TCP connection, instead of
            continuing with the next one as a new stream.
    """
    with listener:
        while not stop.is_set():
            if not _is_readable(listener):
                continue
            if not tcp:
                yield decoder.decode(listener.recv(MAX_DATAGRAM))
                decoder.flush()
                continue
            yield NO_EVENTS._replace(new_stream=True)
            yield from _iter_connection(listener.accept()[0], decoder, stop)
            decoder.reset()
            stats.connections += 1
            if exit_on_disconnect:
                return


def _is_readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], POLL_SECONDS)[0])


def _iter_connection(
    connection: socket.socket, decoder: Decoder, stop: threading.Event
) -> Iterator[EventChunk]:
    with connection:
        while not stop.is_set():
            if not _is_readable(connection):
                continue
            try:
                data = connection.recv(READ_SIZE)
            except ConnectionError:
                return
            if not data:
                return
            yield decoder.decode(data)


def replay_in_real_time(chunks: Iterable[EventChunk], speed: float = 1.0) -> Iterator[EventChunk]:
    """Delay events to their timestamps, `speed` times as fast as they were recorded.

    Chunks are split to at most 5 ms. Where time jumps by more than 10 seconds, or a new stream
    starts, the clock is restarted.
    """
    first, start, previous = 0, 0.0, None
    for chunk in chunks:
        t = np.maximum.accumulate(chunk.t)
        cuts = np.flatnonzero(np.diff(t // MAX_CHUNK_US)) + 1
        parts = zip(*(np.split(array, cuts) for array in chunk[:4]), strict=True)
        for number, (x, y, polarity, times) in enumerate(parts):
            part = EventChunk(x, y, polarity, times, chunk.new_stream and number == 0)
            if len(part.t):
                last = int(part.t[-1])
                if previous is None or part.new_stream or abs(last - previous) > MAX_GAP_US:
                    first, start = int(part.t[0]), time.perf_counter()
                due = start + (last - first) / 1e6 / speed
                time.sleep(max(0.0, due - time.perf_counter()))
                previous = last
            yield part
