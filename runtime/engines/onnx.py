"""ONNX engine: run a model that `pumice.convert` wrote in ONNX Runtime, on a CPU."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, FileError
from ..events import Events, validate_inputs
from ..extras import import_extra
from ..population import Population
from ..readout import input_lengths
from ..strict_json import parse_json
from ..trace import Trace, hold_after_exit, zero_after_exit

FORMAT_VERSION = 1
TELEMETRY_VARIABLE = "ORT_DISABLE_TELEMETRY"
ZERO_DIGEST = "0" * 64
# A key and its value as protobuf stores them: a string of 64 characters, `@` being its length.
OUTPUT_PATTERN = re.compile(r"[^/]+/(spikes|counts|voltages|currents|steps|logits)\Z")
DIGEST_PATTERN = re.compile(rb"(pumice\.sha256\x12@)([0-9a-f]{64})")


@dataclass(frozen=True)
class OnnxSession:
    """Loaded model: session of ONNX Runtime, input populations, and what the model records.

    `by_length` says whether its readout rule needs the lengths of the samples.
    """

    session: Any
    inputs: tuple[Population, ...]
    record: str
    by_length: bool = False


def model_digest(data: bytes) -> str:
    """Compute the SHA-256 of an ONNX file, with zeros in place of the digest it contains."""
    return hashlib.sha256(DIGEST_PATTERN.sub(rb"\g<1>" + ZERO_DIGEST.encode(), data)).hexdigest()


def load(model: bytes | str | os.PathLike[str], threads: int = 1) -> OnnxSession:
    """Load an ONNX model.

    Args:
        model: Content or path of an ONNX file that pumice wrote.
        threads: Number of threads of ONNX Runtime.

    Raises:
        FileError: The file is absent, truncated, altered or was not written by pumice.
        MissingPackage: ONNX Runtime is not installed.
    """
    name, data = ("onnx model", model) if isinstance(model, bytes) else (str(model), _read(model))
    digest = DIGEST_PATTERN.search(data)
    if digest is None:
        raise FileError(f"{name}: is no ONNX model that pumice wrote")
    if digest[2].decode() != model_digest(data):
        raise FileError(
            f"{name}: is truncated or altered (its SHA-256 does not match); write it again"
        )
    onnxruntime = _import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no other base
        raise FileError(f"{name}: ONNX Runtime rejects it: {_first_line(error)}") from error
    metadata = session.get_modelmeta().custom_metadata_map
    version = metadata.get("pumice.format")
    if version != str(FORMAT_VERSION):
        raise FileError(f"{name}: format {version}; this pumice reads {FORMAT_VERSION}")
    if metadata.get("pumice.model") != "network":
        raise FileError(
            f"{name}: is one timestep of a network, needs the model that `to_onnx` writes "
            "without `step`"
        )
    try:
        described = parse_json(metadata["pumice.inputs"])
        inputs = tuple(Population(kind="input", **values) for values in described)
        record = metadata["pumice.record"]
        readout = dict(parse_json(metadata.get("pumice.readout", "{}")))
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{name}: describes no inputs ({error})") from error
    if not inputs or any(not OUTPUT_PATTERN.match(o.name) for o in session.get_outputs()):
        raise FileError(f"{name}: has other inputs or outputs than pumice writes")
    return OnnxSession(session, inputs, record, readout.get("decision") == "length")


def _import_onnxruntime() -> Any:
    """Import ONNX Runtime without its telemetry; raises `MissingPackage`.

    Its releases otherwise write a device id and a database to the cache folder and look up
    Microsoft's servers. The variable counts when the library is loaded (on Linux and macOS, from
    1.29), the call afterwards (on Windows).
    """
    os.environ.setdefault(TELEMETRY_VARIABLE, "1")
    onnxruntime = import_extra("onnxruntime", "onnx", "ONNX engine")
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error


def run(model: OnnxSession | bytes | str | os.PathLike[str], events: Events) -> Trace:
    """Run an ONNX model from zero state; what it records was chosen when it was written.

    Args:
        model: Loaded model, or content or path of an ONNX file.
        events: uint8 (timesteps, batch, *input shape), or a mapping by input population.

    Returns:
        The trace, without a network.

    Raises:
        FileError: As `load` raises it.
        EngineError: The events do not fit the inputs, or ONNX Runtime failed.
    """
    loaded = model if isinstance(model, OnnxSession) else load(model)
    validated = validate_inputs(loaded.inputs, events)
    timesteps, batch = next(iter(validated.values())).shape[:2]
    names = [output.name for output in loaded.session.get_outputs()]
    try:
        arrays = loaded.session.run(names, validated)
    except Exception as error:  # ONNX Runtime's errors share no other base
        raise EngineError(f"ONNX Runtime failed: {_first_line(error)}") from error
    recorded: dict[str, dict[str, NDArray[Any]]] = {
        quantity: {} for quantity in ("spikes", "counts", "voltages", "currents")
    }
    steps = np.full(batch, timesteps, np.int64)
    for name, array in zip(names, arrays, strict=True):
        population, quantity = name.split("/")
        if quantity == "steps":
            steps = array
        elif quantity != "logits":  # a trace applies the readout rule itself
            recorded[quantity][population] = array
    if loaded.record != "output":
        recorded["spikes"] |= {
            name: zero_after_exit(array, steps) for name, array in validated.items()
        }
    for quantity in ("voltages", "currents"):
        for name, array in recorded[quantity].items():
            recorded[quantity][name] = hold_after_exit(array, steps)
    return Trace(
        timesteps,
        batch,
        recorded["spikes"],
        recorded["counts"],
        recorded["voltages"],
        steps,
        recorded["currents"],
        lengths=input_lengths(validated) if loaded.by_length else None,
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
