"""`pumice stream`: classify events as they arrive, and print predictions as JSON lines."""

import json
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import NetworkFile

if TYPE_CHECKING:
    from ..runtime.stream.chunks import StreamStats

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A recording, '-' for standard input, or tcp://127.0.0.1:PORT or "
        "udp://127.0.0.1:PORT to listen at; for a network of audio, a .wav file or '-' for raw "
        "int16 samples.",
    ),
]
BinMs = Annotated[float, typer.Option("--bin-ms", min=0.001, help="Bin width of one timestep, ms.")]
Steps = Annotated[
    int | None,
    typer.Option("--steps", min=1, help="Timesteps per prediction (default: as in training)."),
]
CarryState = Annotated[
    Literal["nothing", "hidden", "all"],
    typer.Option("--carry-state", help="Neuron state kept between predictions."),
]
EveryStep = Annotated[
    bool, typer.Option("--every-step", help="Print a prediction after every timestep.")
]
InputFormat = Annotated[
    Literal["five-byte", "csv"],
    typer.Option("--format", help="Event format of standard input and sockets."),
]
Downsample = Annotated[
    int | None,
    typer.Option(
        "--downsample",
        min=1,
        metavar="N",
        help="Merge N x N pixels into one (default: as in training).",
    ),
]
SensorSize = Annotated[
    str | None,
    typer.Option("--sensor", metavar="WxH", help="Sensor size in pixels, for a flat input."),
]
NoRealTime = Annotated[
    bool, typer.Option("--no-real-time", help="Replay a recording as fast as possible.")
]
Repeat = Annotated[
    int,
    typer.Option("--repeat", min=0, help="Number of replays of a recording; 0 repeats forever."),
]
QueueSize = Annotated[
    int,
    typer.Option(
        "--queue-size", min=1, help="Maximum number of pending bins; the oldest are dropped."
    ),
]
ExitOnDisconnect = Annotated[
    bool, typer.Option("--exit-on-disconnect", help="Exit when the first TCP client disconnects.")
]


def stream(
    file: NetworkFile,
    source: Source,
    bin_ms: BinMs = 10.0,
    steps: Steps = None,
    carry_state: CarryState = "nothing",
    every_step: EveryStep = False,
    input_format: InputFormat = "five-byte",
    downsample: Downsample = None,
    sensor: SensorSize = None,
    no_real_time: NoRealTime = False,
    repeat: Repeat = 1,
    queue_size: QueueSize = 100,
    exit_on_disconnect: ExitOnDisconnect = False,
) -> None:
    """Classify events, or a waveform, as they arrive.

    Prints predictions as JSON lines. At the end, which may be Ctrl-C or SIGTERM, one JSON line on
    standard error counts the events that were read and dropped. Exit code 1 if all events were off
    the sensor.
    """
    from ..runtime import read_network
    from ..runtime.stream.live import StreamOptions, classify_source

    network = read_network(file)
    options = StreamOptions(
        bin_ms=bin_ms,
        timesteps=steps,
        carry_state=carry_state,
        every_step=every_step,
        format=input_format,
        downsample=downsample,
        sensor_size=_parse_size(sensor),
        real_time=not no_real_time,
        repeat=repeat,
        queue_size=queue_size,
        exit_on_disconnect=exit_on_disconnect,
    )
    live = classify_source(network, source, options)
    predictions = iter(live)
    try:
        for prediction in predictions:
            sys.stdout.write(json.dumps(asdict(prediction)) + "\n")
            sys.stdout.flush()
    finally:
        predictions.close()
        live.close()
        typer.echo(json.dumps(live.stats.as_dict()), err=True)
    if _is_off_sensor(live.stats):
        raise typer.Exit(1)


def _is_off_sensor(stats: "StreamStats") -> bool:
    """Warn where many events were off the sensor; True where all were."""
    from .output import print_warning

    total = stats.off_sensor + stats.events
    if 2 * stats.off_sensor <= total:
        return False
    print_warning(
        f"{stats.off_sensor:,} of {total:,} events are off the sensor; set --sensor and "
        "--downsample to those of the source"
    )
    return not stats.events


def _parse_size(text: str | None) -> tuple[int, int] | None:
    from ..runtime.errors import DataError

    if text is None:
        return None
    sides = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text, re.ASCII)
    if not sides:
        raise DataError(f"--sensor {text}: needs the form 128x96, width x height")
    return int(sides[1]), int(sides[2])
