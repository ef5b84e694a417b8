"""Layers: a linear map, batch norm and neurons, in real numbers or as the chip will compute them.

Tensors are (timesteps, batch, *shape). While a layer is not `quantised` it computes in real
numbers with live batch norm. Once quantised, batch norm's running statistics are frozen and folded,
and the forward pass is the converted network's, integer for integer; gradients pass the rounding.
"""

from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional

from ..convert import rounding
from ..convert.graph import Neurons, Synapses
from ..runtime.errors import NetworkError
from .dynamics import Rule, integrate

Linear = nn.Conv2d | nn.Linear


class Layer(nn.Module):
    """`linear`, then batch norm where asked for, then neurons that follow `rule`.

    Takes values (timesteps, batch, *source shape), whole numbers; gives spikes, or voltages in real
    units where the rule does not spike. A layer of a flat target flattens its source.
    """

    def __init__(self, linear: Linear, rule: Rule, batch_norm: bool, threshold: float = 1.0):
        super().__init__()
        self.linear = linear
        self.rule = rule
        self.threshold = threshold
        self.quantised = False
        kind = nn.BatchNorm2d if isinstance(linear, nn.Conv2d) else nn.BatchNorm1d
        self.norm = kind(linear.weight.shape[0]) if batch_norm else None

    def forward(self, values: Tensor) -> Tensor:
        return self._integers(values) if self.quantised else self._reals(values)

    def _reals(self, values: Tensor) -> Tensor:
        activation = self.mapped(values, self.linear.weight, self.linear.bias)
        if self.norm is not None:
            shape = activation.shape
            activation = self.norm(activation.flatten(0, 1)).view(shape)
        return integrate(activation, activation.new_zeros(()), self.threshold, self.rule, False)

    def _integers(self, values: Tensor) -> Tensor:
        weights, bias = self.folded()
        peak = rounding.largest(weights.detach())
        scale = rounding.population_scale([peak], self.threshold if self.rule.spikes else 0.0)
        exponent = rounding.weight_exponent(peak, scale)
        rounded = _straight_through(
            weights * (scale / 2.0**exponent), rounding.rounded_weights(weights, scale, exponent)
        )
        shift = rounding.bias_exponent(float(bias.detach().abs().max()), scale)
        mantissa = rounding.rounded_bias(bias, scale, shift)
        added = _straight_through(bias * (scale * rounding.ALIGN), mantissa * 2.0**shift)
        activation = self.mapped(values, rounded)
        if exponent:
            activation = activation * 2.0**exponent
        level = rounding.rounded_threshold(self.threshold, scale)
        added = added.view(-1, *([1] * (activation.dim() - 3)))
        out = integrate(activation, added, level, self.rule, True)
        return out if self.rule.spikes else out * (1.0 / (scale * rounding.ALIGN))

    def mapped(self, values: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the linear map with other `weights` and `bias`, (timesteps, batch, *shape)."""
        merged = values.flatten(0, 1)
        if isinstance(self.linear, nn.Conv2d):
            conv = self.linear
            result = functional.conv2d(
                merged, weights, bias, conv.stride, conv.padding, conv.dilation, conv.groups
            )
        else:
            result = functional.linear(merged.flatten(1), weights, bias)
        return result.view(*values.shape[:2], *result.shape[1:])

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weights and bias with batch norm's running statistics folded in, float32.

        w' = w g / sqrt(var + eps), b' = beta + (b - mean) g / sqrt(var + eps)
        """
        weights = self.linear.weight
        bias = weights.new_zeros(len(weights))
        if self.linear.bias is not None:
            bias = self.linear.bias
        if self.norm is not None:
            norm = self.norm
            assert norm.running_var is not None and norm.running_mean is not None
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            bias = norm.bias + (bias - norm.running_mean) * gain
            weights = weights * gain.view(-1, *([1] * (weights.dim() - 1)))
        return weights, bias

    def lowered(self, name: str, source: str, shape: tuple[int, ...]) -> tuple[Neurons, Synapses]:
        """Return this layer in the real numbers it would be rounded from."""
        weights, bias = (tensor.detach().cpu().numpy() for tensor in self.folded())
        rule = self.rule
        neurons = Neurons(
            name,
            shape,
            bias,
            self.threshold if rule.spikes else 0.0,
            rule.current_decay / rounding.DECAY_ONE,
            rule.voltage_decay / rounding.DECAY_ONE,
            rule.spikes,
        )
        if not isinstance(self.linear, nn.Conv2d):
            return neurons, Synapses(f"{source}-{name}", source, name, "dense", weights)
        conv = self.linear
        return neurons, Synapses(
            f"{source}-{name}",
            source,
            name,
            "conv",
            weights,
            _pair(conv.stride),
            _pair(conv.padding),
            _pair(conv.dilation),
            conv.groups,
        )


def _pair(values: object) -> tuple[int, int]:
    if not isinstance(values, tuple):
        raise NetworkError(f"a padding of {values!r} is not supported; give it as numbers")
    return int(values[0]), int(values[1])


def _straight_through(real: Tensor, rounded: Tensor) -> Tensor:
    """Return `rounded` exactly, with the gradient of `real`."""
    return rounded.detach() + (real - real.detach())


def set_quantised(layers: Iterable[nn.Module], quantised: bool) -> None:
    """Switch every layer among `layers` to integers or back; frozen batch norm keeps its mode."""
    for module in layers:
        if isinstance(module, Layer):
            module.quantised = quantised
