"""SLAYER's blocks for tests: made, run by SLAYER itself, written, and run by netx in Lava."""

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


def slayer() -> Any:
    """SLAYER, or a skip where there is none; object detection, which wants cv2, stays out."""
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


def forward(blocks: Sequence[Any], events: NDArray[np.uint8], unit: float = 1.0) -> list[Any]:
    """What each block of SLAYER gives for `events` (timesteps, batch, *shape), in the same order.

    Blocks that learn statistics have learned them from the same events before.
    """
    import torch

    values = torch.from_numpy(np.moveaxis(events, 0, -1).astype(np.float32) * unit)
    for training in (True, False):
        found, passed = [], values
        with torch.no_grad():
            for block in blocks:
                block.train(training)
                _silence(getattr(block, "neuron", None), torch.zeros(1))
                passed = block(passed)
                found.append(np.moveaxis(passed.numpy(), -1, 0))
    return found


def _silence(neuron: Any, nothing: Any) -> None:
    if neuron is not None:
        neuron.current_state, neuron.voltage_state = nothing, nothing


def export(blocks: Sequence[Any], path: Path) -> Path:
    """Write `blocks` as SLAYER's users do, to `path`."""
    with h5py.File(path, "w") as file:
        layers = file.create_group("layer")
        for number, block in enumerate(blocks):
            block.export_hdf5(layers.create_group(str(number)))
    return path


def netx(path: Path, events: NDArray[np.uint8], steps: int, reset: int = 0) -> NDArray[np.uint8]:
    """The spikes that netx in Lava's simulator gives for one sample, (steps, *output shape).

    `events` is (timesteps, *shape). With `reset`, its layers are reset one after the other.
    """
    given, answer = path.with_suffix(".in.npy"), path.with_suffix(".out.npy")
    np.save(given, events)
    script = Path(__file__).with_name("run_netx.py")
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            str(script),
            str(path),
            str(given),
            str(answer),
            f"{steps}",
            f"{reset}",
        ],
        capture_output=True,
        text=True,
        timeout=NETX_SECONDS,
    )
    assert answer.exists(), done.stderr[-2000:]
    spikes: NDArray[np.uint8] = np.load(answer)
    return spikes
