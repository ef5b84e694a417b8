"""Script that runs a `.net` file with netx in Lava's simulator; see `lavadl.run_netx`."""

import os
import sys
import types
import warnings

import numpy as np

warnings.simplefilter("ignore")


def main(path: str, inputs: str, output: str, steps: int, reset: int) -> None:
    from pumice.runtime.lava_compat import patch_lava

    patch_lava()
    name = "lava.lib.dl.slayer.object_detection"
    sys.modules.setdefault(name, types.ModuleType(name))
    import torch
    from lava.lib.dl import netx
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    torch.set_num_threads(1)  # threads of the parent would hang Lava's forked processes
    events = np.load(inputs)
    network = netx.hdf5.Network(
        path,
        input_shape=events.shape[:0:-1],
        reset_interval=reset or None,
        reset_offset=1,
    )
    padded = np.zeros((steps, *events.shape[1:]), np.int32)
    padded[: len(events)] = events
    source = Source(data=padded.T)
    sink = Sink(shape=network.out.shape, buffer=steps)
    source.s_out.connect(network.inp)
    network.out.connect(sink.a_in)
    network.run(RunSteps(num_steps=steps), Loihi2SimCfg(select_tag="fixed_pt"))
    np.save(output, sink.data.get().T.astype(np.uint8))
    network.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    sys.stdout.flush()
    os._exit(0)
