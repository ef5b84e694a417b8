"""Import of SLAYER blocks: equal to that of their file, and blocks that no file represents."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lavadl import require_slayer, run_blocks, write_blocks

from pumice.convert.compatibility import check_compatibility
from pumice.convert.formats.netx.reader import read_netx
from pumice.convert.importers.slayer import from_slayer, is_slayer
from pumice.runtime.engines import reference
from pumice.runtime.errors import NetworkError

# SLAYER asks torch for the older of its two weight norms.
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

NEURON = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}
EVENTS = (np.random.default_rng(1).random((20, 2, 12)) < 0.4).astype(np.uint8)


def test_blocks_equal_their_file_and_are_not_changed(tmp_path: Path) -> None:
    block = require_slayer().block.cuba
    blocks = [block.Dense(NEURON, 12, 8, weight_scale=3, weight_norm=True)]
    run_blocks(blocks, EVENTS)
    network, _ = from_slayer(SimpleNamespace(blocks=blocks))
    assert blocks[0].synapse.weight_norm_enabled and hasattr(blocks[0].synapse, "weight_g")
    assert network == read_netx(write_blocks(blocks, tmp_path / "a.net"))[0]


def test_average_becomes_an_integrating_read_out() -> None:
    block = require_slayer().block.cuba
    blocks = [block.Dense(NEURON, 12, 8, weight_scale=4), block.Average(num_outputs=2)]
    means = run_blocks(blocks, EVENTS)[1]
    network, _ = from_slayer(blocks)
    voltages = reference.run(network, EVENTS).voltages[network.output] / 64
    np.testing.assert_array_equal(voltages[:-1], means.cumsum(axis=0)[1:] * 4)


def test_without_delay_shift_a_bias_needs_no_delays() -> None:
    library = require_slayer()
    neuron = {**NEURON, "norm": library.neuron.norm.MeanOnlyBatchNorm}
    blocks = [
        library.block.cuba.Dense(neuron, 12, 8, weight_scale=4, delay_shift=False),
        library.block.cuba.Dense(neuron, 8, 5, weight_scale=4, delay_shift=False),
    ]
    outputs = run_blocks(blocks, EVENTS)
    network, _ = from_slayer(blocks)
    spikes = reference.run(network, EVENTS).spikes
    assert [p.delay for p in network.projections] == [0, 0]
    np.testing.assert_array_equal(spikes["dense0"], outputs[0])
    np.testing.assert_array_equal(spikes["dense1"], outputs[1])


def test_blocks_that_slayer_cannot_export_are_named() -> None:
    block = require_slayer().block.cuba
    dense = block.Dense(NEURON, 12, 8)
    assert is_slayer([dense])
    with pytest.raises(NetworkError, match=r"block 0 \(Dense\): has no shape yet; run it once"):
        from_slayer([dense])
    run_blocks([dense], EVENTS)
    with pytest.raises(NetworkError, match="a layer of type 'KWTA'"):
        from_slayer([dense, block.KWTA(dict(NEURON), 8, 4, 2)])
    with pytest.raises(NetworkError, match="a layer of type 'TimeDecimation'"):
        from_slayer([dense, block.TimeDecimation(2)])
    unquantized = block.Dense(NEURON, 12, 8, pre_hook_fx=None)
    run_blocks([unquantized], EVENTS)
    with pytest.raises(NetworkError, match="its pre_hook_fx gives no integers"):
        from_slayer([unquantized])


def test_every_block_is_diagnosed() -> None:
    block = require_slayer().block.cuba
    blocks = [block.Dense(NEURON, 12, 8, weight_scale=4), block.Dense(NEURON, 8, 4)]
    run_blocks(blocks, EVENTS)
    assert [f.support for f in check_compatibility(blocks).diagnostics] == ["exact", "exact"]
    kwta = block.KWTA(dict(NEURON), 4, 4, 2)
    supports = [f.support for f in check_compatibility([*blocks, kwta]).diagnostics]
    assert supports == ["exact", "exact", "unsupported"]


def test_resonators_equal_their_file_unless_slayer_exports_them_in_part(tmp_path: Path) -> None:
    library = require_slayer()
    neuron = {"threshold": 1.0, "period": 7, "decay": 0.1}
    blocks = [library.block.rf.Dense(neuron, 12, 8, weight_scale=3, weight_norm=True)]
    run_blocks(blocks, EVENTS)
    network, _ = from_slayer(blocks)
    assert network == read_netx(write_blocks(blocks, tmp_path / "a.net"))[0]
    normed = {**neuron, "norm": library.neuron.norm.MeanOnlyBatchNorm}
    blocks = [library.block.rf.Dense(normed, 12, 8, weight_scale=3)]
    run_blocks(blocks, EVENTS)
    with pytest.raises(NetworkError, match="does not export the norms of resonators"):
        from_slayer(blocks)
    blocks = [library.block.rf.Conv(neuron, 1, 2, 3, weight_scale=3)]
    run_blocks(blocks, EVENTS.reshape(20, 2, 1, 3, 4))
    with pytest.raises(NetworkError, match="exports dense blocks of resonators alone"):
        from_slayer(blocks)
