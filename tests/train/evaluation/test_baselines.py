import numpy as np
import torch

from pumice.train.data import Dataset, FrameSet
from pumice.train.data.videos import Videos
from pumice.train.evaluation.baselines import pixel_probe_accuracy, untrained_baseline
from pumice.train.evaluation.evaluate import predict_logits
from pumice.train.evaluation.features import extract_features, iter_clips, pixel_features
from pumice.train.evaluation.linear_readout import attach_linear_readout, sample_per_class
from pumice.train.ssl.pretrain import build_encoder, make_pretrain_provenance
from pumice.train.ssl.recipe import PretrainRecipe

RANDOM = np.random.default_rng(0)
LABELS = np.arange(60) % 2
FRAMES = RANDOM.integers(0, 60, (60, 4, 1, 8, 8), np.uint8)
FRAMES[LABELS == 1, :, :, :4] += 150
VIDEOS = Videos(FRAMES, {"half": LABELS})
RECIPE = PretrainRecipe.model_validate(
    {
        "data": {},
        "clips": {"timesteps": 4},
        "network": {"channels": [6, 8], "kernels": [3, 3], "strides": [2, 2], "hidden": []},
        "objective": {"name": "simclr"},
        "training": {"seed": 3},
    }
)


def data() -> Dataset:
    samples = FrameSet(FRAMES.swapaxes(0, 1), LABELS)
    train, test = samples[:40], samples[40:]
    options = {"name": "digit-motions", "values": "gray", "timesteps": 4}
    return Dataset("digit-motions", train, test, 2, "", {"options": options})


def test_the_untrained_baseline_has_initial_weights_and_spikes_in_every_layer() -> None:
    made = untrained_baseline(RECIPE, VIDEOS).network
    torch.manual_seed(3)
    drawn = build_encoder(RECIPE, make_pretrain_provenance(RECIPE, VIDEOS))
    for own, other in zip(made.parameters(), drawn.parameters(), strict=True):
        assert torch.equal(own, other)
    # With batch norm's statistics as they are drawn, 8-bit values would drown all that follows.
    rates = []
    hooks = [
        layer.register_forward_hook(lambda *hook_args: rates.append(float(hook_args[2].mean())))
        for layer in made.layer_list[:-1]
    ]
    extract_features(made, VIDEOS, RECIPE.clips)
    assert len(rates) == len(hooks) == 2 and all(0.05 < rate < 0.6 for rate in rates)


def test_a_linear_readout_of_few_labels_is_accurate_and_fits_the_integers() -> None:
    trained = attach_linear_readout(untrained_baseline(RECIPE, VIDEOS), data(), 5)
    answers = predict_logits(trained.network, data().test, quantized=True)
    assert (answers[-1].argmax(axis=1) == data().test.labels).mean() > 0.9
    logits = predict_logits(trained.network, sample_per_class(data(), 5), quantized=True)
    reach = float(trained.network.layer_list[-1].max_abs_voltage)  # type: ignore[arg-type]
    assert 0.9 * abs(logits).max() < reach < 1.1 * abs(logits).max()
    assert pixel_probe_accuracy(data(), 5) == 1.0


def test_pixel_features_are_means_over_a_videos_clips() -> None:
    long = Videos(RANDOM.integers(0, 256, (3, 8, 1, 2, 2), np.uint8), {})
    expected = (long.frames[:, :4].astype(float) + long.frames[:, 4:]) / 2
    steps = pixel_features(long, RECIPE.clips, 2).steps
    assert np.array_equal(steps, expected.reshape(3, 4, 4))
    (clips,) = iter_clips(long, RECIPE.clips, 2)
    assert clips.shape == (4, 6, 1, 2, 2)
