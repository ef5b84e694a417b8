"""Equality with the decoders of other projects, on recordings written here and on real ones.

The others are run by the interpreter that `PUMICE_EVENT_PEERS` names (`make event-peers` installs
them in .venv-event-peers), or by this one. `PUMICE_EVENT_FILES` names a folder of real recordings:
`FORMAT-NAME.ENDING`.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from event_bytes import (
    Rows,
    aedat2_davis,
    aedat2_dvs128,
    aedat3_packet,
    aedat4,
    aer40,
    dat,
    event_stream,
    evt2,
    evt3,
    evt21,
)
from numpy.typing import NDArray

from pumice.runtime.stream import StreamStats
from pumice.runtime.stream.recordings import read_recording

Columns = dict[str, NDArray[np.int64]]
PEERS = os.environ.get("PUMICE_EVENT_PEERS", sys.executable)
SCRIPT = Path(__file__).parent / "decode_with_peers.py"
HEAD3 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS240C\r\n#!END-HEADER\r\n"
HEAD21 = (
    "% evt {}\n% format EVT21;endianness=little;height=720;width=1280\n% geometry 1280x720\n% end\n"
)
WRITTEN = {
    "five-byte": ("a.bin", aer40),
    "aedat2-davis": ("a.aedat", aedat2_davis),
    "aedat2-dvs128": ("a.aedat", aedat2_dvs128),
    "aedat3": ("a.aedat", lambda rows: HEAD3 + aedat3_packet(rows)),
    "aedat4": ("a.aedat4", aedat4),
    "evt2": ("a.raw", evt2),
    "evt21": ("a.raw", lambda rows: evt21(rows, head=HEAD21)),
    "evt21-legacy": ("a.raw", lambda rows: evt21(rows, is_legacy=True)),
    "evt3": ("a.raw", evt3),
    "dat": ("a.dat", dat),
    "es": ("a.es", event_stream),
}
# What a library is known to do otherwise: fields that are not compared, or all where it fails.
DEVIATIONS = {
    ("evt3", "expelliarmus"): "t",  # adds a period of 4096 us where the time low goes back
    ("evt3", "faery"): "t",  # makes times monotone
    ("aedat2-davis", "evlib"): "all",  # takes frames for events and stops
    ("dat", "faery"): "all",  # has no events of type 0x00
    ("dat", "evlib"): "all",  # takes headers of version 2 for text
    ("aedat2-dvs128", "evutils"): "all",  # takes a bit of y for a trigger
    ("aedat3", "evlib"): "all",  # takes the packet header for an event
}


def decode_here(path: Path) -> Columns:
    chunks = list(read_recording(path, StreamStats()))
    return {key: np.concatenate([c[k] for c in chunks]) for k, key in enumerate("xypt")}


def decode_with_peers(path: Path, kind: str, folder: Path) -> dict[str, Columns | str]:
    """Return what each library decodes, or the error it ends with."""
    out = folder / "peers.npz"
    command = [PEERS, str(SCRIPT), str(path), kind, str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    with np.load(out) as arrays:
        names = {key.partition("/")[0] for key in arrays}
        return {
            name: str(arrays[f"{name}/error"])
            if f"{name}/error" in arrays
            else {key: arrays[f"{name}/{key}"] for key in "xypt"}
            for name in sorted(names)
        }


def mirrored(peer: Columns, library: str, kind: str) -> Columns:
    """Bring raw coordinates of AEDAT 2.0 and Event Stream to the upper left corner."""
    peer = dict(peer)
    sides = {"aedat2-davis": (240, 180), "aedat2-dvs128": (128, 128)}.get(kind)
    if sides:
        peer["x"], peer["y"] = sides[0] - 1 - peer["x"], sides[1] - 1 - peer["y"]
        peer["p"] = 1 - peer["p"] if kind == "aedat2-dvs128" else peer["p"]
    return peer


def check(path: Path, kind: str, folder: Path, height: int) -> None:
    ours = decode_here(path)
    agreed, absent = [], []
    for library, peer in decode_with_peers(path, kind, folder).items():
        deviation = DEVIATIONS.get((kind, library), "")
        if isinstance(peer, str):
            assert deviation == "all" or peer.startswith("ModuleNotFoundError"), (library, peer)
            absent.append(library)
            continue
        if (kind, library) == ("es", "event_stream"):
            peer["y"] = height - 1 - peer["y"]
        peer = mirrored(peer, library, kind)
        different = [key for key in "xypt" if not np.array_equal(peer[key], ours[key])]
        assert deviation == "all" or set(different) <= set(deviation), (library, different)
        agreed += [] if different else [library]
    if not agreed:
        pytest.skip(f"no other decoder is installed: {', '.join(absent)}")


def rows_of(count: int) -> Rows:
    rng = np.random.default_rng(9)
    t = np.sort(rng.integers(1, 6_000_000, count)).tolist()
    x, y, p = (rng.integers(0, limit, count).tolist() for limit in (128, 128, 2))
    return list(zip(x, y, p, t, strict=True))


@pytest.mark.parametrize("kind", WRITTEN)
def test_other_decoders_agree_on_written_recordings(kind: str, tmp_path: Path) -> None:
    name, encode = WRITTEN[kind]
    rows = rows_of(5000)
    (tmp_path / name).write_bytes(encode(rows))
    assert list(zip(*(c.tolist() for c in decode_here(tmp_path / name).values()))) == rows  # noqa: B905
    check(tmp_path / name, kind, tmp_path, 720)


@pytest.mark.parametrize("k", range(1, 7))
def test_other_decoders_agree_on_recorded_gestures(
    shared_data: Path, tmp_path: Path, k: int
) -> None:
    check(shared_data / "dvs_gesture6" / f"{k}.bs2", "five-byte", tmp_path, 0)


def test_other_decoders_agree_on_real_recordings(tmp_path: Path) -> None:
    folder = os.environ.get("PUMICE_EVENT_FILES")
    if not folder:
        pytest.skip("no folder of real recordings: set PUMICE_EVENT_FILES")
    paths = [path for path in sorted(Path(folder).iterdir()) if path.is_file()]
    for path in paths:
        kind = max((kind for kind in WRITTEN if path.name.startswith(f"{kind}-")), key=len)
        check(path, kind, tmp_path, 240)
    assert paths
