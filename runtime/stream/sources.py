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
from .decode import NOTHING, Decoder
from .events import Piece, Tally
from .windows import LONGEST_GAP

READ = 1 << 16  # bytes at a time; no more of a stream is ever held
DATAGRAM = 1 << 16
WAIT = 0.2  # seconds between looks at whether a stream was stopped
LONGEST_PART = 5_000  # microseconds


def read_pieces(source: BinaryIO, decoder: Decoder) -> Iterator[Piece]:
    """Yield the events of an open file or of standard input as they come."""
    # read1 returns what is there instead of waiting for a whole buffer
    read = getattr(source, "read1", source.read)
    while data := read(READ):
        yield decoder.decode(data)
    decoder.restart()


def read_file(path: Path, decoder: Decoder) -> Iterator[Piece]:
    """Yield the events of the file at `path`; raises `DataError` where it cannot be read."""
    try:
        with path.open("rb") as opened:
            yield from read_pieces(opened, decoder)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def listened(address: str) -> tuple[socket.socket, bool]:
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


def socket_pieces(
    opened: socket.socket,
    tcp: bool,
    decoder: Decoder,
    tally: Tally,
    stop: threading.Event,
    once: bool = False,
) -> Iterator[Piece]:
    """Yield events from a listening socket, one peer after the other, until `stop` is set.

    A TCP peer that went is counted, and the next one begins another recording; with `once` the
    stream ends there. Every datagram stands for itself: an event it leaves incomplete is left out.
    """
    with opened:
        while not stop.is_set():
            if not _ready(opened):
                continue
            if not tcp:
                yield decoder.decode(opened.recv(DATAGRAM))
                decoder.cut()
                continue
            yield NOTHING._replace(fresh=True)
            yield from _of_peer(opened.accept()[0], decoder, stop)
            decoder.restart()
            tally.peers += 1
            if once:
                return


def _ready(opened: socket.socket) -> bool:
    return bool(select.select([opened], [], [], WAIT)[0])


def _of_peer(peer: socket.socket, decoder: Decoder, stop: threading.Event) -> Iterator[Piece]:
    with peer:
        while not stop.is_set():
            if not _ready(peer):
                continue
            try:
                data = peer.recv(READ)
            except ConnectionError:
                return
            if not data:
                return
            yield decoder.decode(data)


def paced(pieces: Iterable[Piece], speed: float = 1.0) -> Iterator[Piece]:
    """Yield events when their time has come, `speed` times as fast as they were recorded.

    They are cut into parts of at most 5 ms. Where time leaps by more than 10 seconds, or another
    recording begins, the clock starts again.
    """
    start, began, before = 0, 0.0, None
    for piece in pieces:
        t = np.maximum.accumulate(piece.t)
        cuts = np.flatnonzero(np.diff(t // LONGEST_PART)) + 1
        parts = zip(*(np.split(array, cuts) for array in piece[:4]), strict=True)
        for number, (x, y, polarity, times) in enumerate(parts):
            part = Piece(x, y, polarity, times, piece.fresh and number == 0)
            if len(part.t):
                last = int(part.t[-1])
                if before is None or part.fresh or abs(last - before) > LONGEST_GAP:
                    start, began = int(part.t[0]), time.perf_counter()
                due = began + (last - start) / 1e6 / speed
                time.sleep(max(0.0, due - time.perf_counter()))
                before = last
            yield part
