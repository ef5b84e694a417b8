"""Resonate-and-fire layers of netx files, as SLAYER's blocks `rf` and `rf_iz` export them.

A dense layer has two matrices of weights, `weight/real` and `weight/imag`, and its neurons a
`sinDecay` and a `cosDecay` in 1/4096. netx makes a period and a decay of these, of which Lava's
`RF` computes both again and truncates them: of all pairs within the unit circle, 42 % are lower by
one then. pumice reads the integers of the file, which SLAYER trained.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import FileError, NetworkError
from ....runtime.population import LIMITS, Component, Kind, Population
from .schema import Layer

RESONATOR_KINDS: dict[str, Kind] = {"RF_PHASE": "rf", "RF_IZHIKEVICH": "rf_iz"}
RESONATOR_LAYERS = ("dense",)
DECAYS = {"sinDecay": "sin_decay", "cosDecay": "cos_decay"}
PARTS: tuple[tuple[str, Component], ...] = (("weight/real", "real"), ("weight/imag", "imag"))
DECAY_SCALE = 4096


def find_resonator_problem(layer: Layer) -> tuple[str, str] | None:
    """Reason and remedy where resonate-and-fire neurons of the layer are not supported."""
    if layer.kind not in RESONATOR_LAYERS:
        return f"resonate-and-fire neurons in a {layer.kind} layer", "use dense layers"
    if layer.has("bias") and np.any(layer.entries["bias"]):
        return "resonate-and-fire neurons with a bias", "use no bias"
    if np.min(layer.neuron_parameter("vThMant", 0)) >= LIMITS["threshold"][1]:
        return (
            "resonate-and-fire neurons that never fire, read by their state",
            "use a Dense block in place of the Affine one",
        )
    return None


def build_resonators(layer: Layer, shape: tuple[int, ...]) -> Population:
    """Build the population of a resonate-and-fire layer; raises `FileError`."""
    for key in (*DECAYS, "vThMant"):
        if not layer.has(f"neuron/{key}"):
            raise FileError(f"{layer.name}: its neurons have no {key!r}")
    decays = {name: layer.neuron_parameter(key, 0) for key, name in DECAYS.items()}
    kind = RESONATOR_KINDS[layer.neuron_type()]
    threshold = layer.neuron_parameter("vThMant", 0)
    return Population(layer.name, shape, kind, threshold=threshold, **decays)


def weight_parts(layer: Layer) -> Iterator[tuple[Layer, Component]]:
    """Yield the layer with the weights of each component: of a complex layer two."""
    if layer.neuron_type() not in RESONATOR_KINDS:
        yield layer, "real"
        return
    for key, component in PARTS:
        if not layer.has(key):
            raise FileError(f"{layer.name}: has no {key!r}")
        yield replace(layer, entries={**layer.entries, "weight": layer.entries[key]}), component


def resonator_entries(population: Population) -> dict[str, Any]:
    """Entries of the neurons of a resonate-and-fire layer.

    Raises:
        NetworkError: A parameter has no form in a `.net` file, or netx would change it.
    """
    name = population.name
    values = {key: getattr(population, field) for key, field in DECAYS.items()}
    values["vThMant"] = population.threshold
    for key, array in values.items():
        if array.size > 1:
            raise NetworkError(f"{name}: {key} of each neuron or channel; Lava's RF has one")
    sine, cosine = (int(values[key].flat[0]) for key in DECAYS)
    found = netx_decays(sine, cosine) if sine else (0, 0)
    if found != (sine, cosine):
        raise NetworkError(
            f"{name}: netx would change its sin_decay and cos_decay from {sine} and {cosine} to "
            f"{found[0]} and {found[1]}; a .pumice file preserves them"
        )
    number = next(key for key, kind in RESONATOR_KINDS.items() if kind == population.kind)
    entries: dict[str, Any] = {f"neuron/{key}": array.reshape(()) for key, array in values.items()}
    return entries | {"neuron/type": number, "neuron/gradedSpike": False, "delayShift": 0}


def netx_decays(sine: int, cosine: int) -> tuple[int, int]:
    """Decays that Lava's `RF` has of those of a `.net` file, `sine` 1 or more.

    As `slayer.neuron.rf.neuron_params` and `lava.proc.rf.RF` compute them in float64.
    """
    s, c = np.float64(sine) / DECAY_SCALE, np.float64(cosine) / DECAY_SCALE
    alpha = 1 - np.sqrt(s**2 + c**2)
    period = 1 / (np.arctan2(s, c) / 2 / np.pi)
    angle = np.pi * 2 * 1 / period
    parts: NDArray[np.float64] = (1 - alpha) * np.array([np.sin(angle), np.cos(angle)])
    return int(parts[0] * DECAY_SCALE), int(parts[1] * DECAY_SCALE)
