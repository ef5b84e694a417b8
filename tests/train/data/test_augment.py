import pytest
import torch

from pumice.train.data.augment import (
    augment,
    cutout,
    random_affine,
    random_flip,
    random_shift,
)
from pumice.train.engine.training_config import AugmentOptions


def clip() -> torch.Tensor:
    return torch.rand(3, 20, 2, 7, 6, generator=torch.Generator().manual_seed(0)) + 0.1


def test_no_shift_gives_the_clip_itself() -> None:
    given = clip()
    assert random_shift(given, 0) is given


def test_every_clip_is_moved_by_one_draw_for_all_its_steps_with_zeros_coming_in() -> None:
    given = clip()
    torch.manual_seed(1)
    moved = random_shift(given, 2)
    draws = set()
    for sample in range(20):
        fits = []
        for down in range(-2, 3):
            for right in range(-2, 3):
                expected = torch.zeros_like(given[:, sample])
                rows = slice(max(-down, 0), 7 - max(down, 0))
                columns = slice(max(-right, 0), 6 - max(right, 0))
                from_rows = slice(max(down, 0), 7 - max(-down, 0))
                from_columns = slice(max(right, 0), 6 - max(-right, 0))
                expected[..., rows, columns] = given[:, sample, :, from_rows, from_columns]
                if torch.equal(moved[:, sample], expected):
                    fits.append((down, right))
        assert len(fits) == 1
        draws.add(fits[0])
    assert len(draws) > 5


def test_the_same_seed_draws_the_same() -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(random_shift(clip(), 3))
    assert torch.equal(*results)


CLIPS = torch.arange(1.0, 1 + 3 * 4 * 2 * 6 * 8).view(3, 4, 2, 6, 8)


def test_nothing_asked_for_changes_nothing() -> None:
    assert augment(CLIPS, AugmentOptions()) is CLIPS


def test_each_clip_is_mirrored_or_not_at_all_steps_alike() -> None:
    torch.manual_seed(0)
    for clip, mirrored in zip(CLIPS.unbind(1), random_flip(CLIPS).unbind(1), strict=True):
        assert torch.equal(mirrored, clip) or torch.equal(mirrored, clip.flip(-1))
    torch.manual_seed(0)
    assert 0 < sum(torch.equal(random_flip(CLIPS), CLIPS) for _ in range(40)) < 40


def test_a_square_is_blank_at_all_steps_and_nothing_else() -> None:
    torch.manual_seed(1)
    blank = cutout(CLIPS, 3) == 0
    assert torch.equal(blank, blank[:1, :, :1].expand_as(blank))
    assert all(4 <= int(clip[0, 0].sum()) <= 9 for clip in blank.unbind(1))


def test_a_quarter_turn_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    square = torch.arange(1.0, 37).view(1, 1, 1, 6, 6)
    monkeypatch.setattr(torch, "rand", lambda *_: torch.ones(2, 1))
    assert torch.equal(random_affine(square, 90, 0), torch.rot90(square, 1, (-2, -1)))


def test_a_slant_keeps_whole_numbers_and_the_middle() -> None:
    torch.manual_seed(3)
    slanted = random_affine(CLIPS, 0, 30)
    assert set(slanted.flatten().tolist()) <= {0.0, *CLIPS.flatten().tolist()}
    assert not torch.equal(slanted, CLIPS)


def test_the_same_draw_varies_in_the_same_way() -> None:
    options = AugmentOptions(shift=1, flip=True, cutout=2, rotate=15, shear=10)
    torch.manual_seed(5)
    once = augment(CLIPS, options)
    torch.manual_seed(5)
    assert torch.equal(augment(CLIPS, options), once)
