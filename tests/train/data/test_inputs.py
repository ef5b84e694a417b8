import random
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK

from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.errors import DataError, PumiceError
from pumice.train import data as sets
from pumice.train.data import Dataset, FrameSet
from pumice.train.data.inputs import RATES, dataset_inputs, file_inputs, random_inputs, read_inputs


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A file with seven samples of five timesteps, and their labels."""
    path = tmp_path / "events.npz"
    np.savez(path, events=EVENTS, labels=LABELS)
    return path


TWO_INPUTS = Network(
    (
        Population("a", (2,), kind="input"),
        Population("b", (3,), kind="input", value_bits=3),
        Population("out", (1,)),
    ),
    tuple(
        Projection(f"from_{n}", n, "out", Dense(np.ones((1, k)))) for n, k in (("a", 2), ("b", 3))
    ),
)


def test_a_file_gives_events_and_labels(events: Path) -> None:
    inputs = file_inputs(NETWORK, events)
    assert np.array_equal(inputs.events["in"], EVENTS) and inputs.labels is not None
    assert inputs.labels.tolist() == LABELS.tolist()
    assert (inputs.samples, inputs.name) == (7, "events.npz")


def test_arrays_may_have_the_names_of_the_inputs(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.ones((4, 2, 2), bool), b=np.full((4, 2, 3), 7))
    inputs = file_inputs(TWO_INPUTS, tmp_path / "two.npz")
    assert inputs.events["b"].max() == 7 and inputs.labels is None


def test_a_slice_applies_to_events_and_labels(events: Path) -> None:
    part = file_inputs(NETWORK, events).slice(2, 5, 3)
    assert np.array_equal(part.events["in"], EVENTS[:3, 2:5])
    assert part.labels is not None and part.labels.tolist() == [2, 3, 0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent.npz: cannot be read: No such file"):
        file_inputs(NETWORK, tmp_path / "absent.npz")


def test_a_flipped_bit_is_rejected_or_changes_no_event(events: Path) -> None:
    content, generator = events.read_bytes(), random.Random(2)
    for _ in range(300):
        flipped = bytearray(content)
        bit = generator.randrange(8 * len(content))
        flipped[bit // 8] ^= 1 << bit % 8
        events.write_bytes(flipped)
        try:
            inputs = file_inputs(NETWORK, events)
        except PumiceError as error:
            assert "\n" not in str(error)
        else:  # a bit that zip ignores, such as a date, or the name of the labels
            assert np.array_equal(inputs.events["in"], EVENTS)


@pytest.mark.parametrize("cut", [0, 1, 30, 200, -1])
def test_a_truncated_file_is_rejected(events: Path, cut: int) -> None:
    events.write_bytes(events.read_bytes()[:cut])
    with pytest.raises(DataError, match="events.npz: is not a complete .npz file"):
        file_inputs(NETWORK, events)


def test_an_array_whose_header_is_cut_is_rejected(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'shape': (("
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("events.npy", content)
    with pytest.raises(DataError, match="a.npz: is not a complete .npz file"):
        file_inputs(NETWORK, tmp_path / "a.npz")


def test_an_encrypted_file_is_rejected(events: Path) -> None:
    content = bytearray(events.read_bytes())
    for header, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = content.find(header)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(header, at + 1)
    events.write_bytes(content)
    with pytest.raises(DataError, match="events.npz: is not a complete .npz file.*encrypted"):
        file_inputs(NETWORK, events)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "events for nothing, but the inputs are in"),
        ({"other": EVENTS}, "events for other, but the inputs are in"),
        ({"events": EVENTS[..., :3]}, "in: events are uint8"),
        ({"events": EVENTS * 2}, "in: events hold 0..2, needs 0..1"),
        ({"events": EVENTS, "labels": LABELS[:3]}, "labels are int64 (3,), needs 7 integers"),
        ({"events": EVENTS, "labels": LABELS / 2}, "labels are float64 (7,), needs 7 integers"),
        ({"events": np.array([None])}, "is not a complete .npz file"),
    ],
)
def test_other_arrays_are_rejected(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(PumiceError, match=re.escape(message)):
        file_inputs(NETWORK, tmp_path / "a.npz")


def test_an_npy_file_is_rejected(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", EVENTS)
    with pytest.raises(DataError, match="is not a complete .npz file"):
        file_inputs(NETWORK, tmp_path / "a.npy")


@pytest.mark.parametrize(("bits", "signed", "reach"), [(12, False, 4095), (12, True, 2047)])
def test_random_values_are_those_of_wide_and_signed_inputs(
    bits: int, signed: bool, reach: int
) -> None:
    wide = Population("in", (50,), kind="input", value_bits=bits, signed=signed)
    out = Population("out", (1,), kind="integrator")
    network = Network((wide, out), (Projection("p", "in", "out", Dense(np.ones((1, 50)))),))
    values = random_inputs(network, 3, 100).events["in"]
    assert reach - 64 < values.max() <= reach
    assert (values.min() < 64 - reach) == signed and values.min() >= -reach * signed


def test_random_events_are_deterministic_with_increasing_rates() -> None:
    inputs, again = random_inputs(TWO_INPUTS, 5, 400), random_inputs(TWO_INPUTS, 5, 400)
    for name in ("a", "b"):
        assert np.array_equal(inputs.events[name], again.events[name])
        fractions = (inputs.events[name] > 0).mean(axis=(0, 2))
        rates, draws = np.geomspace(*RATES, 5), inputs.events[name][:, 0].size
        assert (abs(fractions - rates) < 4 * np.sqrt(rates * (1 - rates) / draws)).all()
    assert inputs.events["a"].max() == 1 and inputs.events["b"].max() == 7


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replaces all datasets; stores the options that were requested."""
    options: dict[str, Any] = {}

    def load(name: str, **others: Any) -> Dataset:
        options.update(others, name=name)
        if "impossible" in others:
            raise ValueError("impossible: is no option")
        frames = FrameSet(EVENTS, LABELS)
        return Dataset(name, frames, frames, 4, "", {})

    monkeypatch.setattr(sets, "load", load)
    return options


def trained_on(**data: Any) -> Network:
    """The small network, with its dataset in the provenance."""
    provenance = {"recipe": {"data": data}} if data else {}
    return Network(NETWORK.populations, NETWORK.projections, provenance=provenance)


def test_the_training_dataset_is_loaded_with_its_options(
    requested: dict[str, Any],
) -> None:
    inputs = dataset_inputs(trained_on(name="digits", timesteps=5, values="binary"), None)
    assert requested == {"name": "digits", "timesteps": 5, "values": "binary"}
    assert np.array_equal(inputs.events["in"], EVENTS) and inputs.name == "digits"


def test_another_dataset_has_default_options(requested: dict[str, Any]) -> None:
    dataset_inputs(trained_on(name="digits", timesteps=5), "nmnist", Path("there"))
    assert requested == {"name": "nmnist", "folder": Path("there")}


def test_other_parts_may_be_read(requested: dict[str, Any]) -> None:
    assert read_inputs(NETWORK, "digits", part="train").samples == 7
    with pytest.raises(DataError, match="digits: has no validation part; use train or test"):
        read_inputs(NETWORK, "digits", part="validation")


def test_a_flat_input_takes_frames_in_c_order(requested: dict[str, Any]) -> None:
    flat = Network(
        (Population("in", (72,), kind="input"), Population("out", (1,))),
        (Projection("p", "in", "out", Dense(np.ones((1, 72)))),),
    )
    inputs = dataset_inputs(flat, "digits")
    assert np.array_equal(inputs.events["in"], EVENTS.reshape(5, 7, 72))


@pytest.mark.usefixtures("requested")
def test_datasets_that_do_not_fit_are_rejected() -> None:
    with pytest.raises(DataError, match="frames are .2, 6, 6., the network takes a .2,., b .3,."):
        dataset_inputs(TWO_INPUTS, "digits")
    with pytest.raises(DataError, match="name one with --data"):
        dataset_inputs(NETWORK, None)
    with pytest.raises(DataError, match="digits: impossible: is no option"):
        dataset_inputs(trained_on(name="digits", impossible=1), None)


def test_a_dataset_and_a_file_at_once_are_rejected() -> None:
    with pytest.raises(DataError, match="--data and --events: needs one of them"):
        read_inputs(NETWORK, "digits", None, Path("events.npz"))
