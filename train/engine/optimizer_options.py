"""Options of optimizers, learning rate schedules and weight averaging. Imports no torch."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from ...runtime.config import Options

Fraction = Annotated[float, Field(ge=0, lt=1)]


class OptimizerOptions(Options):
    """An optimizer of torch; `lr` and `weight_decay` stand in `[training]`.

    - `decay_all`: decay biases and batch norm parameters too, not only the weights of synapses.
    """

    decay_all: bool = True


class SgdOptions(OptimizerOptions):
    """Stochastic gradient descent; weight decay is an L2 term of the gradient.

    - `name`: optimizer.
    - `momentum`: factor of the velocity.
    - `nesterov`: Nesterov momentum.
    """

    name: Literal["sgd"] = "sgd"
    momentum: Fraction = 0.9
    nesterov: bool = False


class AdamOptions(OptimizerOptions):
    """An optimizer with two moments of the gradient.

    - `name`: optimizer; "adamw" decouples weight decay from the gradient, the others add an L2 term
      to it.
    - `beta1`, `beta2`: decay of the first and of the second moment.
    - `eps`: added to the denominator.
    """

    name: Literal["adamw", "adam", "nadam", "radam"] = "adamw"
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: float = Field(default=1e-8, gt=0)


class RmspropOptions(OptimizerOptions):
    """RMSprop; weight decay is an L2 term of the gradient.

    - `name`: optimizer.
    - `alpha`: decay of the mean square of the gradient.
    - `momentum`: factor of the velocity.
    - `eps`: added to the denominator.
    """

    name: Literal["rmsprop"] = "rmsprop"
    alpha: Fraction = 0.99
    momentum: Fraction = 0.0
    eps: float = Field(default=1e-8, gt=0)


class OneCycleOptions(Options):
    """One cycle (Smith and Topin, arXiv 1708.07120): up to `training.lr`, then down, by cosines.

    - `name`: schedule.
    - `rise`: fraction of the steps that increase the learning rate.
    - `initial_divisor`: `training.lr` over the first learning rate.
    - `final_divisor`: the first learning rate over the last.
    """

    name: Literal["one_cycle"] = "one_cycle"
    rise: float = Field(default=0.3, gt=0, lt=1)
    initial_divisor: float = Field(default=25.0, ge=1)
    final_divisor: float = Field(default=1e4, ge=1)


class WarmupOptions(Options):
    """Linear warm-up at the start of a schedule.

    - `warmup_epochs`: epochs over which the learning rate rises to `training.lr`; fractions count.
    - `warmup_lr`: learning rate of the first step of the warm-up.
    """

    warmup_epochs: float = Field(default=0.0, ge=0)
    warmup_lr: float = Field(default=0.0, ge=0)


class ConstantOptions(WarmupOptions):
    """A constant learning rate. A run with it can be extended by more epochs.

    - `name`: schedule.
    """

    name: Literal["constant"] = "constant"


class AnnealingOptions(WarmupOptions):
    """A learning rate that falls after the warm-up, at each step, along half a cosine or a line.

    - `name`: schedule.
    - `min_lr`: learning rate at the end.
    """

    name: Literal["cosine", "linear"] = "cosine"
    min_lr: float = Field(default=0.0, ge=0)


class StepOptions(WarmupOptions):
    """A learning rate that is multiplied by a factor every so many epochs, or at given ones.

    A run with it can be extended by more epochs.

    - `name`: schedule.
    - `every`: epochs between two changes.
    - `milestones`: epochs at which it changes instead, counted from 0.
    - `factor`: the factor.
    """

    name: Literal["step"] = "step"
    every: int = Field(default=30, ge=1)
    milestones: tuple[Annotated[int, Field(ge=0)], ...] = ()
    factor: float = Field(default=0.1, gt=0, le=1)


class EmaOptions(Options):
    """Exponential moving average of weights and batch norm statistics.

    - `name`: average.
    - `decay`: fraction of the average that an optimizer step keeps.
    - `start_epoch`: epoch from which weights are averaged, counted from 0.
    """

    name: Literal["ema"] = "ema"
    decay: float = Field(default=0.999, gt=0, lt=1)
    start_epoch: int = Field(default=0, ge=0)


class SwaOptions(Options):
    """Equal average of the weights after each epoch (SWA, arXiv 1803.05407).

    - `name`: average.
    - `start_epoch`: epoch from which weights are averaged, counted from 0.
    """

    name: Literal["swa"] = "swa"
    start_epoch: int = Field(default=0, ge=0)


def _name_of(default: str) -> Discriminator:
    def name(table: Any) -> Any:
        return (
            table.get("name", default) if isinstance(table, dict) else getattr(table, "name", None)
        )

    return Discriminator(name)


def _as_table(value: Any) -> Any:
    """A name alone, such as "cosine", is a table with that name."""
    return {"name": value} if isinstance(value, str) else value


OptimizerUnion = Annotated[
    Annotated[AdamOptions, Tag("adamw")]
    | Annotated[AdamOptions, Tag("adam")]
    | Annotated[AdamOptions, Tag("nadam")]
    | Annotated[AdamOptions, Tag("radam")]
    | Annotated[SgdOptions, Tag("sgd")]
    | Annotated[RmspropOptions, Tag("rmsprop")],
    _name_of("adamw"),
]
ScheduleUnion = Annotated[
    Annotated[OneCycleOptions, Tag("one_cycle")]
    | Annotated[ConstantOptions, Tag("constant")]
    | Annotated[AnnealingOptions, Tag("cosine")]
    | Annotated[AnnealingOptions, Tag("linear")]
    | Annotated[StepOptions, Tag("step")],
    _name_of("one_cycle"),
]
AveragingUnion = Annotated[
    Annotated[EmaOptions, Tag("ema")] | Annotated[SwaOptions, Tag("swa")], _name_of("ema")
]
Optimizer = Annotated[
    OptimizerUnion,
    BeforeValidator(
        _as_table,
        json_schema_input_type=OptimizerUnion
        | Literal["adamw", "adam", "nadam", "radam", "sgd", "rmsprop"],
    ),
]
Schedule = Annotated[
    ScheduleUnion,
    BeforeValidator(
        _as_table,
        json_schema_input_type=ScheduleUnion
        | Literal["one_cycle", "constant", "cosine", "linear", "step"],
    ),
]
Averaging = Annotated[
    AveragingUnion,
    BeforeValidator(_as_table, json_schema_input_type=AveragingUnion | Literal["ema", "swa"]),
]
