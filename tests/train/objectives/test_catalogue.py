import math

import torch

from pumice.train.objectives.catalogue import ObjectiveOptions, losses


def test_objectives_are_weighted_and_named() -> None:
    options = ObjectiveOptions.model_validate({"cross_entropy": {}, "etc": {"weight": 2.0}})
    logits = torch.randn(3, 4, 5)
    labels = torch.tensor([0, 1, 2, 3])
    single = ObjectiveOptions.model_validate({"etc": {}})
    found = losses(options, logits, labels)
    assert list(found) == ["cross_entropy", "etc"]
    assert math.isclose(float(found["etc"]), 2 * float(losses(single, logits, labels)["etc"]))


def test_cross_entropy_alone_is_the_default() -> None:
    assert list(losses(ObjectiveOptions(), torch.zeros(2, 1, 2), torch.tensor([0]))) == [
        "cross_entropy"
    ]
