"""What a recipe says about a recurrent network that learns by STDP: table `[hrsnn]`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .distributions import GammaDistribution

Variant = Literal["HoN/HoS", "HeN/HoS", "HoN/HeS", "HeN/HeS"]
VARIANTS: tuple[Variant, ...] = ("HoN/HoS", "HeN/HoS", "HoN/HeS", "HeN/HeS")
SYNAPSE_DISTRIBUTIONS = ("potentiation", "depression", "tau_plus", "tau_minus")
NEURON_DISTRIBUTIONS = ("tau_mem_excitatory", "tau_mem_inhibitory")


class Strengths(BaseModel):
    """The mean sum of the weights into a neuron, by class of synapse, in thresholds of 1.

    Two letters are source and target, `e` excitatory and `i` inhibitory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(default=2.0, gt=0)
    ee: float = Field(default=1.0, gt=0)
    ei: float = Field(default=1.5, gt=0)
    ie: float = Field(default=1.5, gt=0)
    ii: float = Field(default=0.5, gt=0)


class HrsnnOptions(BaseModel):
    """The network, what its constants are drawn from, and how it learns.

    `excitatory`, `inhibitory`: neurons. Each takes `in_degree` recurrent synapses of each class
    and `input_degree` from the input, nearer sources more often: with a distance D, in units of
    the box's side, the odds are exp(-(D / reach)^2), or `input_reach` from the input.
    `membrane_*`: time constants in steps. `potentiation` and `depression` (A+ and A-) times
    `rate`, `tau_plus` and `tau_minus` (steps) are the constants of STDP. `plastic`: the classes
    that learn. `target_rate`: spikes a neuron and step that homeostasis holds, at `homeostasis` a
    batch. `passes` over the training samples, `batch` of them at a time. `runaway`: the share of a
    population that may fire at once before learning is stopped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    excitatory: int = Field(default=240, ge=1)
    inhibitory: int = Field(default=60, ge=1)
    in_degree: int = Field(default=24, ge=1)
    input_degree: int = Field(default=24, ge=1)
    length_scale: float = Field(default=0.4, gt=0)
    input_length_scale: float = Field(default=0.15, gt=0)
    strengths: Strengths = Strengths()
    tau_mem_excitatory: GammaDistribution = GammaDistribution(mean=8.0, cv=0.8)
    tau_mem_inhibitory: GammaDistribution = GammaDistribution(mean=4.0, cv=0.8)
    plastic: tuple[Literal["input", "ee", "ei"], ...] = ("ee", "ei")
    learning_rate: float = Field(default=0.01, gt=0)
    potentiation: GammaDistribution = GammaDistribution(mean=1.0, cv=0.5)
    depression: GammaDistribution = GammaDistribution(mean=0.7, cv=0.5)
    tau_plus: GammaDistribution = GammaDistribution(mean=6.0, cv=0.5)
    tau_minus: GammaDistribution = GammaDistribution(mean=10.0, cv=0.5)
    target_rate: float = Field(default=0.08, gt=0, lt=1)
    homeostasis_rate: float = Field(default=0.1, ge=0)
    epochs: int = Field(default=2, ge=0)
    batch_size: int = Field(default=16, ge=1)
    max_activity: float = Field(default=0.6, gt=0, le=1)
    seed: int = Field(default=0, ge=0)


def apply_variant(options: HrsnnOptions, name: Variant) -> HrsnnOptions:
    """Return `options` as one of the four cells: Ho laws lose their spread, He laws keep it."""
    neurons, synapses = name.split("/")
    narrow = [*(NEURON_DISTRIBUTIONS if neurons == "HoN" else ())]
    narrow += [*(SYNAPSE_DISTRIBUTIONS if synapses == "HoS" else ())]
    return options.model_copy(update={key: getattr(options, key).homogeneous() for key in narrow})
