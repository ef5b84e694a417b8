"""Networks from SLAYER's blocks: the same as through a file, and blocks that no file can hold."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lavadl import export, forward, slayer

from pumice.convert.compatibility import check_compatibility
from pumice.convert.formats.netx.reader import read_netx
from pumice.convert.importers.slayer import from_slayer, is_slayer
from pumice.runtime.engines import reference
from pumice.runtime.errors import NetworkError

# SLAYER asks torch for the older of its two weight norms.
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

NEURON = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}
EVENTS = (np.random.default_rng(1).random((20, 2, 12)) < 0.4).astype(np.uint8)


def test_blocks_give_the_network_of_their_file_and_stay_as_they_are(tmp_path: Path) -> None:
    block = slayer().block.cuba
    blocks = [block.Dense(NEURON, 12, 8, weight_scale=3, weight_norm=True)]
    forward(blocks, EVENTS)
    network, _ = from_slayer(SimpleNamespace(blocks=blocks))
    assert blocks[0].synapse.weight_norm_enabled and hasattr(blocks[0].synapse, "weight_g")
    assert network == read_netx(export(blocks, tmp_path / "a.net"))[0]


def test_an_average_is_a_read_out_that_adds_up() -> None:
    block = slayer().block.cuba
    blocks = [block.Dense(NEURON, 12, 8, weight_scale=4), block.Average(num_outputs=2)]
    means = forward(blocks, EVENTS)[1]
    network, _ = from_slayer(blocks)
    voltages = reference.run(network, EVENTS).voltages[network.output] / 64
    np.testing.assert_array_equal(voltages[:-1], means.cumsum(axis=0)[1:] * 4)


def test_without_delay_shift_a_bias_needs_no_delays() -> None:
    library = slayer()
    neuron = {**NEURON, "norm": library.neuron.norm.MeanOnlyBatchNorm}
    blocks = [
        library.block.cuba.Dense(neuron, 12, 8, weight_scale=4, delay_shift=False),
        library.block.cuba.Dense(neuron, 8, 5, weight_scale=4, delay_shift=False),
    ]
    given = forward(blocks, EVENTS)
    network, _ = from_slayer(blocks)
    found = reference.run(network, EVENTS).spikes
    assert [p.delay for p in network.projections] == [0, 0]
    np.testing.assert_array_equal(found["dense0"], given[0])
    np.testing.assert_array_equal(found["dense1"], given[1])


def test_what_slayer_exports_wrongly_or_not_at_all_is_named() -> None:
    block = slayer().block.cuba
    late = block.Dense(NEURON, 12, 8)
    assert is_slayer([late])
    with pytest.raises(NetworkError, match=r"block 0 \(Dense\): has no shape yet; run it once"):
        from_slayer([late])
    forward([late], EVENTS)
    with pytest.raises(NetworkError, match="a layer of type 'KWTA'"):
        from_slayer([late, block.KWTA(dict(NEURON), 8, 4, 2)])
    with pytest.raises(NetworkError, match="a layer of type 'TimeDecimation'"):
        from_slayer([late, block.TimeDecimation(2)])
    unquantised = block.Dense(NEURON, 12, 8, pre_hook_fx=None)
    forward([unquantised], EVENTS)
    with pytest.raises(NetworkError, match="its pre_hook_fx gives no integers"):
        from_slayer([unquantised])


def test_a_check_tells_of_every_block() -> None:
    block = slayer().block.cuba
    blocks = [block.Dense(NEURON, 12, 8, weight_scale=4), block.Dense(NEURON, 8, 4)]
    forward(blocks, EVENTS)
    assert [f.support for f in check_compatibility(blocks).diagnostics] == ["exact", "exact"]
    winners = block.KWTA(dict(NEURON), 4, 4, 2)
    verdicts = [f.support for f in check_compatibility([*blocks, winners]).diagnostics]
    assert verdicts == ["exact", "exact", "unsupported"]
