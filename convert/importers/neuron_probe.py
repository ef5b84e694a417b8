"""Probe of neurons: their module, run alone on drawn inputs, against their parsed parameters.

In a network, neurons may never reach their threshold on the drawn input. Here the input is scaled
to it, so that they spike, are reset, and spike again.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..diagnostics import UnsupportedLayerError
from ..quantize.float_network import FloatPopulation
from ..quantize.linear_ops import LinearOp, Shape
from ..quantize.neuron_params import NeuronParams, next_below
from ..quantize.neuron_populations import Pulse, constant_pulses, excess_pulses
from .import_check import carry_back, first_difference
from .module_copy import copy_module
from .neuron_layout import layout_of, read_output, reset_states, takes_state

TIMESTEPS, BATCH, NEURONS = 24, 4, 16


def probe_neurons(module: Any, params: NeuronParams, shape: Shape) -> None:
    """Compare neurons with their parsed parameters.

    Args:
        module: The neurons.
        params: Their parameters.
        shape: Shape of the population, used where parameters differ between neurons.

    Raises:
        UnsupportedLayerError: They do something else.
    """
    keys = ("gain", "threshold", "voltage_decay", "current_decay", "reset_value", "min_voltage")
    each = [getattr(params, key) for key in (*keys, "late_input", "late_bias")]
    alone = params.recurrent is None and params.input is None
    alike = alone and all((v == v.flat[0]).all() for v in each)
    shape = (NEURONS,) if alike else shape
    gain = _full(params.gain, shape)
    inputs, driven = _draw_inputs(params, shape, gain)
    drive = driven * gain + _full(params.bias, shape)
    late = np.zeros_like(drive)
    late[params.delay :] = drive[: TIMESTEPS - params.delay]
    outputs = _run(copy_module(module).float(), inputs, params.spiking)
    for fused in params.fuse_recurrent("neurons", shape):
        late += carry_back(fused, outputs) * gain
    unit = _full(params.unit, shape)
    for pulse in constant_pulses("neurons", params, shape):
        late[pulse.delay :] += _full(pulse.weights, shape) * unit
    returned = excess_pulses(params, shape) if params.doubling else None
    for threshold in np.unique(params.threshold):
        chosen = _full(params.threshold, shape) == threshold
        population = FloatPopulation(
            "neurons",
            (int(chosen.sum()),),
            np.zeros(1, np.float32),
            next_below(float(threshold)) if params.inclusive else float(threshold),
            _full(params.current_decay, shape)[chosen],
            _full(params.voltage_decay, shape)[chosen],
            params.spiking,
            reset=params.reset,
            reset_value=_full(params.reset_value, shape)[chosen],
            refractory=params.refractory,
            max_spikes=2 if params.doubling else params.max_spikes,
            min_voltage=_full(params.min_voltage, shape)[chosen],
        )
        excess = returned and [
            Pulse((_full(pulse.weights, shape) * unit)[chosen], pulse.delay) for pulse in returned
        ]
        step = first_difference(population, late[:, :, chosen], outputs[:, :, chosen], excess)
        if step is not None:
            raise UnsupportedLayerError(
                f"does something else than its attributes say, first at timestep {step} of a test "
                "input",
                "use neurons as their library makes them, and do not change them afterwards",
            )


def _draw_inputs(
    params: NeuronParams, shape: Shape, gain: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Inputs that drive neurons around their thresholds, and what their own layer makes of them."""
    rng = np.random.default_rng(1)
    unit = _full(params.threshold, shape) if params.spiking else np.ones(shape)
    wanted = rng.normal(0.3, 0.8, (TIMESTEPS, BATCH, *shape)) * unit
    wanted = np.divide(wanted, gain, out=np.zeros_like(wanted), where=gain != 0)
    if params.input is None:
        inputs = wanted.astype(np.float32)
        return inputs, inputs.astype(np.float64)
    assert isinstance(params.input, LinearOp)
    weights = params.input.weights
    inputs = (wanted @ np.linalg.pinv(weights).T).astype(np.float32)
    return inputs, inputs.astype(np.float64) @ weights.T + params.input.bias


def _run(module: Any, inputs: NDArray[np.float32], spiking: bool) -> NDArray[np.float64]:
    """Outputs of neurons, (timesteps, batch, *shape)."""
    reset_states(module)
    layout, x = layout_of(module), torch.from_numpy(inputs)
    with torch.no_grad():
        if layout == "time first":
            return _first(module(x), True)
        if layout == "time second":
            return np.swapaxes(_first(module(x.transpose(0, 1)), True), 0, 1)
        if layout == "merged":
            module.batch_size, module.num_timesteps = BATCH, TIMESTEPS
            merged = _first(module(x.transpose(0, 1).flatten(0, 1)), True)
            return np.swapaxes(merged.reshape(BATCH, TIMESTEPS, *inputs.shape[2:]), 0, 1)
        steps, state = [], None
        for values in x:
            result = module(values, state) if takes_state(module) else module(values)
            state = result[1] if takes_state(module) else None
            steps.append(_first(result, spiking))
    return np.stack(steps)


def _first(result: Any, spiking: bool) -> NDArray[np.float64]:
    return np.array(read_output(result, spiking).double().numpy())


def _full(values: Any, shape: Shape) -> NDArray[np.float64]:
    """Values, one, one per channel or per neuron, for all neurons."""
    array = np.asarray(values, np.float64).reshape(-1)
    if array.size not in (1, int(np.prod(shape))):
        array = array.reshape(-1, *[1] * (len(shape) - 1))
    elif array.size > 1:
        array = array.reshape(shape)
    return np.array(np.broadcast_to(array, shape))
