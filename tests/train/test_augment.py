import torch

from pumice.train.augment import shifted


def clip() -> torch.Tensor:
    return torch.rand(3, 20, 2, 7, 6, generator=torch.Generator().manual_seed(0)) + 0.1


def test_no_shift_gives_the_clip_itself() -> None:
    given = clip()
    assert shifted(given, 0) is given


def test_every_clip_is_moved_by_one_draw_for_all_its_steps_with_zeros_coming_in() -> None:
    given = clip()
    torch.manual_seed(1)
    moved = shifted(given, 2)
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
        results.append(shifted(clip(), 3))
    assert torch.equal(*results)
