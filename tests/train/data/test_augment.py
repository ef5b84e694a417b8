import numpy as np
import pytest
import torch

from pumice.train.data.augment import (
    augment,
    cutout,
    mask_spectra,
    random_affine,
    random_flip,
    random_shift,
    warp_spectra,
)
from pumice.train.data.augment_options import AugmentOptions


def clip() -> torch.Tensor:
    return torch.rand(3, 20, 2, 7, 6, generator=torch.Generator().manual_seed(0)) + 0.1


def test_no_shift_returns_the_same_tensor() -> None:
    clips = clip()
    assert random_shift(clips, 0) is clips


def test_each_clip_is_shifted_equally_at_all_timesteps_with_zero_padding() -> None:
    clips = clip()
    torch.manual_seed(1)
    shifted = random_shift(clips, 2)
    shifts = set()
    for sample in range(20):
        matches = []
        for down in range(-2, 3):
            for right in range(-2, 3):
                expected = torch.zeros_like(clips[:, sample])
                rows = slice(max(-down, 0), 7 - max(down, 0))
                columns = slice(max(-right, 0), 6 - max(right, 0))
                from_rows = slice(max(down, 0), 7 - max(-down, 0))
                from_columns = slice(max(right, 0), 6 - max(-right, 0))
                expected[..., rows, columns] = clips[:, sample, :, from_rows, from_columns]
                if torch.equal(shifted[:, sample], expected):
                    matches.append((down, right))
        assert len(matches) == 1
        shifts.add(matches[0])
    assert len(shifts) > 5


def test_shifts_depend_on_the_seed_only() -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(random_shift(clip(), 3))
    assert torch.equal(*results)


CLIPS = torch.arange(1.0, 1 + 3 * 4 * 2 * 6 * 8).view(3, 4, 2, 6, 8)


def test_default_options_return_the_same_tensor() -> None:
    assert augment(CLIPS, AugmentOptions()) is CLIPS


def test_each_clip_is_flipped_at_all_timesteps_or_none() -> None:
    torch.manual_seed(0)
    for clip, flipped in zip(CLIPS.unbind(1), random_flip(CLIPS).unbind(1), strict=True):
        assert torch.equal(flipped, clip) or torch.equal(flipped, clip.flip(-1))
    torch.manual_seed(0)
    assert 0 < sum(torch.equal(random_flip(CLIPS), CLIPS) for _ in range(40)) < 40


def test_cutout_zeroes_one_square_at_all_timesteps() -> None:
    torch.manual_seed(1)
    zeroed = cutout(CLIPS, 3) == 0
    assert torch.equal(zeroed, zeroed[:1, :, :1].expand_as(zeroed))
    assert all(4 <= int(clip[0, 0].sum()) <= 9 for clip in zeroed.unbind(1))


def test_a_rotation_by_90_degrees_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    square = torch.arange(1.0, 37).view(1, 1, 1, 6, 6)
    monkeypatch.setattr(torch, "rand", lambda *_: torch.ones(2, 1))
    assert torch.equal(random_affine(square, 90, 0), torch.rot90(square, 1, (-2, -1)))


def test_shear_keeps_values_integer() -> None:
    torch.manual_seed(3)
    sheared = random_affine(CLIPS, 0, 30)
    assert set(sheared.flatten().tolist()) <= {0.0, *CLIPS.flatten().tolist()}
    assert not torch.equal(sheared, CLIPS)


def test_augmentation_depends_on_the_seed_only() -> None:
    options = AugmentOptions(shift=1, flip=True, cutout=2, rotate=15, shear=10)
    torch.manual_seed(5)
    first = augment(CLIPS, options)
    torch.manual_seed(5)
    assert torch.equal(augment(CLIPS, options), first)


def test_masks_blank_neighboring_bands_and_windows() -> None:
    torch.manual_seed(0)
    clips = torch.ones(4, 200, 1, 6, 5)
    rows = mask_spectra(clips, 3, 0)[:, :, 0]
    blank = (rows == 0).all(dim=-1).all(dim=0)  # (batch, rows)
    assert torch.equal(rows == 0, blank[None, :, :, None].expand(4, -1, -1, 5))
    assert sorted(set(blank.sum(dim=1).tolist())) == [0, 1, 2, 3]
    assert (blank.int().diff(dim=1).abs().sum(dim=1) <= 2).all() and blank.any(dim=0).all()
    columns = mask_spectra(clips, 0, 7)[:, :, 0, 0].transpose(0, 1).reshape(200, 20) == 0
    assert sorted(set(columns.sum(dim=1).tolist())) == list(range(8))
    assert (columns.int().diff(dim=1).abs().sum(dim=1) <= 2).all() and columns.any(dim=0).all()


def test_spectra_are_warped_along_both_axes_by_factors_within_the_limits() -> None:
    generator = torch.Generator().manual_seed(3)
    clips = torch.randint(0, 256, (2, 50, 2, 6, 5), generator=generator).float()
    torch.manual_seed(4)
    warped = warp_spectra(clips, 0.5, 0.25, 255)
    torch.manual_seed(4)
    draws = 2 * torch.rand(2, 50).numpy() - 1
    stretch, scale = np.exp(draws[0] * np.log(1.25)), np.exp(draws[1] * np.log(1.5))
    assert 0.8 <= stretch.min() < 0.85 and 1.4 < scale.max() <= 1.5
    for k in range(50):
        spectrum = clips[:, k, 1].permute(1, 0, 2).reshape(6, 10).numpy()
        rows = [np.interp(np.arange(6) * scale[k], range(6), column) for column in spectrum.T]
        moments = np.arange(10) * stretch[k]
        both = np.array([np.interp(moments, range(10), row) for row in np.array(rows).T])
        result = warped[:, k, 1].permute(1, 0, 2).reshape(6, 10).numpy()
        assert np.abs(result - both).max() <= 0.501  # rounded
    binary = warp_spectra((clips > 99).float(), 0.5, 0.25, 1)
    assert set(binary.flatten().tolist()) == {0.0, 1.0}
    assert warp_spectra(clips, 0.0, 0.0, 255) is clips
    torch.manual_seed(4)
    assert torch.equal(warp_spectra(clips, 0.5, 0.0, 255)[..., 0, :], clips[..., 0, :])
