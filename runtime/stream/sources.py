"""Event sources: files, standard input, and TCP or UDP sockets of this host."""

import ipaddress
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from .binning import MAX_GAP_US
from .chunks import NO_EVENTS, EventChunk, StreamStats
from .formats import EventDecoder

READ_SIZE = 1 << 16  # bytes read at a time; no more of a stream is buffered
MAX_DATAGRAM = 1 << 16
MAX_DATAGRAMS = 1000  # decoded at once
RECEIVE_BUFFER = 1 << 25  # bytes of datagrams that the kernel keeps, where it grants as many
SO_RCVBUFFORCE, SO_MEMINFO = 33, 55  # of Linux, which Python does not name
POLL_SECONDS = 0.2  # interval at which `stop` is checked
MAX_CHUNK_US = 5_000  # microseconds


def iter_chunks(source: BinaryIO, decoder: EventDecoder) -> Iterator[EventChunk]:
    """Decode an open file or standard input as bytes arrive."""
    # read1 returns what is there instead of waiting for a whole buffer
    read = getattr(source, "read1", source.read)
    while data := read(READ_SIZE):
        yield from decoder.decode(data)
    yield from decoder.finish()


def open_listener(address: str) -> tuple[socket.socket, bool]:
    """Open a listening socket on this host; returns it, and whether it is TCP.

    `address` is such as `tcp://127.0.0.1:5000` or `udp://localhost:5000`. Raises `DataError` where
    it has another form, is not of this host, or is in use.
    """
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    is_port = re.fullmatch(r"\d{1,5}", port, re.ASCII) and int(port) <= 65535
    if scheme not in ("tcp", "udp") or not host or not is_port:
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
        else:
            _enlarge_buffer(listener)
    except OSError as error:
        listener.close()
        raise DataError(f"{address}: cannot be opened: {error.strerror}") from error
    return listener, scheme == "tcp"


def iter_socket(
    listener: socket.socket,
    tcp: bool,
    decoder: EventDecoder,
    stats: StreamStats,
    stop: threading.Event,
    exit_on_disconnect: bool = False,
) -> Iterator[EventChunk]:
    """Receive events on a listening socket, one connection after the other, until `stop` is set.

    Args:
        listener: Socket, which is closed at the end.
        tcp: Whether it is TCP. Every UDP datagram is decoded on its own.
        decoder: EventDecoder of the bytes.
        stats: Counts ended connections, malformed input and datagrams that the kernel dropped.
        stop: Ends the stream.
        exit_on_disconnect: Whether the stream ends with the first TCP connection, instead of
            continuing with the next one as a new stream.
    """
    with listener:
        while not stop.is_set():
            if not _is_readable(listener):
                continue
            if not tcp:
                yield from decoder.decode_datagrams(_receive_datagrams(listener))
                stats.dropped_datagrams = _count_drops(listener)
                continue
            yield NO_EVENTS._replace(new_stream=True)
            yield from _iter_connection(listener.accept()[0], decoder, stop)
            decoder.reset()
            stats.connections += 1
            if exit_on_disconnect:
                return


def _enlarge_buffer(listener: socket.socket) -> None:
    """Ask for a large receive buffer: beyond the system's limit where that is permitted."""
    for option in (SO_RCVBUFFORCE, socket.SO_RCVBUF):
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
            return


def _receive_datagrams(listener: socket.socket) -> list[bytes]:
    """Receive the datagrams that have arrived, at most about `READ_SIZE` bytes of them."""
    datagrams = [listener.recv(MAX_DATAGRAM)]
    size = len(datagrams[0])
    with suppress(BlockingIOError):
        while size < READ_SIZE and len(datagrams) < MAX_DATAGRAMS:
            datagrams.append(listener.recv(MAX_DATAGRAM, socket.MSG_DONTWAIT))
            size += len(datagrams[-1])
    return datagrams


def _count_drops(listener: socket.socket) -> int:
    """Number of datagrams that the kernel has dropped at this socket; 0 where it does not tell."""
    try:
        counters = struct.unpack("9I", listener.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
    except (OSError, struct.error):
        return 0
    return int(counters[-1])


def _is_readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], POLL_SECONDS)[0])


def _iter_connection(
    connection: socket.socket, decoder: EventDecoder, stop: threading.Event
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
            yield from decoder.decode(data)


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
