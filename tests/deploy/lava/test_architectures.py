"""Whole architectures in Lava, whose steps are pipelined: the layer-synchronous run, shifted."""

import pytest
from traces import assert_same
from trained import TABLES, as_bytes, converted, events, network

from pumice.deploy.lava import run
from pumice.runtime.engines import reference

QUICK = ("sew add", "vgg9 max", "recurrent")


@pytest.mark.lava
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in TABLES]
)
def test_an_architecture_fires_in_lava_as_in_the_reference(name: str) -> None:
    chip = converted(network(TABLES[name]))
    given = as_bytes(events((2, 16, 16), 3))
    assert_same(run(chip, given), reference.run(chip, given))
