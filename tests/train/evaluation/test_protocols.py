"""Retrieval, k-NN, probe and feature metrics, on features worked out by hand."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data.clips import ClipOptions
from pumice.train.data.videos import Videos
from pumice.train.evaluation.features import Features, extract_features, iter_clips
from pumice.train.evaluation.finetune import finetune, top_k_accuracy
from pumice.train.evaluation.knn import knn_predict, recall_at_k
from pumice.train.evaluation.probe import fit_linear_probe
from pumice.train.evaluation.representation_metrics import (
    consistency_error_per_step,
    effective_rank,
    feature_std,
)
from pumice.train.evaluation.score import evaluate_features
from pumice.train.models import ConvOptions, build_model
from pumice.train.nn.batch_norm import recalibrate_batch_norm
from pumice.train.nn.network import SpikingNetwork
from pumice.train.ssl.prednext import temporal_consistency_error

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]
GALLERY = np.array([EAST, EAST, NORTH, WEST], np.float32)
LABELS = np.array([0, 0, 1, 2])
RANDOM = np.random.default_rng(0)


def consistency_error(steps: NDArray[np.float32]) -> float:
    """Temporal consistency error by the loss, of clips (clips, timesteps, width)."""
    return float(temporal_consistency_error(torch.from_numpy(steps).transpose(0, 1)))


def test_recall_at_k_by_hand() -> None:
    queries = np.array([[2.0, 0.1], [1.0, 0.2], [0.1, 5.0]], np.float32)
    recalls = recall_at_k(queries, np.array([0, 1, 2]), GALLERY, LABELS, (1, 2, 3, 4))
    assert recalls == pytest.approx({1: 1 / 3, 2: 1 / 3, 3: 2 / 3, 4: 1.0})


def test_retrieval_is_invariant_to_feature_norms() -> None:
    queries, labels = RANDOM.normal(size=(9, 2)).astype(np.float32), np.arange(9) % 3
    one = recall_at_k(queries, labels, GALLERY, LABELS)
    assert one == recall_at_k(7 * queries, labels, 0.1 * GALLERY, LABELS)


def test_an_empty_gallery_is_an_error() -> None:
    with pytest.raises(DataError, match="1 queries and 0 gallery videos"):
        recall_at_k(GALLERY[:1], LABELS[:1], GALLERY[:0], LABELS[:0])


def test_neighbors_vote_by_similarity() -> None:
    gallery = np.array([EAST, [0.8, 0.6], [0.8, 0.6]], np.float32)
    query, labels = np.array([EAST], np.float32), np.array([0, 1, 1])
    # exp(1/t) beside 2 exp(0.8/t): the nearer one wins while t < 0.2 / ln 2 = 0.2885.
    assert knn_predict(query, gallery, labels, 3, 0.28).tolist() == [0]
    assert knn_predict(query, gallery, labels, 3, 0.30).tolist() == [1]
    assert knn_predict(query, gallery, labels, 1, 0.30).tolist() == [0]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_probe_separates_linear_classes(classes: int) -> None:
    labels = np.arange(90) % classes
    vectors = RANDOM.normal(size=(90, 5)).astype(np.float32)
    vectors[:, 0] += 6 * (labels == 0)
    vectors[:, 1] += 6 * (labels == 1)
    vectors[:, 4] = 3.0  # says nothing
    probe = fit_linear_probe(vectors, labels, classes)
    assert probe.weights.shape == (classes, 5) and probe.accuracy(vectors, labels) > 0.95
    assert probe.accuracy(vectors, (labels + 1) % classes) < 0.1


def test_a_probe_needs_an_example_of_each_class() -> None:
    with pytest.raises(DataError, match=r"no example of class \[2\]"):
        fit_linear_probe(GALLERY, np.array([0, 0, 1, 3]), 4)


def test_the_mean_of_the_errors_per_step_is_the_consistency_error() -> None:
    steps = RANDOM.normal(size=(6, 5, 4)).astype(np.float32)
    assert consistency_error_per_step(steps).shape == (6, 5)
    assert float(consistency_error_per_step(steps).mean()) == pytest.approx(
        consistency_error(steps), rel=1e-5
    )
    turned = np.array([[EAST, EAST, NORTH]], np.float32)
    assert consistency_error_per_step(turned)[0].tolist() == pytest.approx([0.5, 0.5, 1.0])


def test_feature_std_and_effective_rank_detect_collapse() -> None:
    one = np.tile(np.array([[1.0, 2.0, 3.0]], np.float32), (20, 1))
    assert feature_std(one) == pytest.approx(0, abs=1e-6) and effective_rank(one) == 0
    line = np.outer(RANDOM.normal(size=50), [1.0, 2.0, 3.0]).astype(np.float32)
    assert effective_rank(line) == pytest.approx(1, abs=0.05)
    ball = RANDOM.normal(size=(2000, 3)).astype(np.float32)
    assert effective_rank(ball) == pytest.approx(3, abs=0.02)
    assert feature_std(ball) == pytest.approx(1, abs=0.03)


def lively(videos: Videos) -> SpikingNetwork:
    """An untrained network that spikes: batch norm is recalibrated on the videos."""
    torch.manual_seed(0)
    network = build_model(
        ConvOptions(channels=(4,), kernels=(3,), strides=(2,), hidden=(8,)), (1, 8, 8), 2, 8
    )
    recalibrate_batch_norm(network, iter_clips(videos, ClipOptions(timesteps=3)))
    return network.eval()


def motions() -> Videos:
    """Videos of two classes that differ in brightness, which a network learns quickly."""
    frames = RANDOM.integers(0, 100, (40, 6, 1, 8, 8), np.uint8)
    labels = np.arange(40) % 2
    frames[labels == 1] += 150
    return Videos(frames, {"bright": labels})


def test_extracted_features_are_those_of_the_network_at_each_step() -> None:
    torch.manual_seed(0)
    videos, clips = motions(), ClipOptions(timesteps=3)
    network = lively(videos)
    seen = extract_features(network, videos, clips, clips=1, batch_size=16)
    middle = torch.from_numpy(videos.frames[5:6, 1:4].copy()).transpose(0, 1).float()
    with torch.no_grad():
        expected = network.features(middle)[:, 0].numpy()
    assert seen.steps.shape == (40, 3, 8) and expected.any()
    assert np.array_equal(seen.steps[5], expected)
    assert np.allclose(seen.mean[5], expected.mean(axis=0))
    assert np.array_equal(seen.concatenated[5], expected.ravel())
    scores = evaluate_features(seen, seen)
    assert set(scores["mean"]["bright"]) == set(scores["concatenated"]["bright"])
    assert scores["consistency_error"] == pytest.approx(consistency_error(seen.steps), rel=1e-5)


def test_consistency_is_computed_per_clip_before_averaging() -> None:
    videos, clips = motions(), ClipOptions(timesteps=3)
    network = lively(videos)
    both = extract_features(network, videos, clips, clips=2)
    with torch.no_grad():
        each = [network.features(seen).transpose(0, 1) for seen in iter_clips(videos, clips, 2)]
    expected = consistency_error(torch.cat(each).numpy())
    assert both.consistency_errors.shape == (40, 3)
    assert float(both.consistency_errors.mean()) == pytest.approx(expected, rel=1e-5)
    assert consistency_error(both.steps) < 0.99 * expected


def test_fine_tuning_learns_on_a_copy() -> None:
    torch.manual_seed(0)
    network = build_model(
        ConvOptions(channels=(4,), kernels=(3,), strides=(2,), hidden=(8,)), (1, 8, 8), 2, 8
    )
    before = {name: each.clone() for name, each in network.state_dict().items()}
    videos, clips = motions(), ClipOptions(timesteps=3)
    tuned = finetune(network, videos, "bright", clips, epochs=6, batch_size=10, lr=0.01)
    assert top_k_accuracy(tuned, videos, "bright", clips, ranks=(1, 2)) == pytest.approx(
        {1: 1, 2: 1}
    )
    assert all(torch.equal(each, before[name]) for name, each in network.state_dict().items())
    # A batch larger than the videos once meant no step at all.
    few = finetune(network, videos.select(np.arange(6)), "bright", clips, epochs=1)
    assert not all(torch.equal(each, before[name]) for name, each in few.state_dict().items())


def test_mean_and_concatenated_features() -> None:
    steps = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    features = Features(steps, np.zeros((2, 3)), {})
    assert features.mean.tolist() == [[2, 3], [8, 9]]
    assert features.concatenated.shape == (2, 6)
