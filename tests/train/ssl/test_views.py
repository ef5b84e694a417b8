import pytest
import torch
from torch import Tensor

from pumice.train.ssl.options import ViewOptions
from pumice.train.ssl.views import make_augmentation


def still(channels: int, samples: int = 3, timesteps: int = 4, top: int = 256) -> Tensor:
    """Clips in which nothing moves, (timesteps, samples, channels, 12, 10)."""
    torch.manual_seed(0)
    image = torch.randint(0, top, (1, samples, channels, 12, 10)).float()
    return image.expand(timesteps, -1, -1, -1, -1).contiguous()


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_is_equal_for_all_timesteps_and_differs_between_clips(channels: int) -> None:
    options = ViewOptions(flip=True, rotate=15, grayscale=0.5, blur=0.5)
    clips = still(channels)
    clips[:, 1] = clips[:, 0]
    views = make_augmentation(options, (channels, 12, 10), 8)(clips)
    assert views.shape == clips.shape and (views == views[:1]).all()
    assert not torch.equal(views[:, 0], views[:, 1])


def test_views_are_8_bit_integers() -> None:
    views = make_augmentation(ViewOptions(noise=0.1), (1, 12, 10), 8)(still(1))
    assert (views == views.round()).all() and views.min() >= 0 and 200 < views.max() <= 255
    assert not (views == views[:1]).all()  # noise alone differs from step to step


def test_views_of_events_are_binary() -> None:
    clips = still(2, top=2)
    views = make_augmentation(ViewOptions(flip=True), (2, 12, 10), 1)(clips)
    assert set(views.flatten().tolist()) == {0.0, 1.0} and (views == views[:1]).all()
    assert not torch.equal(views, clips)


def test_a_seed_determines_the_view() -> None:
    vary, clips = make_augmentation(ViewOptions(), (1, 12, 10), 8), still(1)
    torch.manual_seed(1)
    first = vary(clips)
    torch.manual_seed(1)
    assert torch.equal(first, vary(clips)) and not torch.equal(first, vary(clips))


def test_disabled_augmentations_change_nothing() -> None:
    options, clips = ViewOptions(crop=1.0, color=0.0), still(1)
    views = make_augmentation(options, (1, 12, 10), 8)(clips)
    assert (views - clips).abs().mean() < 60  # its aspect is still drawn
