import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn.functional import normalize

from pumice.train.ssl.losses import (
    barlow_twins,
    byol,
    info_nce,
    negative_cosine,
    nt_xent,
    simsiam,
    vicreg,
)

# Three samples of four dimensions, in double precision.
FIRST, SECOND, THIRD = (
    torch.randn(3, 4, dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    for seed in (1, 2, 3)
)
EAST, NORTH = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def test_simclr_by_hand() -> None:
    # Two samples whose views agree and which are at right angles: of the three others, each anchor
    # has one at similarity 1 and two at 0.
    views = torch.cat([EAST, NORTH])
    expected = -math.log(math.e**2 / (math.e**2 + 2))
    assert float(nt_xent(views, 3 * views, 0.5)) == pytest.approx(expected, rel=1e-6)


def test_simclr_is_its_published_sum() -> None:
    both = torch.cat([FIRST, SECOND])
    total = 0.0
    for i in range(6):
        terms = {k: math.exp(cosine(both[i], both[k]) / 0.3) for k in range(6) if k != i}
        total -= math.log(terms[(i + 3) % 6] / sum(terms.values()))
    assert float(nt_xent(FIRST, SECOND, 0.3)) == pytest.approx(total / 6, rel=1e-12)


def test_moco_by_hand() -> None:
    loss = info_nce(EAST, EAST, NORTH, 1.0)  # the key at similarity 1, the queue's at 0
    assert float(loss) == pytest.approx(-math.log(math.e / (math.e + 1)), rel=1e-6)


def test_moco_is_its_published_sum() -> None:
    total = 0.0
    for q, k in zip(FIRST, SECOND, strict=True):
        right = math.exp(cosine(q, k) / 0.2)
        total -= math.log(right / (right + sum(math.exp(cosine(q, m) / 0.2) for m in THIRD)))
    assert float(info_nce(FIRST, SECOND, THIRD, 0.2)) == pytest.approx(total / 3, rel=1e-12)


def test_simsiam_and_byol_by_hand() -> None:
    # The first view's prediction is right, the second's at right angles to its target.
    predictions, targets = (EAST, EAST), (NORTH, EAST)
    assert float(simsiam(predictions, targets)) == -0.5
    assert float(byol(predictions, targets)) == 2.0


def test_byol_is_the_distance_between_unit_vectors() -> None:
    pairs = ((FIRST, THIRD), (SECOND, FIRST + 1))
    expected = sum((normalize(p) - normalize(z)).square().sum(dim=1).mean() for p, z in pairs)
    predictions, targets = (FIRST, SECOND), (FIRST + 1, THIRD)
    assert float(byol(predictions, targets)) == pytest.approx(float(expected), rel=1e-12)


def test_barlow_twins_by_hand() -> None:
    # Dimensions agree in one view, are opposite in the other: C = [[1, -1], [1, -1]].
    first = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    second = torch.tensor([[2.0, -3.0], [0.0, -1.0]])
    assert float(barlow_twins(first, second, 0.1)) == pytest.approx(0 + 4 + 0.1 * 2, rel=1e-6)


def test_barlow_twins_is_its_published_sum() -> None:
    total = 0.0
    for i in range(4):
        for j in range(4):
            c = cosine(FIRST[:, i] - FIRST[:, i].mean(), SECOND[:, j] - SECOND[:, j].mean())
            total += (1 - c) ** 2 if i == j else 0.05 * c**2
    assert float(barlow_twins(FIRST, SECOND, 0.05)) == pytest.approx(total, rel=1e-12)


def test_vicreg_by_hand() -> None:
    # One view has variance 2 and covariance 2 between its dimensions, the other stands still.
    first = torch.tensor([[1.0, 1.0], [-1.0, -1.0]], dtype=torch.double)
    second = torch.zeros(2, 2, dtype=torch.double)
    still = 1 - math.sqrt(1e-4)
    assert float(vicreg(first, second, 1, 0, 0)) == 1.0
    assert float(vicreg(first, second, 0, 1, 0)) == pytest.approx(still, rel=1e-12)
    assert float(vicreg(first, second, 0, 0, 1)) == pytest.approx(2 * 2**2 / 2, rel=1e-12)


def test_vicreg_is_its_published_sum() -> None:
    total = 25 * float((FIRST - SECOND).square().sum()) / 12
    for z in (FIRST, SECOND):
        covariance = torch.cov(z.T)
        total += 10 * sum(max(0.0, 1 - math.sqrt(float(v) + 1e-4)) for v in covariance.diag()) / 4
        total += (
            2 * sum(float(covariance[i, j]) ** 2 for i in range(4) for j in range(4) if i != j) / 4
        )
    assert float(vicreg(FIRST, SECOND, 25, 10, 2)) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, b: nt_xent(a, b, 0.5),
        lambda a, b: info_nce(a, SECOND, THIRD, 0.5) + info_nce(b, FIRST, SECOND, 0.5),
        lambda a, b: barlow_twins(a, b, 0.1),
        lambda a, b: vicreg(a, 0.1 * b, 25, 25, 1),
        lambda a, b: simsiam((a, b), (SECOND, THIRD)),
        lambda a, b: byol((a, b), (THIRD, SECOND)),
    ],
)
def test_gradients_match_finite_differences(loss) -> None:  # type: ignore[no-untyped-def]
    assert gradcheck(loss, (FIRST.clone().requires_grad_(), THIRD.clone().requires_grad_()))


def test_targets_keys_and_queue_are_detached() -> None:
    prediction, target, queue = (z.clone().requires_grad_() for z in (FIRST, SECOND, THIRD))
    loss = negative_cosine(prediction, target) + info_nce(prediction, target, queue, 0.5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert prediction.grad is not None and target.grad is None and queue.grad is None
