"""Coverage-guided fuzzing of one reader with atheris, which is no dependency of pumice.

    python -m venv .venv-fuzz && .venv-fuzz/bin/pip install atheris
    PYTHONPATH=.:tests/common:SITE_PACKAGES .venv-fuzz/bin/python tests/campaign/fuzz_readers.py \
        evt3 --minutes 60 --corpus /tmp/corpus

`SITE_PACKAGES` is the folder of the environment that pumice is installed in. An input that ends in
anything but a `PumiceError` of one line, takes 20 seconds or 1 GB, is written to the corpus folder
as `crash-*`, `timeout-*` or `oom-*`, and the process ends with another status than 0.
"""

import argparse
import io
import json
import os
import re
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["pumice", "tomllib"]):
    import event_bytes
    import numpy as np
    from command import EVENTS, LABELS, NETWORK
    from numpy.typing import NDArray
    from safetensors import safe_open
    from safetensors.numpy import save

    from pumice.convert.formats.netx.reader import NetxOptions
    from pumice.convert.formats.netx.reader import build_network as build_netx
    from pumice.convert.formats.netx.writer import _layer_list
    from pumice.convert.formats.nir.files import build_network as build_nir
    from pumice.convert.formats.onnx.writer import write_onnx
    from pumice.deploy.targets.target import read_target
    from pumice.report import read_report
    from pumice.report.compare import render_comparison
    from pumice.runtime import files, read_network, read_program
    from pumice.runtime.engines import onnx
    from pumice.runtime.errors import PumiceError
    from pumice.runtime.stream.binning import Sensor, bin_events
    from pumice.runtime.stream.chunks import StreamStats
    from pumice.runtime.stream.formats import make_file_decoder
    from pumice.runtime.stream.formats.sniff import SNIFF_BYTES
    from pumice.train.data.inputs import file_inputs
    from pumice.train.data.readers.series import read_series
    from pumice.train.recipes.loader import load_recipe

ROWS = [(k % 30, 3 * k % 30, k % 2, 100 + 700 * k) for k in range(40)]
RECORDINGS: dict[str, tuple[str, Callable[[Any], bytes]]] = {
    "aer40": (".bin", event_bytes.aer40),
    "text": (".csv", event_bytes.text),
    "aedat2": (".aedat", event_bytes.aedat2_davis),
    "aedat3": (".aedat", event_bytes.aedat3),
    "aedat4": (".aedat4", event_bytes.aedat4),
    "evt2": (".raw", event_bytes.evt2),
    "evt21": (".raw", event_bytes.evt21),
    "evt3": (".raw", event_bytes.evt3),
    "dat": (".dat", event_bytes.dat),
    "event-stream": (".es", event_bytes.event_stream),
}
Arrays = Mapping[str, NDArray[Any]]
SCRATCH = Path(tempfile.mkdtemp(prefix="pumice-fuzz-", dir="/dev/shm"))
MAX_BINS = 2000


def read_events(ending: str, data: bytes) -> None:
    """Decode a recording in parts and sort its events into time bins."""
    stats = StreamStats()
    decoder = make_file_decoder(ending, data[:SNIFF_BYTES], stats)

    def decode() -> Iterator[Any]:
        for first in range(0, len(data), 97):
            yield from decoder.decode(data[first : first + 97])
        yield from decoder.finish()

    bins = bin_events(NETWORK, Sensor(6, 6, 1, 10_000), decode(), stats)
    for _, _ in zip(range(MAX_BINS), bins, strict=False):
        pass


def on_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], None]:
    """Pass the input as a file of that name."""
    path = SCRATCH / name

    def one(data: bytes) -> None:
        path.write_bytes(data)
        read(path)

    return one


def sign(data: bytes) -> bytes:
    """Replace the digest in a `.pumice` file by the right one, so that what it covers is read."""
    size = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + size])
        SCRATCH.joinpath("unsigned").write_bytes(data)
        with safe_open(SCRATCH / "unsigned", framework="np") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        graph = header["__metadata__"]["pumice"].partition(" ")[2]
        return bytes(save(tensors, {"pumice": f"{files._digest(graph, tensors)} {graph}"}))
    except Exception:  # no such file: the reader says so
        return data


def read_pumice(path: Path) -> None:
    path.write_bytes(sign(path.read_bytes()))
    read_network(path)
    read_program(path)


def sign_onnx(data: bytes) -> None:
    """Load an ONNX file with the right digest."""
    digest = onnx.model_digest(data).encode()
    signed = onnx.DIGEST_PATTERN.sub(rb"\g<1>" + digest, data)
    session = onnx.load(signed)
    onnx.run(session, EVENTS)


def pack(arrays: Arrays) -> bytes:
    """Arrays by name, as bytes that a fuzzer can change without a checksum: see `unpack`."""
    parts = []
    for name, array in arrays.items():
        kind = array.dtype.str.encode()
        head = struct.pack("<BBB", len(name), len(kind), array.ndim)
        sizes = struct.pack(f"<{array.ndim}H", *array.shape)
        content = array.tobytes()
        parts += [head, name.encode(), kind, sizes, struct.pack("<H", len(content)), content]
    return b"".join(parts)


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """Arrays of `pack`; stops where the bytes are none."""
    arrays: dict[str, NDArray[Any]] = {}
    stream = io.BytesIO(data)
    try:
        while head := stream.read(3):
            name = stream.read(head[0]).decode("utf-8", "replace")
            kind = np.dtype(re.sub("[^<>|biufS0-9]", "", stream.read(head[1]).decode("latin1")))
            shape = struct.unpack(f"<{head[2]}H", stream.read(2 * head[2]))
            (size,) = struct.unpack("<H", stream.read(2))
            content = stream.read(size)
            if kind.kind in "biufS":
                arrays[name] = np.frombuffer(content, kind).reshape(shape)
    except (struct.error, ValueError, TypeError, IndexError, SyntaxError):
        pass
    return arrays


def netx_arrays() -> dict[str, NDArray[Any]]:
    """Datasets of a `.net` file."""
    return {
        f"layer/{number}/{key}": np.asarray(value)
        for number, entries in enumerate(_layer_list(NETWORK))
        for key, value in entries.items()
    }


def nir_arrays() -> dict[str, NDArray[Any]]:
    """Datasets of a NIR file of another program."""
    nodes: dict[str, dict[str, Any]] = {
        "in": {"type": b"Input", "shape": np.array([2, 6, 6])},
        "conv": {
            "type": b"Conv2d", "weight": np.ones((3, 2, 3, 3), np.float32) / 8,
            "bias": np.zeros(3, np.float32), "stride": np.array([2, 2]),
            "padding": np.array([1, 1]), "dilation": np.array([1, 1]), "groups": np.array(1),
            "input_shape": np.array([6, 6]),
        },
        "lif": {
            "type": b"CubaLIF",
            "tau_mem": np.full((3, 3, 3), 5e-3),
            "tau_syn": np.full((3, 3, 3), 2e-3),
            **dict.fromkeys(("r", "v_threshold", "w_in"), np.ones((3, 3, 3))),
            **dict.fromkeys(("v_leak", "v_reset"), np.zeros((3, 3, 3))),
        },
        "flat": {"type": b"Flatten", "start_dim": np.array(0), "end_dim": np.array(-1),
                 "input_type": np.array([3, 3, 3])},
        "fc": {"type": b"Affine", "weight": np.ones((4, 27), np.float32) / 9,
               "bias": np.zeros(4, np.float32)},
        "out": {"type": b"Output", "shape": np.array([4])},
    }  # fmt: skip
    arrays = {
        f"node/nodes/{name}/{key}": np.asarray(value)
        for name, values in nodes.items()
        for key, value in values.items()
    }
    names = list(nodes)
    edges = np.array([[a.encode(), b.encode()] for a, b in zip(names, names[1:], strict=False)])
    return arrays | {"node/edges": edges}


def compare_reports(path: Path) -> None:
    report = read_report(path)
    render_comparison([report, report], "Comparison")


def seeds(name: str) -> tuple[Callable[[bytes], Any], list[bytes]]:
    """The function that reads an input, and inputs to begin with."""
    if name in RECORDINGS:
        ending, encode = RECORDINGS[name]
        return lambda data: read_events(ending, data), [encode(ROWS), encode(ROWS[:3])]
    stored = SCRATCH / "seed"
    if name == "pumice":
        files.write_network(stored, NETWORK)
        return on_file("net.pumice", read_pumice), [stored.read_bytes()]
    if name == "onnx":
        write_onnx(stored, NETWORK)
        return sign_onnx, [stored.read_bytes()]
    if name == "recipe":
        folder = Path(load_recipe.__code__.co_filename).parent
        return on_file("recipe.toml", load_recipe), [f.read_bytes() for f in folder.glob("*.toml")]
    if name == "target":
        folder = Path(read_target.__code__.co_filename).parent
        return on_file("chip.toml", read_target), [f.read_bytes() for f in folder.glob("*.toml")]
    if name == "report":
        found = Path(os.environ["PUMICE_FUZZ_REPORT"])
        return on_file("report.json", compare_reports), [found.read_bytes()]
    if name == "events":
        buffer = io.BytesIO()
        np.savez(buffer, events=EVENTS, labels=LABELS)
        return on_file("events.npz", lambda path: file_inputs(NETWORK, path)), [buffer.getvalue()]
    if name == "series":
        rows = b"a;b\n" + b"".join(b"%d;%d.5\n" % (k, 3 * k) for k in range(9))
        return on_file("series.csv", read_series), [rows]
    if name == "netx":
        return lambda data: build_netx(unpack(data), NetxOptions(), {}), [pack(netx_arrays())]
    if name == "nir":
        return lambda data: build_nir(unpack(data), 1e-3, "zero", 1, {}), [pack(nir_arrays())]
    raise SystemExit(f"no reader {name!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--corpus", type=Path, required=True)
    options = parser.parse_args()
    read, first = seeds(options.reader)
    corpus = options.corpus / options.reader
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(first):
        (corpus / f"seed{number}").write_bytes(content)

    def one_input(data: bytes) -> None:
        try:
            read(data)
        except PumiceError as error:
            assert str(error).strip() and "\n" not in str(error), repr(str(error))

    arguments = [
        f"-max_total_time={round(60 * options.minutes)}", "-timeout=20", "-rss_limit_mb=1024",
        f"-max_len={max(4096, 2 * max(map(len, first)))}", "-print_final_stats=1",
        f"-artifact_prefix={options.corpus}/{options.reader}-", str(corpus),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *arguments], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
