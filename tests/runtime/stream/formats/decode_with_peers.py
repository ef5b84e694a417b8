"""Decode one recording with every other library that knows it: run by an interpreter that has them.

    python decode_with_peers.py RECORDING FORMAT OUT.npz

writes `LIBRARY/x`, `y`, `p` and `t` for each, and `LIBRARY/error` for one that fails. The libraries
keep the raw coordinates of AEDAT 2.0; `test_peers.py` mirrors them.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Arrays = tuple[Any, Any, Any, Any]


def _expelliarmus(path: str, kind: str) -> Arrays:
    encoding = {"evt2": "evt2", "evt3": "evt3", "dat": "dat"}[kind]
    events = importlib.import_module("expelliarmus").Wizard(encoding=encoding).read(path)
    return events["x"], events["y"], events["p"], events["t"]


def _evlib(path: str, kind: str) -> Arrays:
    frame = importlib.import_module("evlib").load_events(path).collect()
    x, y, p = (frame[name].to_numpy() for name in ("x", "y", "polarity"))
    return x, y, p > 0, frame["t"].dt.total_microseconds().to_numpy()


def _faery(path: str, kind: str) -> Arrays:
    packets = list(importlib.import_module("faery").events_stream_from_file(path))
    events = np.concatenate(packets)
    return events["x"], events["y"], events["on"], events["t"]


def _evt3(path: str, kind: str) -> Arrays:
    events = importlib.import_module("evt3").decode_file(path)
    return events.x, events.y, events.polarity, events.timestamp


def _aedat(path: str, kind: str) -> Arrays:
    packets = [p["events"] for p in importlib.import_module("aedat").Decoder(path) if "events" in p]
    events = np.concatenate(packets)
    return events["x"], events["y"], events["on"], events["t"]


def _dv_processing(path: str, kind: str) -> Arrays:
    recording = importlib.import_module("dv_processing").io.MonoCameraRecording(path)
    parts = []
    while (batch := recording.getNextEventBatch()) is not None:
        parts.append(batch.numpy())
    events = np.concatenate(parts)
    return events["x"], events["y"], events["polarity"], events["timestamp"]


def _event_stream(path: str, kind: str) -> Arrays:
    decoder = importlib.import_module("event_stream").Decoder(path)
    events = np.concatenate(list(decoder))
    if decoder.type == "atis":
        events = events[~events["exposure"]]
        return events["x"], events["y"], events["polarity"], events["t"]
    return events["x"], events["y"], events["on"], events["t"]


def _evutils(path: str, kind: str) -> Arrays:
    module = importlib.import_module("evutils.io")
    options = {"layout": "dvs128"} if kind == "aedat2-dvs128" else {}
    parts = [part for part in module.EventReader(path, **options)]
    x, y, p, t = (np.concatenate([getattr(part, name) for part in parts]) for name in "xypt")
    return x, y, p, t


def _tonic(path: str, kind: str) -> Arrays:
    module = importlib.import_module("tonic.io")
    dtype = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    if kind == "five-byte":
        events = module.read_mnist_file(path, dtype=dtype)
        return events["x"], events["y"], events["p"], events["t"]
    if kind == "aedat4":
        events = module.read_aedat4(path)
        return events["x"], events["y"], events["p"], events["t"]
    version, start, *_ = module.read_aedat_header_from_file(path)
    raw = module.get_aer_events_from_file(path, version, start)
    address, t = raw["address"].astype(np.int64), raw["timeStamp"].astype(np.int64)
    if kind == "aedat3":
        is_event = address & 1 == 1
        address = address[is_event]
        return address >> 17 & 0x1FFF, address >> 2 & 0x1FFF, address >> 1 & 1, t[is_event]
    if kind == "aedat2-dvs128":
        is_event = address & 0x80008000 == 0
        address = address[is_event]
        return address >> 1 & 0x7F, address >> 8 & 0x7F, address & 1, t[is_event]
    is_event = address & 0x80000400 == 0
    address = address[is_event]
    return address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1, t[is_event]


LIBRARIES: dict[str, dict[str, Callable[[str, str], Arrays]]] = {
    "five-byte": {"tonic": _tonic},
    "aedat2-davis": {"evutils": _evutils, "tonic": _tonic, "evlib": _evlib},
    "aedat2-dvs128": {"evutils": _evutils, "tonic": _tonic},
    "aedat3": {"evutils": _evutils, "evlib": _evlib, "tonic": _tonic},
    "aedat4": {
        "aedat": _aedat,
        "dv_processing": _dv_processing,
        "evutils": _evutils,
        "faery": _faery,
        "evlib": _evlib,
    },
    "evt2": {
        "expelliarmus": _expelliarmus,
        "evlib": _evlib,
        "evutils": _evutils,
        "faery": _faery,
    },
    "evt21": {"evlib": _evlib},
    "evt21-legacy": {"evutils": _evutils},
    "evt3": {
        "evt3": _evt3,
        "expelliarmus": _expelliarmus,
        "evlib": _evlib,
        "evutils": _evutils,
        "faery": _faery,
    },
    "dat": {
        "expelliarmus": _expelliarmus,
        "evlib": _evlib,
        "evutils": _evutils,
        "faery": _faery,
    },
    "es": {"event_stream": _event_stream, "faery": _faery},
}


def main(path: str, kind: str, out: str) -> None:
    """Decode the recording at `path`, of format `kind`, and write what came out."""
    found: dict[str, Any] = {}
    for name, decode in LIBRARIES[kind].items():
        try:
            for key, array in zip("xypt", decode(path, kind), strict=True):
                found[f"{name}/{key}"] = np.asarray(array).astype(np.int64)
        except BaseException as error:  # a panic of a Rust library is no Exception
            found[f"{name}/error"] = np.array(f"{type(error).__name__}: {error}"[:300])
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
