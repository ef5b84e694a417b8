"""Architectures in Lava, whose steps are pipelined, equal the layer-synchronous run."""

import pytest
from traces import assert_same
from trained import TABLES, make_network, random_spikes, to_integers, to_uint8

from pumice.deploy.lava import run
from pumice.runtime.engines import reference

QUICK = ("sew add", "vgg9 max", "recurrent")


@pytest.mark.lava
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in TABLES]
)
def test_an_architecture_in_lava_equals_the_reference(name: str) -> None:
    quantized = to_integers(make_network(TABLES[name]))
    inputs = to_uint8(random_spikes((2, 16, 16), 3))
    assert_same(run(quantized, inputs), reference.run(quantized, inputs))
