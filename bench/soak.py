"""A stream of recorded events without end: `python -m bench.soak [--minutes 30]`.

The N-MNIST recordings of `../shared/data` (or `PUMICE_TEST_DATA`) follow each other in a loop, as
fast as they are taken, through the net 34x34x2 -> 16c -> 32c -> 512 -> 10. Every minute it prints
the most memory held so far, the windows of 10 ms computed, and what they took; in the end what
became of all events. It fails where one is missing from the account.
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.nets import NETS, calibrate_rates
from pumice.runtime.stream import EventChunk, Sensor, StreamStats, bin_events, classify_stream
from pumice.train.data.recordings import read_recordings

SIDE, STEPS, WINDOW = 34, 10, 10_000  # pixels, windows an answer, microseconds a window


def iter_recordings(folder: Path, seconds: float, sent: list[int]) -> Iterator[EventChunk]:
    """Give one recording after the other until the time is over; note how many events each has."""
    (file,) = (folder / "nmnist900").glob("*.npz")
    recordings = [
        EventChunk(
            *(np.asarray(a, np.int64) for a in (each.x, each.y, each.polarity, each.t)), True
        )
        for each in read_recordings(file, SIDE, SIDE).events
    ]
    end = time.monotonic() + seconds
    while True:
        for piece in recordings:
            if time.monotonic() > end:
                return
            sent[0] += len(piece.t)
            yield piece


def main() -> None:
    """Stream, and tell how it goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    given = parser.parse_args()
    folder = Path(os.environ.get("PUMICE_TEST_DATA", "../shared/data"))
    network = calibrate_rates(NETS["conv 34x34"](), 0.05)
    tally, sent, took = StreamStats(), [0], []
    told = time.monotonic()
    stream = bin_events(
        network,
        Sensor(SIDE, SIDE, bin_us=WINDOW),
        iter_recordings(folder, 60 * given.minutes, sent),
        tally,
    )
    for answer in classify_stream(network, stream, STEPS, tally, every_step=True):
        took.append(answer.milliseconds)
        if time.monotonic() > told + 60:
            print_progress(tally, took)
            told, took = time.monotonic(), []
    print_progress(tally, took)
    print(tally.as_dict())
    missing = sent[0] - tally.events - tally.off_sensor - tally.out_of_order - tally.dropped_events
    print(f"{sent[0]:,} events sent, {missing} of them not accounted for")
    raise SystemExit(missing != 0)


def print_progress(tally: StreamStats, took: list[float]) -> None:
    """Print a line about the windows of the last minute."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    middle, most = np.percentile(took, (50, 99))
    print(
        f"{peak:.0f} MB, {tally.time_bins:,} windows; of the last {len(took):,}: "
        f"median {middle:.3f} ms, 99 % within {most:.3f} ms, longest {max(took):.1f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
