"""Options of the neurons of a network: table `[network.neuron]` of a recipe. Imports no torch."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ...runtime.config import Options

if TYPE_CHECKING:
    from ..nn.neuron import NeuronConfig

Surrogate = Literal["triangle", "rectangle", "atan", "fast_sigmoid"]
Reset = Literal["zero", "subtract"]
LearnedParameter = Literal["current_decay", "voltage_decay", "threshold"]


class NeuronOptions(Options):
    """Leaky integrate-and-fire neurons of a network.

    - `weight_bits`: bits of quantized weights of projections into these neurons and the read-out.
    - `current_decay`: fraction of the synaptic current lost per step.
    - `voltage_decay`: fraction of the voltage lost per step.
    - `threshold`: voltage at which a neuron spikes.
    - `surrogate`: surrogate derivative of the spike.
    - `reset`: what a spike does to the voltage: zero sets it to zero, subtract subtracts the
      threshold (a soft reset).
    - `learn`: parameters that are learned, one value for each layer, from these as initial values.
    """

    weight_bits: int = Field(default=8, ge=4, le=8)
    current_decay: float = Field(default=1.0, ge=0, le=1)
    voltage_decay: float = Field(default=0.5, ge=0, le=1)
    threshold: float = Field(default=1.0, gt=0)
    surrogate: Surrogate = "triangle"
    reset: Reset = "zero"
    learn: tuple[LearnedParameter, ...] = ()

    @property
    def config(self) -> "NeuronConfig":
        """The neuron model of a layer, decays quantized to 12 bits."""
        from ...convert.quantize.scales import quantize_decay
        from ..nn.neuron import NeuronConfig

        decays = quantize_decay(self.current_decay), quantize_decay(self.voltage_decay)
        return NeuronConfig(*decays, self.surrogate, reset=self.reset)
