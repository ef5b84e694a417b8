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
    from ..runtime.stream import Piece, Tally

Keep = Literal["nothing", "hidden", "all"]
Format = Literal["five-byte", "csv"]


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A recording, '-' for standard input, tcp://127.0.0.1:PORT or udp://127.0.0.1:PORT to "
        "listen at.",
    ),
]
Milliseconds = Annotated[
    float, typer.Option("--window", min=0.001, help="Milliseconds that a timestep takes in.")
]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, help="Timesteps to an answer (as it was trained).")
]
Kept = Annotated[Keep, typer.Option("--keep", help="What stays from one answer to the next.")]
Each = Annotated[bool, typer.Option("--each", help="Answer after every timestep.")]
Form = Annotated[Format, typer.Option("--format", help="Of standard input and sockets.")]
Pool = Annotated[int | None, typer.Option("--pool", min=1, help="Join squares of N x N pixels.")]
Pixels = Annotated[
    str | None,
    typer.Option("--sensor", metavar="WxH", help="Its pixels, where the input is flat."),
]
FullSpeed = Annotated[
    bool, typer.Option("--full-speed", help="Play a recording as fast as it computes.")
]
Repeat = Annotated[
    int, typer.Option("--repeat", min=0, help="Play a recording so often; 0: for ever.")
]
Waiting = Annotated[
    int,
    typer.Option("--waiting", min=1, help="Windows that may wait; of more the oldest are dropped."),
]
Once = Annotated[bool, typer.Option("--once", help="End when the first TCP peer has gone.")]


def stream(
    file: NetworkFile,
    source: Source,
    window: Milliseconds = 10.0,
    steps: Steps = None,
    keep: Kept = "nothing",
    each: Each = False,
    form: Form = "five-byte",
    pool: Pool = None,
    sensor: Pixels = None,
    full_speed: FullSpeed = False,
    repeat: Repeat = 1,
    waiting: Waiting = 100,
    once: Once = False,
) -> None:
    """Answer while events come in, in lines of JSON.

    On standard error, at the end, one JSON line counts what came in and what was left out.
    """
    from ..runtime import read_network
    from ..runtime.stream import Tally, answered, latest, sensor_for, windows

    network = read_network(file)
    size = _size(sensor)
    trained = _trained(network)
    geometry = sensor_for(network, pool or trained.get("pool", 1), round(1000 * window), size)
    tally, stop = Tally(), threading.Event()
    waits = full_speed and "://" not in source and source != "-"
    pieces = _pieces(source, form, tally, stop, repeat, once, full_speed)
    seen = windows(network, geometry, pieces, tally)
    if not waits:
        seen = latest(seen, waiting, tally, stop)
    wanted = steps or trained.get("timesteps", 10)
    try:
        for answer in answered(network, seen, wanted, tally, keep, each):
            sys.stdout.write(json.dumps(asdict(answer)) + "\n")
            sys.stdout.flush()
    finally:
        stop.set()
        typer.echo(json.dumps(tally.told()), err=True)


def _trained(network: "Network") -> dict[str, int]:
    """Return the `pool` and `timesteps` of the data that trained `network`, as far as it says."""
    recipe = network.provenance.get("recipe")
    data = recipe.get("data", {}) if isinstance(recipe, dict) else {}
    return {key: data[key] for key in ("pool", "timesteps") if isinstance(data.get(key), int)}


def _size(text: str | None) -> tuple[int, int] | None:
    from ..runtime.errors import DataError

    if text is None:
        return None
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise DataError(f"--sensor {text}: needs the form 128x96, width x height")
    return int(width), int(height)


def _pieces(
    source: str,
    form: Format,
    tally: "Tally",
    stop: threading.Event,
    repeat: int,
    once: bool,
    full_speed: bool,
) -> "Iterator[Piece]":
    from ..runtime.stream import decoder, listened, paced, read_pieces, recording, socket_pieces

    if source == "-":
        return read_pieces(sys.stdin.buffer, decoder(form, tally))
    if "://" in source:
        opened, tcp = listened(source)
        return socket_pieces(opened, tcp, decoder(form, tally), tally, stop, once)
    path = Path(source)
    recording(path, tally)  # a wrong name is told before anything else
    played = _repeated(path, tally, repeat)
    return played if full_speed else paced(played)


def _repeated(path: Path, tally: "Tally", times: int) -> "Iterator[Piece]":
    """Yield the recording at `path` so many `times`, or for ever, each time as another one."""
    from ..runtime.stream import recording
    from ..runtime.stream.decode import NOTHING

    done = 0
    while not times or done < times:
        yield NOTHING._replace(fresh=True)
        yield from recording(path, tally)
        done += 1
