import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from pumice.train.ssl.options import PredNextOptions
from pumice.train.ssl.prednext import (
    PredictionTargets,
    PredNext,
    temporal_consistency_error,
)

TIMESTEPS, SAMPLES, WIDTH = 5, 4, 3


def features(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(
        2, TIMESTEPS, SAMPLES, WIDTH, dtype=torch.double, generator=generator
    )
    return first, second


def make_module(**options: object) -> PredNext:
    torch.manual_seed(0)
    chosen = PredNextOptions.model_validate({"weight": 0.5, "hidden": 7, **options})
    return PredNext(chosen, WIDTH).double()


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b).div(a.norm() * b.norm())


def published_loss(
    module: PredNext, inputs: tuple[Tensor, Tensor], later: tuple[Tensor, Tensor]
) -> dict[str, float]:
    """The paper's sums, written out: Q over steps and M, half of each for each view."""
    interval, totals = module.options.interval, {"step": 0.0, "clip": 0.0}
    for i, j in ((0, 1), (1, 0)):
        j = j if module.options.cross_view else i
        assert module.step is not None and module.clip is not None
        before = inputs[i][: TIMESTEPS - interval]
        predicted = module.step(before.reshape(-1, WIDTH)).reshape(before.shape)
        for t in range(TIMESTEPS - interval):
            for n in range(SAMPLES):
                term = cosine(predicted[t, n], inputs[j][t + interval, n])
                totals["step"] -= 0.5 * float(term) / SAMPLES
        clip = module.clip(inputs[i].mean(dim=0))
        for n in range(SAMPLES):
            totals["clip"] -= 0.5 * float(cosine(clip[n], later[j][n])) / SAMPLES
    return totals


@torch.no_grad()
@pytest.mark.parametrize("cross_view", [True, False])
@pytest.mark.parametrize("interval", [1, 3])
def test_the_loss_is_its_published_sum(cross_view: bool, interval: int) -> None:
    module = make_module(cross_view=cross_view, interval=interval, reduction="sum")
    inputs, later = features(1), (features(2)[0][0], features(2)[1][0])
    expected = published_loss(module, inputs, later)
    assert float(module(inputs, PredictionTargets(inputs, later))) == pytest.approx(
        sum(expected.values())
    )
    module.options = module.options.model_copy(update={"reduction": "mean"})
    mean = expected["step"] / (TIMESTEPS - interval) + expected["clip"]
    assert float(module(inputs, PredictionTargets(inputs, later))) == pytest.approx(mean)


@torch.no_grad()
def test_step_and_clip_prediction_can_be_disabled() -> None:
    inputs, later = features(1), (features(2)[0][0], features(2)[1][0])
    combined = make_module()
    step, clip = make_module(clip=False), make_module(step=False)
    assert step.step is not None and clip.clip is not None and combined.step and combined.clip
    step.step.load_state_dict(combined.step.state_dict())
    clip.clip.load_state_dict(combined.clip.state_dict())
    parts = float(step(inputs, PredictionTargets(inputs, None))) + float(
        clip(inputs, PredictionTargets(inputs, later))
    )
    assert parts == pytest.approx(float(combined(inputs, PredictionTargets(inputs, later))))
    assert not step.options.needs_later_clip and clip.options.needs_later_clip


def test_targets_are_detached() -> None:
    module, inputs = make_module(), features(1)
    steps = tuple(z.clone().requires_grad_() for z in features(3))
    later = tuple(z[0].clone().requires_grad_() for z in features(2))
    own = tuple(z.clone().requires_grad_() for z in inputs)
    module(own, PredictionTargets(steps, later)).backward()  # type: ignore[arg-type]
    assert all(z.grad is None for z in (*steps, *later))
    assert all(z.grad is not None and z.grad.abs().sum() > 0 for z in own)


def test_a_feature_has_a_gradient_as_source_not_as_target() -> None:
    # Where views are their own targets, the last step predicts nothing, so nothing reaches it.
    module = make_module(clip=False)
    own = tuple(z.clone().requires_grad_() for z in features(1))
    module(own, PredictionTargets(own, None)).backward()  # type: ignore[arg-type]
    assert all(z.grad is not None and not z.grad[-1].any() and z.grad[0].any() for z in own)


def test_the_predictors_are_two_layers_with_batch_norm() -> None:
    module = make_module()
    assert module.step is not None
    kinds = [type(layer) for layer in module.step]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert module.step[0].bias is None and module.step[0].out_features == 7


def test_the_temporal_consistency_error_equals_its_published_double_sum() -> None:
    inputs, total = features(4)[0], 0.0
    for n in range(SAMPLES):
        for t in range(TIMESTEPS):
            for s in range(TIMESTEPS):
                total += float(1 - cosine(inputs[t, n], inputs[s, n])) if s != t else 0.0
    expected = total / (SAMPLES * TIMESTEPS * (TIMESTEPS - 1))
    assert float(temporal_consistency_error(inputs)) == pytest.approx(expected, rel=1e-12)


def test_the_temporal_consistency_error_by_hand() -> None:
    still = torch.ones(3, 2, 4)
    assert float(temporal_consistency_error(still)) == pytest.approx(0, abs=1e-6)
    turning = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert float(temporal_consistency_error(turning)) == 1.0
    assert float(temporal_consistency_error(still[:1])) == 0.0


def test_a_weight_without_predictors_is_an_error() -> None:
    with pytest.raises(ValidationError, match="step and clip are both off"):
        PredNextOptions(weight=0.5, step=False, clip=False)
