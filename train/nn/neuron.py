"""Leaky integrate-and-fire neurons over many timesteps, with surrogate gradients.

The forward pass in integers is `pumice.runtime.arithmetic`, bit for bit; in floats it is the same
neuron model without rounding. The backward pass is back-propagation through time with a surrogate
derivative of the spike, a detached reset and a straight-through estimate of all rounding. The
kernels of each device are in `lif_ops`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...runtime.arithmetic import ALIGN_BITS, DECAY_ONE
from .lif_ops import lif_backward, lif_forward

Surrogate = Literal["triangle", "rectangle", "atan", "fast_sigmoid"]


@dataclass(frozen=True)
class NeuronConfig:
    """Neuron model of a layer: current-based leaky integrate-and-fire, or an integrator.

    Attributes:
        current_decay: Fraction of the current lost per step, in 1/4096.
        voltage_decay: Fraction of the voltage lost per step, in 1/4096.
        surrogate: Derivative of the spike by x = voltage / threshold - 1, 1 at x = 0: "triangle"
            max(0, 1 - |x|) (ETC), "rectangle" 1 for |x| < 1/2, "atan" 1 / (1 + (pi x)^2),
            "fast_sigmoid" 1 / (1 + 2 |x|)^2.
        spiking: False for an integrator, which outputs its voltage.
        reset: What a spike does to the voltage: "zero" sets it to zero, "subtract" subtracts the
            threshold (a soft reset), "adaptive" keeps it: the threshold rises (`alif`).
        threshold_step: Raise of an adaptive threshold by a spike, as a fraction of the threshold.
        threshold_decay: Fraction of the raise lost per step, in 1/4096.
        refractory_decay: Fraction of the refractory value lost per step, in 1/4096.
    """

    current_decay: int = DECAY_ONE
    voltage_decay: int = DECAY_ONE // 2
    surrogate: Surrogate = "triangle"
    spiking: bool = True
    reset: Literal["zero", "subtract", "adaptive"] = "zero"
    threshold_step: float = 0.0
    threshold_decay: int = DECAY_ONE
    refractory_decay: int = DECAY_ONE

    @property
    def soft(self) -> bool:
        """True where a spike subtracts the threshold."""
        return self.reset == "subtract"

    @property
    def adaptive(self) -> bool:
        """True where a spike raises the threshold."""
        return self.reset == "adaptive"

    def threshold_rise(self, threshold: float) -> float:
        """Rise of an adaptive threshold at a spike, in float units."""
        return self.threshold_step * threshold


def lif(
    activation: Tensor, bias: Tensor, threshold: float, neuron: NeuronConfig, integers: bool
) -> Tensor:
    """Run a layer of neurons over all timesteps.

    Args:
        activation: Input of the neurons, (timesteps, batch, *shape).
        bias: Added to the voltage each step; broadcasts to `shape`.
        threshold: Firing threshold.
        neuron: Neuron model, without an adaptive threshold, see `alif`.
        integers: Integer arithmetic. `activation` and `threshold` then hold integers in weight
            units, `bias` and voltages in 1/64 of them, all in floating-point tensors.

    Returns:
        Spikes (0 or 1), or the voltages of an integrator, at every timestep.

    Raises:
        EngineError: Integers are asked for, but the activation is not near integers.
    """
    unit = float(1 << ALIGN_BITS) if integers else 1.0
    level = max(threshold * unit, 1e-30) if neuron.spiking else 1.0
    return run_forward(activation, bias, level, neuron, integers)[0]


def run_forward(
    activation: Tensor,
    bias: Tensor,
    threshold: float | Tensor,
    neuron: NeuronConfig,
    integers: bool,
) -> tuple[Tensor, Tensor]:
    """Outputs, with gradients, and voltages before the reset, (timesteps, batch, *shape).

    `threshold`, a number or a tensor of no dimension on the CPU, is in 1/64 weight units where
    `integers`.
    """
    if not isinstance(threshold, Tensor):
        threshold = torch.tensor(threshold, dtype=activation.dtype, device="cpu")
    result: tuple[Tensor, Tensor] = lif_forward(
        activation,
        bias,
        threshold,
        (neuron.current_decay, neuron.voltage_decay),
        neuron.reset if neuron.spiking else "none",
        integers,
        neuron.surrogate,
        float(1 << ALIGN_BITS) if integers else 1.0,
    )
    return result


def run_backward(
    gradient: Tensor, voltages: Tensor, threshold: float, unit: float, neuron: NeuronConfig
) -> tuple[Tensor, Tensor]:
    """Gradients of the activation and, summed over time, of the bias, from that of the outputs.

    An adaptive threshold keeps the voltage, whose gradient passes as that of a soft reset;
    `voltages` are then those less what the threshold has risen by.
    """
    result: tuple[Tensor, Tensor] = lif_backward(
        gradient,
        voltages,
        torch.tensor(threshold, dtype=voltages.dtype, device="cpu"),
        (neuron.current_decay, neuron.voltage_decay),
        ("subtract" if neuron.adaptive else neuron.reset) if neuron.spiking else "none",
        neuron.surrogate,
        unit,
    )
    return result
