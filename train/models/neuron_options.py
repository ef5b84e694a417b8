"""Options of the neurons of a network: table `[network.neuron]` of a recipe. Imports no torch."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ...runtime.config import Options

if TYPE_CHECKING:
    from ..nn.neuron import NeuronConfig

Surrogate = Literal["triangle", "rectangle", "atan", "fast_sigmoid"]
Reset = Literal["zero", "subtract", "adaptive"]
NeuronKind = Literal["cuba", "sigma_delta"]
OF_NETWORK = ("kind", "input_threshold")  # options that layers do not set for themselves
OF_ADAPTATION = ("threshold_step", "threshold_decay", "refractory_decay")
OF_SPIKES = ("current_decay", "voltage_decay", "surrogate", "reset", *OF_ADAPTATION)
LearnedParameter = Literal["current_decay", "voltage_decay", "threshold"]


class NeuronOptions(Options):
    """Neurons of a network: leaky integrate-and-fire, or sigma-delta.

    - `kind`: cuba for leaky integrate-and-fire neurons; sigma_delta for neurons that add up changes
      and send those of their rectified sum, in networks of kinds conv, layers, vggsnn and vgg9
      without recurrence, max pooling and logic gates.
    - `weight_bits`: bits of quantized weights of projections into these neurons and the read-out.
    - `current_decay`: fraction of the synaptic current lost per step.
    - `voltage_decay`: fraction of the voltage lost per step.
    - `threshold`: voltage at which a neuron spikes; of sigma-delta neurons the change that is sent.
    - `input_threshold`: change of an input value that is sent, of sigma-delta networks.
    - `surrogate`: surrogate derivative of the spike.
    - `reset`: what a spike does to the voltage: zero sets it to zero, subtract subtracts the
      threshold (a soft reset), adaptive keeps it and raises the threshold (ALIF).
    - `threshold_step`: raise of an adaptive threshold by a spike, as a fraction of the threshold.
    - `threshold_decay`: fraction of the raise lost per step.
    - `refractory_decay`: fraction lost per step of the refractory value, to which a spike of an
      adaptive threshold adds twice the threshold.
    - `learn`: parameters that are learned, one value for each layer, from these as initial values.
    """

    kind: NeuronKind = "cuba"
    weight_bits: int = Field(default=8, ge=4, le=8)
    current_decay: float = Field(default=1.0, ge=0, le=1)
    voltage_decay: float = Field(default=0.5, ge=0, le=1)
    threshold: float = Field(default=1.0, gt=0)
    input_threshold: float = Field(default=0.0, ge=0)
    surrogate: Surrogate = "triangle"
    reset: Reset = "zero"
    threshold_step: float = Field(default=0.1, ge=0, le=1)
    threshold_decay: float = Field(default=0.1, ge=0, le=1)
    refractory_decay: float = Field(default=0.5, ge=0, le=1)
    learn: tuple[LearnedParameter, ...] = ()

    @model_validator(mode="after")
    def _check_kind(self) -> "NeuronOptions":
        fields = type(self).model_fields
        given = [name for name in OF_SPIKES if getattr(self, name) != fields[name].default]
        if self.kind == "sigma_delta" and given:
            raise ValueError(f"{given[0]} is of neurons that spike; leave it out of sigma_delta")
        if self.kind == "sigma_delta" and {*self.learn} - {"threshold"}:
            raise ValueError('learn = ["threshold"] is all that sigma_delta neurons learn')
        adaptive = [name for name in OF_ADAPTATION if name in given]
        if self.reset != "adaptive" and adaptive:
            raise ValueError(f'{adaptive[0]} needs reset = "adaptive"')
        if self.reset == "adaptive" and self.learn:
            raise ValueError(f'reset = "adaptive" learns no {self.learn[0]}; leave out learn')
        if self.kind == "cuba" and self.input_threshold:
            raise ValueError('input_threshold needs kind = "sigma_delta"')
        return self

    @property
    def config(self) -> "NeuronConfig":
        """The neuron model of a layer, decays quantized to 12 bits."""
        from ...convert.quantize.scales import quantize_decay
        from ..nn.neuron import NeuronConfig

        decays = quantize_decay(self.current_decay), quantize_decay(self.voltage_decay)
        if self.reset != "adaptive":
            return NeuronConfig(*decays, self.surrogate, reset=self.reset)
        return NeuronConfig(
            *decays,
            self.surrogate,
            reset=self.reset,
            threshold_step=self.threshold_step,
            threshold_decay=quantize_decay(self.threshold_decay),
            refractory_decay=quantize_decay(self.refractory_decay),
        )
