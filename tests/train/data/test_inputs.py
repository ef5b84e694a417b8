import random
import re
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


TWO = Network(
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
    told = file_inputs(NETWORK, events)
    assert np.array_equal(told.events["in"], EVENTS) and told.labels is not None
    assert told.labels.tolist() == LABELS.tolist()
    assert (told.samples, told.name) == (7, "events.npz")


def test_inputs_may_stand_under_their_own_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.ones((4, 2, 2), bool), b=np.full((4, 2, 3), 7))
    told = file_inputs(TWO, tmp_path / "two.npz")
    assert told.events["b"].max() == 7 and told.labels is None


def test_a_part_cuts_events_and_labels_alike(events: Path) -> None:
    part = file_inputs(NETWORK, events).slice(2, 5, 3)
    assert np.array_equal(part.events["in"], EVENTS[:3, 2:5])
    assert part.labels is not None and part.labels.tolist() == [2, 3, 0]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent.npz: cannot be read: No such file"):
        file_inputs(NETWORK, tmp_path / "absent.npz")


def test_a_file_with_one_bit_turned_is_refused_or_reads_the_same(events: Path) -> None:
    whole, chance = events.read_bytes(), random.Random(2)
    for _ in range(300):
        turned = bytearray(whole)
        bit = chance.randrange(8 * len(whole))
        turned[bit // 8] ^= 1 << bit % 8
        events.write_bytes(turned)
        try:
            told = file_inputs(NETWORK, events)
        except PumiceError as error:
            assert "\n" not in str(error)
        else:  # a bit that zip ignores, such as a date, or the name of the labels
            assert np.array_equal(told.events["in"], EVENTS)


@pytest.mark.parametrize("cut", [0, 1, 30, 200, -1])
def test_a_file_that_is_not_whole_is_refused(events: Path, cut: int) -> None:
    events.write_bytes(events.read_bytes()[:cut])
    with pytest.raises(DataError, match="events.npz: is not a complete .npz file"):
        file_inputs(NETWORK, events)


@pytest.mark.parametrize(
    ("arrays", "said"),
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
def test_a_file_with_other_things_is_refused(
    tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(PumiceError, match=re.escape(said)):
        file_inputs(NETWORK, tmp_path / "a.npz")


def test_an_array_without_a_name_is_no_npz_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", EVENTS)
    with pytest.raises(DataError, match="is not a complete .npz file"):
        file_inputs(NETWORK, tmp_path / "a.npy")


def test_random_events_are_the_same_each_time_and_grow_denser() -> None:
    told, again = random_inputs(TWO, 5, 400), random_inputs(TWO, 5, 400)
    for name in ("a", "b"):
        assert np.array_equal(told.events[name], again.events[name])
        shares = (told.events[name] > 0).mean(axis=(0, 2))
        rates, draws = np.geomspace(*RATES, 5), told.events[name][:, 0].size
        assert (abs(shares - rates) < 4 * np.sqrt(rates * (1 - rates) / draws)).all()
    assert told.events["a"].max() == 1 and told.events["b"].max() == 7


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Takes the place of all data sets; holds what was asked of them."""
    options: dict[str, Any] = {}

    def load(name: str, **others: Any) -> Dataset:
        options.update(others, name=name)
        if "impossible" in others:
            raise ValueError("impossible: is no option")
        frames = FrameSet(EVENTS, LABELS)
        return Dataset(name, frames, frames, 4, "", {})

    monkeypatch.setattr(sets, "load", load)
    return options


def made_by(**data: Any) -> Network:
    """The small network, with a recipe that says what data trained it."""
    provenance = {"recipe": {"data": data}} if data else {}
    return Network(NETWORK.populations, NETWORK.projections, provenance=provenance)


def test_the_data_that_trained_a_network_are_framed_as_they_were_then(
    asked: dict[str, Any],
) -> None:
    told = dataset_inputs(made_by(name="digits", timesteps=5, values="binary"), None)
    assert asked == {"name": "digits", "timesteps": 5, "values": "binary"}
    assert np.array_equal(told.events["in"], EVENTS) and told.name == "digits"


def test_other_data_are_taken_as_they_come(asked: dict[str, Any]) -> None:
    dataset_inputs(made_by(name="digits", timesteps=5), "nmnist", Path("there"))
    assert asked == {"name": "nmnist", "folder": Path("there")}


def test_a_flat_input_takes_the_frames_in_c_order(asked: dict[str, Any]) -> None:
    flat = Network(
        (Population("in", (72,), kind="input"), Population("out", (1,))),
        (Projection("p", "in", "out", Dense(np.ones((1, 72)))),),
    )
    told = dataset_inputs(flat, "digits")
    assert np.array_equal(told.events["in"], EVENTS.reshape(5, 7, 72))


@pytest.mark.usefixtures("asked")
def test_data_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="frames are .2, 6, 6., the network takes a .2,., b .3,."):
        dataset_inputs(TWO, "digits")
    with pytest.raises(DataError, match="name a data set with --data"):
        dataset_inputs(NETWORK, None)
    with pytest.raises(DataError, match="digits: impossible: is no option"):
        dataset_inputs(made_by(name="digits", impossible=1), None)


def test_data_and_events_cannot_both_be_had() -> None:
    with pytest.raises(DataError, match="--data and --events: needs one of them"):
        read_inputs(NETWORK, "digits", None, Path("events.npz"))
