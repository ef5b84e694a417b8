"""Options of network, homeostasis and STDP: table `[hrsnn]` of a recipe."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ...runtime.config import Options
from ...runtime.errors import RecipeError
from .distributions import GammaDistribution

Variant = Literal["HoN/HoS", "HeN/HoS", "HoN/HeS", "HeN/HeS"]
VARIANTS: tuple[Variant, ...] = ("HoN/HoS", "HeN/HoS", "HoN/HeS", "HeN/HeS")
SYNAPSE_DISTRIBUTIONS = ("potentiation", "depression", "tau_plus", "tau_minus")
NEURON_DISTRIBUTIONS = ("tau_mem_excitatory", "tau_mem_inhibitory")


class Strengths(Options):
    """Mean sum of the initial weights onto a neuron, by class of synapse; the threshold is 1.

    - `input`: from the input.
    - `ee`: from excitatory to excitatory neurons.
    - `ei`: from excitatory to inhibitory neurons.
    - `ie`: from inhibitory to excitatory neurons.
    - `ii`: from inhibitory to inhibitory neurons.
    """

    input: float = Field(default=2.0, gt=0)
    ee: float = Field(default=1.0, gt=0)
    ei: float = Field(default=1.5, gt=0)
    ie: float = Field(default=1.5, gt=0)
    ii: float = Field(default=0.5, gt=0)


class HrsnnOptions(Options):
    """Recurrent network, distributions of its constants, and learning.

    - `excitatory`, `inhibitory`: number of neurons.
    - `in_degree`, `input_degree`: number of recurrent synapses of each class onto a neuron, and of
      synapses from the input.
    - `length_scale`, `input_length_scale`: lambda of the connection probability, which is
      proportional to exp(-(D / lambda)^2) at distance D in units of the side of the box.
    - `strengths`: mean sum of weights by class.
    - `tau_mem_excitatory`, `tau_mem_inhibitory`: membrane time constants, timesteps.
    - `plastic`: classes of synapses that learn.
    - `learning_rate`: factor of the STDP amplitudes.
    - `potentiation`, `depression`: STDP amplitudes A+ and A-.
    - `tau_plus`, `tau_minus`: time constants of STDP, timesteps.
    - `target_excitatory`, `target_inhibitory`: firing rate of each population that homeostasis
      approaches, spikes per neuron and timestep; by default that of the untrained network.
    - `homeostasis_rate`: gain of homeostasis per batch.
    - `epochs`, `batch_size`: passes over the training samples, and samples per batch.
    - `max_activity`: fraction of a population above which its activity stops the training.
    - `seed`: seed of positions, wiring, weights and constants.
    """

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
    target_excitatory: float | None = Field(default=None, gt=0, lt=1)
    target_inhibitory: float | None = Field(default=None, gt=0, lt=1)
    homeostasis_rate: float = Field(default=0.1, ge=0)
    epochs: int = Field(default=2, ge=0)
    batch_size: int = Field(default=16, ge=1)
    max_activity: float = Field(default=0.6, gt=0, le=1)
    seed: int = Field(default=0, ge=0)


def apply_variant(options: HrsnnOptions, name: Variant) -> HrsnnOptions:
    """Options of one of the four variants: homogeneous (Ho) or heterogeneous (He) distributions.

    N is for neurons, S for synapses. Homogeneous distributions have a `cv` of 0.
    """
    neurons, synapses = name.split("/")
    keys = [*(NEURON_DISTRIBUTIONS if neurons == "HoN" else ())]
    keys += [*(SYNAPSE_DISTRIBUTIONS if synapses == "HoS" else ())]
    return options.model_copy(update={key: getattr(options, key).homogeneous() for key in keys})


def apply_overrides(options: HrsnnOptions, overrides: Mapping[str, float]) -> HrsnnOptions:
    """Replace numbers by keys such as `tau_plus.mean`, and validate the options again.

    Raises `RecipeError` where a key is unknown.
    """
    values = options.model_dump()
    for key, value in overrides.items():
        *tables, last = key.split(".")
        table = values
        for name in tables:
            table = table.get(name, {})
        if last not in table or isinstance(table[last], dict):
            raise RecipeError(f"search.ranges: {key} is not a number of [hrsnn]")
        table[last] = value
    return HrsnnOptions.model_validate(values)
