"""Operations on values are compared with PIL's, those of space with hand-worked places."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from pumice.train.data.augment import augment, random_resized_crop, random_roll
from pumice.train.data.augment_options import AugmentOptions, NdaOptions, RandAugmentOptions
from pumice.train.data.rand_augment import SPATIAL, TONAL, apply_operation, nda, rand_augment


def image() -> torch.Tensor:
    """A color image with unequal histograms, (1, 3, 12, 10)."""
    random = np.random.default_rng(0)
    values = 40 + random.integers(0, 120, (1, 3, 12, 10)) * random.random((1, 3, 12, 10))
    return torch.from_numpy(values.astype(np.uint8)).float()


def to_pil(clip: torch.Tensor) -> Image.Image:
    return Image.fromarray(clip[0].permute(1, 2, 0).numpy().astype(np.uint8))


def difference(clip: torch.Tensor, other: Image.Image) -> float:
    expected = torch.from_numpy(np.asarray(other).copy()).permute(2, 0, 1).float()
    return float((clip[0] - expected).abs().max())


def test_operations_on_levels_equal_pil() -> None:
    clip, pil = image(), to_pil(image())
    assert difference(apply_operation(clip, "equalize", 0, 255), ImageOps.equalize(pil)) == 0
    assert difference(apply_operation(clip, "posterize", 0.5, 255), ImageOps.posterize(pil, 6)) == 0
    solarized = apply_operation(clip, "solarize", 0.5, 255)
    assert difference(solarized, ImageOps.solarize(pil, 128)) == 0
    stretched = apply_operation(clip, "autocontrast", 0, 255)
    assert difference(stretched, ImageOps.autocontrast(pil)) <= 1  # PIL's table is truncated


@pytest.mark.parametrize(
    ("name", "enhancer"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("color", ImageEnhance.Color),
        ("contrast", ImageEnhance.Contrast),
        ("sharpness", ImageEnhance.Sharpness),
    ],
)
@pytest.mark.parametrize("strength", [-0.5, 0.8])
def test_enhancements_equal_pil_but_for_its_rounding(
    name: str, enhancer: type[ImageEnhance.Brightness], strength: float
) -> None:
    expected = enhancer(to_pil(image())).enhance(1 + 0.9 * strength)
    assert difference(apply_operation(image(), name, strength, 255), expected) <= 2


def test_operations_of_space_move_a_pixel_where_they_say() -> None:
    clip = torch.zeros(2, 1, 11, 11)
    clip[:, :, 5, 8] = 7  # three to the right of the center
    quarter = apply_operation(clip, "translate_x", 331 / 150 / 11 * 3, 1)
    assert quarter[0, 0].nonzero().tolist() == [[5, 5]]
    moved = apply_operation(clip, "translate_y", 331 / 150 / 11 * 2, 1)
    assert moved[0, 0].nonzero().tolist() == [[3, 8]]
    clip = torch.zeros(2, 1, 31, 31)
    clip[:, :, 13:18, 23:28] = 1  # a square ten to the right of the center
    turned = apply_operation(clip, "rotate", 1.0, 1)
    row, column = turned[0, 0].nonzero().float().mean(dim=0).tolist()
    assert abs(row - 15) == pytest.approx(5.0, abs=0.5)  # 10 sin 30
    assert column - 15 == pytest.approx(8.66, abs=0.5)  # 10 cos 30
    assert torch.equal(turned[0], turned[1])
    # In "shear_x" the source of row y is shifted by 0.3 y.
    clip = torch.zeros(1, 1, 11, 11)
    clip[:, :, 0, 5] = 1
    assert apply_operation(clip, "shear_x", 2 / 3, 1)[0, 0].nonzero().tolist() == [[0, 6]]


def test_binary_events_stay_binary_and_equal_at_all_timesteps() -> None:
    frame = (torch.rand(1, 6, 2, 9, 9, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    clips = frame.expand(4, -1, -1, -1, -1)
    torch.manual_seed(0)
    for result in (
        rand_augment(clips, RandAugmentOptions(operations=3, magnitude=20), 1),
        nda(clips, NdaOptions(operations=2)),
        augment(clips, AugmentOptions(crop=0.3, roll=2, rand_augment=RandAugmentOptions()), 1),
    ):
        assert set(result.flatten().tolist()) == {0.0, 1.0}
        assert all(torch.equal(step, result[0]) for step in result)
        assert not torch.equal(result, clips)


def test_images_stay_within_their_levels() -> None:
    torch.manual_seed(0)
    clips = torch.randint(0, 16, (2, 30, 3, 8, 8)).float()
    result = rand_augment(clips, RandAugmentOptions(magnitude=30), 15)
    assert torch.equal(result, result.round()) and result.min() >= 0 and result.max() <= 15
    assert {*SPATIAL, *TONAL} >= {"rotate", "equalize"} and len((*SPATIAL, *TONAL)) == 14


def test_a_roll_keeps_all_events() -> None:
    clips = torch.rand(3, 20, 2, 7, 6, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    rolled = random_roll(clips, 2)
    shifts = set()
    for sample in range(20):
        places = [
            (y, x)
            for y in range(-2, 3)
            for x in range(-2, 3)
            if torch.equal(clips[:, sample].roll((y, x), (-2, -1)), rolled[:, sample])
        ]
        assert len(places) == 1
        shifts |= {*places}
    assert len(shifts) > 8


def test_a_crop_of_the_whole_frame_is_the_frame() -> None:
    clips = torch.randint(0, 255, (2, 3, 1, 8, 8)).float()
    torch.manual_seed(0)
    cropped = random_resized_crop(clips, 0.1, 255)
    assert not torch.equal(cropped, clips) and torch.equal(cropped, cropped.round())
    flat = torch.full((2, 3, 1, 8, 8), 9.0)
    assert torch.equal(random_resized_crop(flat, 0.1, 255), flat)
    # With an aspect of 1 and the whole area nothing changes: corners stay in their places.
    ramp = torch.arange(8.0).expand(1, 40, 1, 8, 8)
    crops = random_resized_crop(ramp, 1.0, 255)
    assert (crops[..., 1:] - crops[..., :-1] >= 0).all()
