"""`pumice stream`: answers while events come in, as JSON lines."""

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import NetworkFile

if TYPE_CHECKING:
    from ..runtime import Network
    from ..runtime.stream import EventChunk, StreamStats

CarryState = Literal["nothing", "hidden", "all"]
Format = Literal["five-byte", "csv"]


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A recording, '-' for standard input, tcp://127.0.0.1:PORT or udp://127.0.0.1:PORT to "
        "listen at.",
    ),
]
BinMs = Annotated[
    float, typer.Option("--window", min=0.001, help="Milliseconds that a timestep takes in.")
]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, help="Timesteps to an answer (as it was trained).")
]
CarryStateOption = Annotated[
    CarryState, typer.Option("--keep", help="What stays from one answer to the next.")
]
EveryStep = Annotated[bool, typer.Option("--each", help="Answer after every timestep.")]
InputFormat = Annotated[Format, typer.Option("--format", help="Of standard input and sockets.")]
Downsample = Annotated[
    int | None, typer.Option("--pool", min=1, help="Join squares of N x N pixels.")
]
SensorSize = Annotated[
    str | None,
    typer.Option("--sensor", metavar="WxH", help="Its pixels, where the input is flat."),
]
NoRealTime = Annotated[
    bool, typer.Option("--full-speed", help="Play a recording as fast as it computes.")
]
Repeat = Annotated[
    int, typer.Option("--repeat", min=0, help="Play a recording so often; 0: for ever.")
]
QueueSize = Annotated[
    int,
    typer.Option("--waiting", min=1, help="Windows that may wait; of more the oldest are dropped."),
]
ExitOnDisconnect = Annotated[
    bool, typer.Option("--once", help="End when the first TCP peer has gone.")
]


def stream(
    file: NetworkFile,
    source: Source,
    window: BinMs = 10.0,
    steps: Steps = None,
    keep: CarryStateOption = "nothing",
    each: EveryStep = False,
    form: InputFormat = "five-byte",
    pool: Downsample = None,
    sensor: SensorSize = None,
    full_speed: NoRealTime = False,
    repeat: Repeat = 1,
    waiting: QueueSize = 100,
    once: ExitOnDisconnect = False,
) -> None:
    """Answer while events come in, in lines of JSON.

    On standard error, at the end, one JSON line counts what came in and what was left out.
    """
    from ..runtime import read_network
    from ..runtime.stream import StreamStats, bin_events, classify_stream, drop_oldest, infer_sensor

    network = read_network(file)
    size = _parse_size(sensor)
    trained = _recipe_options(network)
    geometry = infer_sensor(network, pool or trained.get("pool", 1), round(1000 * window), size)
    tally, stop = StreamStats(), threading.Event()
    waits = full_speed and "://" not in source and source != "-"
    pieces = _open_chunks(source, form, tally, stop, repeat, once, full_speed)
    seen = bin_events(network, geometry, pieces, tally)
    if not waits:
        seen = drop_oldest(seen, waiting, tally, stop)
    wanted = steps or trained.get("timesteps", 10)
    try:
        for answer in classify_stream(network, seen, wanted, tally, keep, each):
            sys.stdout.write(json.dumps(asdict(answer)) + "\n")
            sys.stdout.flush()
    finally:
        stop.set()
        typer.echo(json.dumps(tally.as_dict()), err=True)


def _recipe_options(network: "Network") -> dict[str, int]:
    """Return the `pool` and `timesteps` of the data that trained `network`, as far as it says."""
    recipe = network.provenance.get("recipe")
    data = recipe.get("data", {}) if isinstance(recipe, dict) else {}
    return {key: data[key] for key in ("pool", "timesteps") if isinstance(data.get(key), int)}


def _parse_size(text: str | None) -> tuple[int, int] | None:
    from ..runtime.errors import DataError

    if text is None:
        return None
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise DataError(f"--sensor {text}: needs the form 128x96, width x height")
    return int(width), int(height)


def _open_chunks(
    source: str,
    form: Format,
    tally: "StreamStats",
    stop: threading.Event,
    repeat: int,
    once: bool,
    full_speed: bool,
) -> "Iterator[EventChunk]":
    from ..runtime.stream import (
        iter_chunks,
        iter_socket,
        make_decoder,
        open_listener,
        read_recording,
        replay_in_real_time,
    )

    if source == "-":
        return iter_chunks(sys.stdin.buffer, make_decoder(form, tally))
    if "://" in source:
        opened, tcp = open_listener(source)
        return iter_socket(opened, tcp, make_decoder(form, tally), tally, stop, once)
    path = Path(source)
    read_recording(path, tally)  # a wrong name is told before anything else
    played = _repeat_recording(path, tally, repeat)
    return played if full_speed else replay_in_real_time(played)


def _repeat_recording(path: Path, tally: "StreamStats", times: int) -> "Iterator[EventChunk]":
    """Yield the recording at `path` so many `times`, or for ever, each time as another one."""
    from ..runtime.stream import read_recording
    from ..runtime.stream.decoders import NO_EVENTS

    done = 0
    while not times or done < times:
        yield NO_EVENTS._replace(new_stream=True)
        yield from read_recording(path, tally)
        done += 1
