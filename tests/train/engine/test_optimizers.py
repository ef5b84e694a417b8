import math
from typing import Any

import pytest
import torch

from pumice.train.engine.optimizers import lr_factor, make_optimizer, make_schedule
from pumice.train.engine.training_config import TrainingOptions


def options(**settings: Any) -> TrainingOptions:
    return TrainingOptions.model_validate({"epochs": 10, "qat_epochs": 0, "lr": 0.1, **settings})


def test_a_name_alone_is_a_table_with_the_defaults() -> None:
    for name in ("adamw", "adam", "nadam", "radam", "sgd", "rmsprop"):
        assert options(optimizer=name) == options(optimizer={"name": name})
        assert options(optimizer=name).optimizer.name == name
    assert options(schedule="step") == options(schedule={"name": "step"})
    assert options().optimizer.name == "adamw" and options().schedule.name == "one_cycle"


def test_options_of_another_optimizer_are_an_error() -> None:
    with pytest.raises(ValueError, match="beta1"):
        options(optimizer={"name": "sgd", "beta1": 0.9})


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        # 100 steps, 10 an epoch: warm-up over 20 steps from 0.01 of the rate.
        (
            {"name": "cosine", "warmup_epochs": 2, "warmup_lr": 0.001, "min_lr": 0.01},
            {0: 0.01, 10: 0.505, 20: 1.0, 60: 0.55, 100: 0.1},
        ),
        ({"name": "cosine"}, {0: 1.0, 25: (1 + math.sqrt(0.5)) / 2, 50: 0.5, 100: 0.0}),
        ({"name": "linear", "min_lr": 0.02}, {0: 1.0, 50: 0.6, 75: 0.4}),
        ({"name": "step", "every": 3, "factor": 0.5}, {29: 1.0, 30: 0.5, 60: 0.25, 99: 0.125}),
        ({"name": "step", "milestones": [2, 5]}, {19: 1.0, 20: 0.1, 50: 0.01}),
        ({"name": "constant", "warmup_epochs": 0.5}, {0: 0.0, 1: 0.2, 5: 1.0, 99: 1.0}),
    ],
)
def test_schedules_give_hand_worked_learning_rates(
    schedule: dict[str, Any], factors: dict[int, float]
) -> None:
    for step, factor in factors.items():
        found = lr_factor(options(schedule=schedule), 100, step)
        assert math.isclose(found, factor, abs_tol=1e-12), step


def test_the_first_steps_follow_the_schedule() -> None:
    chosen = options(optimizer="sgd", schedule={"name": "cosine", "warmup_epochs": 1})
    optimizer = make_optimizer(chosen, torch.nn.Linear(2, 2))
    schedule = make_schedule(chosen, optimizer, 100)
    assert schedule is not None
    rates = []
    for _ in range(3):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.0, 0.01, 0.02])
    assert make_schedule(options(schedule="constant"), optimizer, 100) is None


def test_sgd_with_momentum_gives_hand_worked_weights() -> None:
    """The velocity: v = g + decay w, then v = 0.9 v + g + decay w; w -= lr v."""
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(module.weight, 2.0)
    chosen = options(optimizer={"name": "sgd", "momentum": 0.9}, weight_decay=0.5)
    optimizer = make_optimizer(chosen, module)
    for _ in range(2):
        module.weight.grad = torch.ones(1, 1)
        optimizer.step()
    # w1 = 2 - 0.1 * 2 = 1.8; v2 = 1.8 + 1 + 0.9 = 3.7; w2 = 1.8 - 0.37.
    assert math.isclose(module.weight.item(), 1.43, rel_tol=1e-6)


def test_biases_and_norms_may_be_left_out_of_the_decay() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    chosen = options(optimizer={"name": "sgd", "decay_all": False}, weight_decay=0.5)
    groups = make_optimizer(chosen, module).param_groups
    assert [(len(g["params"]), g["weight_decay"]) for g in groups] == [(1, 0.5), (3, 0.0)]
    (group,) = make_optimizer(options(weight_decay=0.5), module).param_groups
    assert len(group["params"]) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": {"name": "cosine", "warmup_epochs": 10}}, "warmup_epochs is 10, but there"),
        ({"averaging": {"name": "swa", "start_epoch": 10}}, "start_epoch is 10, but there are 10"),
        ({"patience": 2}, "patience = 2 needs validation samples"),
    ],
)
def test_impossible_settings_are_errors(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**settings)
