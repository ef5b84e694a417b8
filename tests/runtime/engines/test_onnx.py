"""ONNX engine: inputs it accepts, and errors for truncated or altered files."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import assert_same, part

from pumice.convert.formats.onnx import writer as convert
from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.engines import reference
from pumice.runtime.engines.onnx import load, model_digest, run
from pumice.runtime.errors import EngineError, FileError, MissingPackage

NETWORK = Network(
    (Population("in", (3,), kind="input"), Population("out", (2,), threshold=5)),
    (Projection("p", "in", "out", Dense(np.array([[4, 0, 2], [2, 2, -6]])), delay=1),),
)
EVENTS = np.random.default_rng(1).integers(0, 2, (9, 4, 3)).astype(np.uint8)
DATA = convert.to_onnx(NETWORK, "all").SerializeToString()


def test_bytes_a_path_and_a_loaded_model_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(DATA)
    expected = reference.run(NETWORK, EVENTS)
    assert expected.spikes["out"].any()
    for model in (DATA, tmp_path / "model.onnx", str(tmp_path / "model.onnx"), load(DATA, 2)):
        assert_same(run(model, EVENTS), expected)


def test_one_model_takes_any_number_of_steps_and_samples() -> None:
    model = load(DATA)
    whole = reference.run(NETWORK, EVENTS)
    for sample in range(whole.batch):
        assert_same(run(model, EVENTS[:, sample : sample + 1]), part(whole, sample))
    assert_same(run(model, EVENTS[:1]), reference.run(NETWORK, EVENTS[:1]))


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_changed_byte_is_a_one_line_error(place: int, change: int) -> None:
    changed = bytearray(DATA)
    changed[place] ^= change
    with pytest.raises(
        FileError, match="onnx model: (is truncated or altered|is no ONNX)"
    ) as caught:
        run(bytes(changed), EVENTS)
    assert "\n" not in str(caught.value)


@given(st.integers(0, len(DATA) - 1))
def test_a_truncated_file_is_a_one_line_error(length: int) -> None:
    with pytest.raises(FileError, match="onnx model: (is truncated or altered|is no ONNX)"):
        run(DATA[:length], EVENTS)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="none.onnx: cannot be read: No such file"):
        run(tmp_path / "none.onnx", EVENTS)


def test_a_model_that_pumice_did_not_write_is_rejected() -> None:
    other = convert.to_onnx(NETWORK)
    del other.metadata_props[:]
    with pytest.raises(FileError, match="is no ONNX model that pumice wrote"):
        run(other.SerializeToString(), EVENTS)


def test_a_model_of_one_timestep_is_rejected_with_the_remedy() -> None:
    with pytest.raises(FileError, match="is one timestep of a network, needs"):
        run(convert.to_onnx_step(NETWORK).SerializeToString(), EVENTS)


def test_a_format_of_the_future_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "FORMAT_VERSION", 2)
    with pytest.raises(FileError, match="format 2; this pumice reads 1"):
        run(convert.to_onnx(NETWORK).SerializeToString(), EVENTS)


def test_an_error_of_onnx_runtime_is_one_line() -> None:
    model = onnx.load_from_string(DATA)
    model.graph.node[0].op_type = "Unheard"
    model.metadata_props[-1].value = model_digest(model.SerializeToString())
    with pytest.raises(FileError, match="onnx model: ONNX Runtime rejects it") as caught:
        run(model.SerializeToString(), EVENTS)
    assert "\n" not in str(caught.value)


def test_events_that_do_not_fit_are_rejected() -> None:
    with pytest.raises(EngineError, match="in: events are uint8"):
        run(DATA, EVENTS[..., :2])
    with pytest.raises(EngineError, match="in: events hold 0..2"):
        run(DATA, EVENTS * 2)


def test_without_onnx_runtime_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackage, match="pip install 'pumice.onnx.'"):
        run(DATA, EVENTS)
