"""Options of the neurons of a network: table `[network.neuron]` of a recipe. Imports no torch."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ...runtime.config import Options

if TYPE_CHECKING:
    from ..nn.neuron import NeuronConfig

Surrogate = Literal["triangle", "rectangle", "atan", "fast_sigmoid"]
Reset = Literal["zero", "subtract"]
NeuronKind = Literal["cuba", "sigma_delta"]
OF_NETWORK = ("kind", "input_threshold")  # options that layers do not set for themselves
OF_SPIKES = ("current_decay", "voltage_decay", "surrogate", "reset")
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
      threshold (a soft reset).
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
    learn: tuple[LearnedParameter, ...] = ()

    @model_validator(mode="after")
    def _check_kind(self) -> "NeuronOptions":
        fields = type(self).model_fields
        given = [name for name in OF_SPIKES if getattr(self, name) != fields[name].default]
        if self.kind == "sigma_delta" and given:
            raise ValueError(f"{given[0]} is of neurons that spike; leave it out of sigma_delta")
        if self.kind == "sigma_delta" and {*self.learn} - {"threshold"}:
            raise ValueError('learn = ["threshold"] is all that sigma_delta neurons learn')
        if self.kind == "cuba" and self.input_threshold:
            raise ValueError('input_threshold needs kind = "sigma_delta"')
        return self

    @property
    def config(self) -> "NeuronConfig":
        """The neuron model of a layer, decays quantized to 12 bits."""
        from ...convert.quantize.scales import quantize_decay
        from ..nn.neuron import NeuronConfig

        decays = quantize_decay(self.current_decay), quantize_decay(self.voltage_decay)
        return NeuronConfig(*decays, self.surrogate, reset=self.reset)
