"""SLAYER blocks for tests: run by SLAYER itself, written to a file, and run by netx in Lava."""

import subprocess
import sys
import types
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.lava_compat import patch_lava

NETX_SECONDS = 120.0


def require_slayer() -> Any:
    """SLAYER, or skip the test without it; object detection, which needs cv2, is left out."""
    name = "lava.lib.dl.slayer.object_detection"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            patch_lava()
            sys.modules.setdefault(name, types.ModuleType(name))
            import lava.lib.dl.slayer as library
        except ImportError as error:
            pytest.skip(f"lava-dl is not installed ({error})")
    return library


def run_blocks(blocks: Sequence[Any], events: NDArray[np.uint8], unit: float = 1.0) -> list[Any]:
    """Output of each SLAYER block for `events` (timesteps, batch, *shape), in the same axis order.

    Norms learn their statistics from the same events first.
    """
    import torch

    values = torch.from_numpy(np.moveaxis(events, 0, -1).astype(np.float32) * unit)
    for training in (True, False):
        outputs, passed = [], values
        with torch.no_grad():
            for block in blocks:
                block.train(training)
                _silence(getattr(block, "neuron", None), torch.zeros(1))
                passed = block(passed)
                outputs.append(np.moveaxis(passed.numpy(), -1, 0))
    return outputs


def _silence(neuron: Any, nothing: Any) -> None:
    if neuron is not None:
        neuron.current_state, neuron.voltage_state = nothing, nothing


def write_blocks(blocks: Sequence[Any], path: Path) -> Path:
    """Export `blocks` to `path` as users of SLAYER do."""
    with h5py.File(path, "w") as file:
        layers = file.create_group("layer")
        for number, block in enumerate(blocks):
            block.export_hdf5(layers.create_group(str(number)))
    return path


def run_netx(
    path: Path, events: NDArray[np.uint8], steps: int, reset: int = 0
) -> NDArray[np.uint8]:
    """Spikes of netx in Lava's simulator for one sample, (steps, *output shape).

    `events` is (timesteps, *shape). With `reset`, its layers are reset one after the other.
    """
    inputs, output = path.with_suffix(".in.npy"), path.with_suffix(".out.npy")
    np.save(inputs, events)
    script = Path(__file__).with_name("run_netx.py")
    result = subprocess.run(
        [
            sys.executable,
            "-P",
            str(script),
            str(path),
            str(inputs),
            str(output),
            f"{steps}",
            f"{reset}",
        ],
        capture_output=True,
        text=True,
        timeout=NETX_SECONDS,
    )
    assert output.exists(), result.stderr[-2000:]
    spikes: NDArray[np.uint8] = np.load(output)
    return spikes
