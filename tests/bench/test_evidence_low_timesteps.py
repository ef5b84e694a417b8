"""Parts of `bench.evidence` that train with labels: samples, tables, claims and the 8-bit ANN."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bench.evidence.accuracy_tables import Tables, make_page, scores_at
from bench.evidence.ann import count_macs, quantize
from bench.evidence.beds import BEDS, draw_fold, draw_samples
from bench.evidence.cells import DONE, Cell, CellResult, Context, pack_bits
from bench.evidence.low_timesteps import LOSSES, PUBLISHED, list_cells
from pumice.train.data import Dataset, FrameSet


def number_samples(count: int) -> FrameSet:
    """Samples that hold their own number, of two classes in turn."""
    values = np.arange(count, dtype=np.uint8).reshape(1, count, 1, 1, 1)
    return FrameSet(values, np.arange(count) % 2)


def numbers(samples: FrameSet | None) -> set[int]:
    assert samples is not None
    return set(samples.events.ravel().tolist())


def test_every_sample_is_in_one_fold() -> None:
    samples = number_samples(60)
    data = Dataset("numbers", samples[:40], samples[40:], 2, "")
    folds = [draw_fold(data, 3, fold) for fold in range(3)]
    assert set.union(*(numbers(each.test) for each in folds)) == set(range(60))
    for each in folds:
        assert len(each.test) == 20 and not numbers(each.test) & numbers(each.train)
        assert np.bincount(each.test.labels).tolist() == [10, 10]


def test_training_samples_are_drawn_by_the_seed_and_never_for_validation() -> None:
    samples, bed = number_samples(200), BEDS["fashion-events"]
    data = Dataset("numbers", samples[:150], samples[150:], 2, "")
    small = type(bed)(bed.folder, {}, {}, {}, {}, validation=50)
    drawn = [draw_samples(data, small, {"samples": 60, "fold": 0}, seed) for seed in (0, 0, 1)]
    held_out = numbers(drawn[0].validation)
    assert len(held_out) == 50
    for each in drawn:
        assert numbers(each.validation) == held_out and numbers(each.test) == set(range(150, 200))
        assert len(numbers(each.train)) == 60 and not numbers(each.train) & held_out
    assert numbers(drawn[0].train) == numbers(drawn[1].train) != numbers(drawn[2].train)


def test_cells_compare_all_losses_at_equal_compute(tmp_path: Path) -> None:
    for bed in BEDS.values():
        (tmp_path / bed.folder).mkdir(exist_ok=True)
    cells = list_cells(Context(tmp_path, False, tmp_path), {})
    assert len({cell.key for cell in cells}) == len(cells)
    assert set(PUBLISHED) < set(LOSSES)
    passes = set()
    for cell in cells:
        if cell.settings["bed"] == "fashion-events":
            epochs = cell.settings["recipe"]["training"]["epochs"]
            passes.add(epochs * cell.settings["samples"])
    assert passes == {84_000}
    assert not list_cells(Context(tmp_path / "absent", False, tmp_path), {})


def make_result(name: str, seed: int, correct: np.ndarray) -> CellResult:
    bits = pack_bits(correct)
    values = {"integer": bits, "float": bits, "alone": [0.5, 0.5], "train": [1.0, 1.0],
              "operations": 10.0}  # fmt: skip
    return CellResult(Cell("p", name, {"n": name}, seed), "code", DONE, values)


def test_tables_and_claims_follow_the_samples(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    base = random.random((2, 400)) < np.array([[0.4], [0.8]])
    better = base | (random.random((2, 400)) < np.array([[0.5], [0.0]]))
    worse = base & (random.random((2, 400)) < np.array([[1.0], [0.8]]))
    results = [
        make_result(f"{loss} | bed", seed, correct)
        for seed in range(2)
        for loss, correct in (("CE", base), ("PKD", better), ("ETC", worse))
    ]
    page = make_page(results, Tables(["bed", "absent"], ["ETC"]), tmp_path)
    accuracy, differences = page.tables
    gain = 100 * (better[0].mean() - base[0].mean())
    (pkd,) = (row for row in differences.rows if row[0] == "PKD")
    assert str(pkd[1]).startswith(f"{gain:+.2f} ± ") and pkd[2] == "+0.00 ± 0.00" and pkd[3] == 2
    assert [row[0] for row in accuracy.rows] == ["CE", "PKD", "ETC"]
    verdicts = {claim.claim: claim.verdict for claim in page.claims}
    assert verdicts == {
        "ETC is more accurate than cross-entropy with one timestep": "not reproduced",
        "ETC is more accurate than cross-entropy with all timesteps": "not reproduced",
        "PKD gains 10 points or more with one timestep": "reproduced",
        "PKD loses less than 0.3 points with all timesteps": "reproduced",
        "PKD is above all published losses after every timestep": "reproduced",
    }
    assert (tmp_path / page.figures[0].file).read_bytes().startswith(b"\x89PNG")


def test_folds_are_blocks_of_their_seeds() -> None:
    results = [
        CellResult(Cell("p", "a", {"fold": fold}, seed), "c", DONE,
                   {"integer": pack_bits(np.full((1, 3 + fold), seed == 1))})
        for seed in range(2) for fold in range(2)
    ]  # fmt: skip
    blocks = scores_at(results, 1)
    assert [block.shape for block in blocks] == [(2, 3), (2, 4)]
    assert blocks[1].tolist() == [[0.0] * 4, [100.0] * 4]


def test_the_ann_in_8_bits_keeps_what_it_computes() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.Linear(64, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3),
    )  # fmt: skip
    inputs = torch.rand(50, 2, 8, 8)
    for _ in range(20):
        model(inputs)
    model.eval()
    # 4 x 4 positions of 4 x 2 x 9 weights, then 64 x 8 and 8 x 3.
    assert count_macs(model, (2, 8, 8)) == 16 * 72 + 512 + 24
    expected = model(inputs).detach()
    quantize(model, inputs)
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in model)
    error = (model(inputs).detach() - expected).abs().max() / expected.abs().max()
    assert 0 < float(error) < 0.05
    weights = next(model.parameters()).detach()
    steps = weights / (weights.flatten(1).abs().amax(dim=1) / 127).view(-1, 1, 1, 1)
    assert torch.allclose(steps, steps.round(), atol=1e-3)


@pytest.mark.parametrize("name", BEDS)
def test_recipes_of_the_beds_are_valid(name: str, tmp_path: Path) -> None:
    from bench.evidence.beds import make_settings
    from pumice.train import Recipe

    for regime in BEDS[name].regimes:
        for loss in LOSSES.values():
            Recipe.model_validate(make_settings(name, regime, loss)["recipe"])
