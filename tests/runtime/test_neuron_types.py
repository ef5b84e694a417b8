from typing import Any

import numpy as np
import pytest

from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.errors import EngineError
from pumice.runtime.neuron_types import FEATURES, list_features, require_features

SOFT: dict[str, Any] = {"reset": "subtract", "reset_value": 5}


def test_a_plain_neuron_has_no_feature() -> None:
    assert list_features(Population("a", (3,), threshold=5, value_bits=3)) == ()


@pytest.mark.parametrize(
    ("values", "features"),
    [
        ({"reset": "value", "reset_value": 0}, ("reset to a value",)),
        (SOFT, ("soft reset",)),
        (SOFT | {"reset": "delayed_subtract"}, ("delayed soft reset",)),
        (SOFT | {"max_spikes": 2}, ("soft reset", "several spikes per timestep")),
        ({"refractory": 1, "min_voltage": -1}, ("refractory period", "minimum voltage")),
    ],
)
def test_features_are_named(values: dict[str, Any], features: tuple[str, ...]) -> None:
    population = Population("a", (3,), **values)
    assert list_features(population) == features
    dense = Projection("w", "in", "a", Dense(np.ones((3, 1))))
    network = Network((Population("in", (1,), "input"), population), (dense,))
    with pytest.raises(EngineError, match=f"a: has a {features[0]}, which it does not hold"):
        require_features(network, "it")
    require_features(network, "it", FEATURES)


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        ({"kind": "delta"}, "delta encoder"),
        ({"kind": "sigma_delta"}, "sigma-delta neuron"),
        ({"kind": "integrator", "align_bits": 0}, "read-out of sigma-delta messages"),
        ({"kind": "input", "value_bits": 9}, "signed or wide input"),
        ({"kind": "input", "value_bits": 2, "signed": True}, "signed or wide input"),
    ],
)
def test_features_of_sigma_delta_networks_are_named(values: dict[str, Any], feature: str) -> None:
    assert list_features(Population("a", (3,), **values)) == (feature,)
