"""Small targets for tests: `chip(neurons=8)` has that limit, `chips()` is a strategy."""

from typing import Any

from hypothesis import strategies as st

from pumice.deploy.targets.target import Target
from pumice.runtime.neuron_types import LIF_FEATURES, RESONATOR_FEATURES

UNITS = {
    "neurons": "neurons",
    "synaptic_memory": "bits",
    "groups": "groups",
    "axons_in": "axons",
    "axons_out": "axons",
    "routes": "routes",
    "entries": "entries",
    "chips": "chips",
    "cores": "cores",
    "width": "tiles",
    "height": "tiles",
    "cores_per_tile": "cores",
    "state_bits": "bits",
    "message_bits": "bits",
    "fan_in": "synapses",
    "fan_out": "synapses",
    "weight_bits": "bits",
    "delay": "steps",
    "word_bits": "bits",
    "list_bits": "bits",
    "dense_index_bits": "bits",
    "sparse_index_bits": "bits",
    "list_synapses": "synapses",
}
TABLES: dict[str, dict[str, Any]] = {
    "chip": {"chips": 4, "cores": 256, "width": 16, "height": 8, "cores_per_tile": 2},
    "core": {"neurons": 1000, "synaptic_memory": 1 << 20, "route": "slice"},
    "neuron": {
        "state_bits": 24,
        "message_bits": 8,
        "features": [*LIF_FEATURES, *RESONATOR_FEATURES],
    },
    "synapse": {
        "weight_bits": 8,
        "delay": 62,
        "word_bits": 64,
        "list_bits": 10,
        "dense_index_bits": 12,
        "sparse_index_bits": 12,
        "convolution": "projection",
    },
}
OPTIONAL = {
    "core": ("groups", "axons_in", "axons_out", "routes", "entries"),
    "neuron": ("fan_in", "fan_out"),
    "synapse": ("list_synapses",),
}


def chip(**limits: Any) -> Target:
    """A target of many large cores with these `limits`; None removes one."""
    tables: dict[str, Any] = {}
    for table, defaults in TABLES.items():
        values = {
            **defaults,
            **{k: limits[k] for k in (*defaults, *OPTIONAL.get(table, ())) if k in limits},
        }
        tables[table] = {
            key: {"value": value, "source": "test", "certainty": "assumed"}
            | ({"unit": UNITS[key]} if key in UNITS else {})
            for key, value in values.items()
            if value is not None
        }
    names = {"name": "tiny", "title": "Tiny", "about": "for tests", "sources": {"test": "a test"}}
    return Target.model_validate({**names, **tables})


@st.composite
def chips(draw: Any) -> Target:
    """Draw a target whose cores hold most small networks, in slices."""
    one_of = st.sampled_from
    return chip(
        neurons=draw(one_of((1, 2, 7, 16, 50, 1000))),
        synaptic_memory=draw(one_of((1 << 20, 1 << 16, 1 << 14, 6000))),
        groups=draw(one_of((None, 1, 8))),
        axons_in=draw(one_of((None, 200, 100))),
        axons_out=draw(one_of((None, 60, 12))),
        routes=draw(one_of((None, None, 300, 60))),
        entries=draw(one_of((None, None, 2000, 500))),
        message_bits=draw(one_of((8, 8, 1, 32))),
        list_bits=draw(one_of((0, 10, 16))),
        word_bits=draw(one_of((64, 32))),
        dense_index_bits=draw(one_of((0, 12))),
        list_synapses=draw(one_of((None, 64, 3))),
        convolution=draw(one_of(("projection", "pixel", "neuron"))),
        route=draw(one_of(("slice", "kernels"))),
    )
