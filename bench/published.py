"""Published output of Lava's compiler for Loihi 2, and measurements on the chip, layer by layer.

Source: the notebooks pilotnet_snn/benchmark, pilotnet_sdnn/benchmark, mnist/run and oxford/run in
https://github.com/lava-nc/lava-dl/tree/main/tutorials/lava/lib/dl/netx, in reverse order, since the
compiler prints the output first. The rows of PilotNet are those of the LIF network.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One layer: its largest strip (channels, height, width), means over its cores, core count.

    `axons_out` is the compiler's AxonMap, `routes` its AxonMem.
    """

    population: str
    strip: tuple[int, ...]
    axons_in: float
    neurons: float
    synapse_words: float
    axons_out: float
    routes: float
    cores: int


PILOTNET = (
    Row("input", (3, 66, 16), 1, 3168, 0, 1015, 731, 13),
    Row("conv1", (24, 32, 4), 2, 3072, 81, 253, 93, 25),
    Row("conv2", (36, 15, 4), 2, 2160, 864, 113, 32, 13),
    Row("conv3", (48, 7, 8), 2, 2688, 1620, 112, 46, 3),
    Row("conv4", (64, 4, 8), 1, 2048, 2160, 29, 9, 3),
    Row("conv5", (64, 2, 16), 1, 2048, 2880, 1280, 0, 2),
    Row("dense100", (9,), 2560, 8, 7253, 8, 0, 12),
    Row("dense50", (50,), 100, 50, 1300, 50, 0, 1),
    Row("dense10", (10,), 50, 10, 150, 10, 0, 1),
    Row("dense1", (1,), 10, 1, 10, 1, 0, 1),
)
MNIST = (
    Row("dense1", (50,), 784, 50, 12544, 50, 0, 3),
    Row("dense2", (64,), 128, 64, 2688, 64, 0, 1),
    Row("dense3", (10,), 64, 10, 256, 10, 0, 1),
)
OXFORD = (
    Row("dense1", (86,), 200, 85, 5400, 85, 0, 3),
    Row("dense2", (100,), 256, 100, 8064, 100, 0, 2),
)
# PilotNet LIF, 16 steps per frame, 10,000 steps, one frame repeated: 408.91 frames per second and
# 1.093544 mJ of dynamic energy per frame.
MICROJOULES_PER_STEP = 68.3
MICROSECONDS_PER_STEP = 152.8
