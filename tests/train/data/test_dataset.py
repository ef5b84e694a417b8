import hashlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data import load
from pumice.train.data.dataset import (
    Dataset,
    FrameSet,
    compute_digest,
    hold_out,
    train_val_split,
)
from pumice.train.data.options import DataOptions


def random_events(samples: int, timesteps: int = 2, seed: int = 0) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (timesteps, samples, 2, 3, 4), np.uint8)


def small_dataset() -> Dataset:
    train = FrameSet(random_events(4), np.arange(4) % 2)
    test = FrameSet(random_events(2), np.arange(2))
    digest = compute_digest(train, test, DataOptions())
    return Dataset("small", train, test, 2, digest, {"source": "random"})


def test_events_and_labels_are_read_only_copies() -> None:
    events = random_events(3)
    samples = FrameSet(events, np.zeros(3, np.int64))
    events[:] = 0
    assert samples.events.any() and len(samples) == 3 and samples.labels.dtype == np.int64
    assert not samples.events.flags.writeable and not samples.labels.flags.writeable


def test_an_index_gives_a_sample_and_a_slice_gives_a_frame_set() -> None:
    samples = FrameSet(random_events(5), np.arange(5))
    events, label = samples[3]
    assert np.array_equal(events, samples.events[:, 3]) and label == 3
    assert samples[1:3] == FrameSet(samples.events[:, 1:3], samples.labels[1:3])
    chosen = samples[np.array([4, 0])]
    assert chosen.labels.tolist() == [4, 0]
    assert np.array_equal(chosen.events, samples.events[:, [4, 0]])
    assert samples[samples.labels > 2] == samples[3:]
    assert [label for _, label in samples] == [0, 1, 2, 3, 4]  # type: ignore[attr-defined]
    with pytest.raises(IndexError):
        samples[5]


def test_batches_have_time_first_and_cover_all_samples_in_order() -> None:
    samples = FrameSet(random_events(5, timesteps=3), np.arange(5))
    batches = list(samples.batches(2))
    assert [events.shape for events, _ in batches] == [(3, n, 2, 3, 4) for n in (2, 2, 1)]
    assert np.array_equal(np.concatenate([events for events, _ in batches], 1), samples.events)
    assert np.concatenate([labels for _, labels in batches]).tolist() == [0, 1, 2, 3, 4]


def test_shapes_are_properties_and_the_repr_is_one_line() -> None:
    data = small_dataset()
    assert (data.input_shape, data.timesteps, data.classes) == ((2, 3, 4), 2, 2)
    assert repr(data.train) == "FrameSet(4 samples, 2 timesteps, shape (2, 3, 4))"
    assert repr(data) == (
        "Dataset('small', 4 training, 2 test samples, 2 timesteps, "
        "input_shape (2, 3, 4), 2 classes)"
    )


def test_events_of_another_rank_are_rejected() -> None:
    with pytest.raises(DataError, match=r"events: shape \(2, 3, 4\), needs \(timesteps"):
        FrameSet(random_events(2)[:, 0, 0], np.zeros(2, np.int64))


def test_labels_must_match_the_number_of_samples() -> None:
    with pytest.raises(DataError, match=r"labels: shape \(3,\), but there are 2 samples"):
        FrameSet(random_events(2), np.zeros(3, np.int64))


def test_values_outside_their_type_are_rejected() -> None:
    with pytest.raises(DataError, match="events: value 256"):
        FrameSet(np.full((1, 1, 1, 1, 1), 256), np.zeros(1, np.int64))
    with pytest.raises(DataError, match="labels: hold -1"):
        FrameSet(random_events(1), np.array([-1]))


@pytest.mark.parametrize("part", ["test", "validation"])
def test_parts_must_have_one_shape(part: str) -> None:
    other = FrameSet(random_events(2, timesteps=5), np.arange(2))
    with pytest.raises(DataError, match=rf"small: {part} samples are \(5, .*training .*\(2,"):
        replace(small_dataset(), **{part: other})  # type: ignore[arg-type]


def test_a_label_without_a_class_is_rejected() -> None:
    with pytest.raises(DataError, match="small: a label is 1, but there are 1 classes"):
        replace(small_dataset(), classes=1)


def test_events_without_a_sample_are_rejected() -> None:
    with pytest.raises(DataError, match=r"events: shape \(2, 0, 2, 3, 4\) is empty"):
        FrameSet(random_events(0), np.zeros(0, np.int64))


def test_provenance_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        small_dataset().provenance["source"] = "elsewhere"  # type: ignore[index]


def test_the_digest_depends_on_every_bit_and_every_option_but_the_folder() -> None:
    data, options = small_dataset(), DataOptions()
    altered = data.train.events.copy()
    altered[1, 3, 1, 2, 3] ^= 1
    others = [
        compute_digest(FrameSet(altered, data.train.labels), data.test, options),
        compute_digest(FrameSet(data.train.events, 1 - data.train.labels), data.test, options),
        compute_digest(data.train, data.test, DataOptions(seed=1)),
        compute_digest(data.test, data.train, options),
    ]
    assert len({data.digest, *others}) == 5
    moved = DataOptions.model_validate({"folder": "/elsewhere"})
    assert compute_digest(data.train, data.test, moved) == data.digest


def test_the_digest_hashes_samples_one_after_the_other() -> None:
    data = small_dataset()
    expected = hashlib.sha256(DataOptions().model_dump_json(exclude_none=True).encode())
    for part in (data.train, data.test):
        samples = part.events.transpose(1, 0, 2, 3, 4)
        expected.update(f"|u1 {samples.shape} ".encode() + samples.tobytes())
        expected.update(f"<i8 {part.labels.shape} ".encode() + part.labels.tobytes())
    assert data.digest == expected.hexdigest()


def test_held_out_samples_are_missing_from_the_rest() -> None:
    samples = FrameSet(random_events(10), np.repeat([0, 1], 5))
    rest, held_out = hold_out(samples, 2, seed=4)
    assert sorted(held_out.labels) == [0, 0, 1, 1] and len(rest) == 6
    both = [each.tobytes() for part in (rest, held_out) for each in part.events.swapaxes(0, 1)]
    assert sorted(both) == sorted(each.tobytes() for each in samples.events.swapaxes(0, 1))
    assert hold_out(samples, 2, seed=4) == (rest, held_out)


def test_a_validation_part_of_the_dataset_is_used_as_it_is() -> None:
    data = small_dataset()
    assert train_val_split(data, 0, seed=0) == (data.train, None)
    rest, validation = train_val_split(data, 1, seed=0)
    assert validation is not None and (len(rest), len(validation)) == (2, 2)
    with_part = replace(data, validation=data.test)
    assert train_val_split(with_part, 1, seed=0) == (data.train, data.test)


def test_validation_samples_are_drawn_from_a_dataset_without_audio() -> None:
    data = load("digits-events", timesteps=2)
    assert data.provenance["options"]["audio"] is None
    train, validation = train_val_split(data, 3, seed=0)
    assert validation is not None and len(validation) == 30
    assert len(train) + 30 == len(data.train)
