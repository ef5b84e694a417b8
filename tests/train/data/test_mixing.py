import math

import pytest
import torch

from pumice.train.data.augment_options import MixOptions
from pumice.train.data.mixing import cutmix, event_mix, mix, mixup, random_region, sample_beta

LABELS = torch.tensor([0, 1, 2, 0])


def ramps() -> torch.Tensor:
    """Four clips that hold 10, 20, 30 and 40 everywhere."""
    return torch.tensor([10.0, 20, 30, 40]).view(1, 4, 1, 1, 1).expand(3, 4, 2, 6, 8).clone()


def test_mixup_is_a_rounded_weighted_sum() -> None:
    clips = ramps()
    mixed = mixup(clips, clips[:, [1, 2, 3, 0]], 0.75)
    assert mixed[0, :, 0, 0, 0].tolist() == [12.0, 22.0, 32.0, 32.0]  # 12.5 is rounded to even


def test_cutmix_takes_a_rectangle_and_tells_its_part() -> None:
    clips = ramps()
    torch.manual_seed(1)
    mixed, kept = cutmix(clips, clips[:, [1, 2, 3, 0]], 0.75)
    changed = (mixed != clips)[0, :, 0]
    assert torch.equal(changed[0], changed[3])
    assert math.isclose(float(kept[0]), 1 - float(changed[0].float().mean()), rel_tol=1e-6)
    rows, columns = changed[0].any(dim=1).sum(), changed[0].any(dim=0).sum()
    assert changed[0].sum() == rows * columns > 0
    assert set(mixed[:, 0].flatten().tolist()) == {10.0, 20.0}


def test_event_mix_weighs_labels_by_events() -> None:
    """Where the other clip is empty, all events are the sample's own."""
    torch.manual_seed(0)
    clips = torch.ones(4, 2, 1, 6, 6)
    clips[:, 1] = 0
    mixed, kept = event_mix(clips, clips[:, [1, 0]], 0.5)
    assert kept.tolist() == [1.0, 0.0]
    assert mixed[:, 0].sum() + mixed[:, 1].sum() == 4 * 36
    assert mixed[:, 0].sum() == 4 * 36 / 2


def test_a_region_is_connected_in_time_and_of_the_fraction() -> None:
    torch.manual_seed(3)
    region = random_region((10, 20, 20), 0.3)
    assert float(region.float().mean()) == pytest.approx(0.3, abs=0.01)
    assert not random_region((2, 3, 3), 0.0).any() and random_region((2, 3, 3), 1.0).all()
    neighbors = (region[1:] == region[:-1]).float().mean()
    assert neighbors > 0.85  # independent pixels: 0.58


def test_labels_follow_the_samples() -> None:
    torch.manual_seed(0)
    for options in (MixOptions(mixup=1.0), MixOptions(cutmix=1.0), MixOptions(event_mix=1.0)):
        mixed, targets = mix(ramps(), LABELS, 3, options)
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(4))
        assert mixed.shape == ramps().shape and (mixed == mixed.round()).all()
        for sample in range(4):
            if torch.equal(mixed[:, sample], ramps()[:, sample]):
                continue
            assert 0 < targets[sample].max() <= 1


def test_batches_are_mixed_with_the_given_probability() -> None:
    torch.manual_seed(0)
    options = MixOptions(cutmix=1.0, probability=0.0)
    mixed, targets = mix(ramps(), LABELS, 3, options)
    assert torch.equal(mixed, ramps())
    assert targets.argmax(dim=1).tolist() == LABELS.tolist()
    assert mix(ramps(), LABELS, 3, MixOptions())[1].max(dim=1).values.eq(1).all()


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_fractions_have_the_moments_of_a_beta_distribution(alpha: float) -> None:
    """Mean 1/2 and variance 1 / (4 (2 alpha + 1))."""
    torch.manual_seed(0)
    draws = torch.tensor([sample_beta(alpha) for _ in range(4000)])
    assert float(draws.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(draws.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)
