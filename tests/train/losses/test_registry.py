import math

import pytest
import torch

from pumice.train.losses.options import LossOptions
from pumice.train.losses.registry import compute_losses, make_projection_head


def test_losses_are_weighted_and_named() -> None:
    options = LossOptions.model_validate({"cross_entropy": {}, "etc": {"weight": 2.0}})
    logits = torch.randn(3, 4, 5)
    labels = torch.tensor([0, 1, 2, 3])
    single = LossOptions.model_validate({"etc": {}})
    losses = compute_losses(options, logits, labels, logits)
    assert list(losses) == ["cross_entropy", "etc"]
    assert math.isclose(
        float(losses["etc"]), 2 * float(compute_losses(single, logits, labels, logits)["etc"])
    )


def test_cross_entropy_alone_is_the_default() -> None:
    logits = torch.zeros(2, 1, 2)
    assert list(compute_losses(LossOptions(), logits, torch.tensor([0]), logits)) == [
        "cross_entropy"
    ]


def test_stcl_needs_two_views_and_has_the_loss_of_tcl() -> None:
    both = [LossOptions.model_validate({name: {}}) for name in ("tcl", "stcl")]
    assert [o.num_views for o in both] == [1, 2]
    projected = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 0, 1])
    one, two = (next(iter(compute_losses(o, projected, labels, projected).values())) for o in both)
    assert torch.equal(one, two)
    assert make_projection_head(both[0], 20)(torch.zeros(3, 4, 20)).shape == (3, 4, 128)


def test_tcl_and_stcl_together_are_an_error() -> None:
    with pytest.raises(ValueError, match="choose one"):
        LossOptions.model_validate({"tcl": {}, "stcl": {}})
