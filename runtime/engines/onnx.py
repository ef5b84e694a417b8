"""The ONNX engine: a model that `pumice.convert` wrote, in ONNX Runtime on a CPU."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, FileError, MissingPackage
from ..events import Events, validate_inputs
from ..population import Population
from ..trace import Trace, hold_after_exit, zero_after_exit

FORMAT_VERSION = 1
ZERO_DIGEST = "0" * 64
# A key and its value as they stand in the file: a string of 64 characters, `@` being its length.
DIGEST_PATTERN = re.compile(rb"(pumice\.sha256\x12@)([0-9a-f]{64})")


@dataclass(frozen=True)
class OnnxSession:
    """A model ready to run: ONNX Runtime's session, the input populations and what it records."""

    session: Any
    inputs: tuple[Population, ...]
    record: str


def model_digest(data: bytes) -> str:
    """Return the SHA-256 of an ONNX file, taken with zeros where the file states it."""
    return hashlib.sha256(DIGEST_PATTERN.sub(rb"\g<1>" + ZERO_DIGEST.encode(), data)).hexdigest()


def load(model: bytes | str | os.PathLike[str], threads: int = 1) -> OnnxSession:
    """Make the content or the path of an ONNX file ready to run on so many threads.

    Raises `FileError` where it is absent, cut, altered or was not written by pumice, and
    `MissingPackage` without ONNX Runtime.
    """
    name, data = ("onnx model", model) if isinstance(model, bytes) else (str(model), _read(model))
    stated = DIGEST_PATTERN.search(data)
    if stated is None:
        raise FileError(f"{name}: holds no ONNX model that pumice wrote")
    if stated[2].decode() != model_digest(data):
        raise FileError(f"{name}: was cut or altered (its SHA-256 does not match); write it again")
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackage("onnxruntime is not installed; pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no other base
        raise FileError(f"{name}: ONNX Runtime refuses it: {_first_line(error)}") from error
    facts = session.get_modelmeta().custom_metadata_map
    if facts["pumice.format"] != str(FORMAT_VERSION):
        raise FileError(
            f"{name}: format {facts['pumice.format']}; this pumice reads {FORMAT_VERSION}"
        )
    if facts["pumice.model"] != "network":
        raise FileError(f"{name}: is one step of a network; write the whole one with `to_onnx`")
    inputs = tuple(Population(kind="input", **p) for p in json.loads(facts["pumice.inputs"]))
    return OnnxSession(session, inputs, facts["pumice.record"])


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error


def run(model: OnnxSession | bytes | str | os.PathLike[str], events: Events) -> Trace:
    """Run `model` on `events`, uint8 (timesteps, batch, *input shape), from a silent state.

    What the trace records was settled when the model was written. Raises `FileError` as `loaded`
    does, and `EngineError` where the events do not fit the inputs.
    """
    ready = model if isinstance(model, OnnxSession) else load(model)
    given = validate_inputs(ready.inputs, events)
    timesteps, batch = next(iter(given.values())).shape[:2]
    names = [output.name for output in ready.session.get_outputs()]
    try:
        arrays = ready.session.run(names, given)
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
        else:
            recorded[quantity][population] = array
    if ready.record != "output":
        recorded["spikes"] |= {name: zero_after_exit(array, steps) for name, array in given.items()}
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
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
