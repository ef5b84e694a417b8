"""Networks of published shapes with random weights, for placement benchmarks, and a large one.

The shapes of PilotNet, MNIST and Oxford are those of the notebooks in
https://github.com/lava-nc/lava-dl/tree/main/tutorials/lava/lib/dl/netx. Placement depends only on
shapes and the bits of weights.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pumice.runtime import Conv, Dense, Network, Population, Projection, SumPool

Shape = tuple[int, ...]
Pair = tuple[int, int]


def random_weights(random: np.random.Generator, bits: int, *shape: int) -> NDArray[np.int16]:
    """Random signed weights that need exactly `bits` bits (even numbers for 8 bits)."""
    half = 1 << (bits - 1)
    weights = random.integers(-half, half, shape).astype(np.int16)
    weights.flat[0], weights.flat[-1] = -half, 1
    return weights * 2


def chain(
    image: Shape, layers: Sequence[tuple[str, Conv | Dense, Shape]], on_chip: bool = False
) -> Network:
    """Build a sequential network; with `on_chip` its first population is placed on cores, too."""
    first = Population("input", image, "cuba" if on_chip else "input", threshold=1)
    populations, projections = [first], []
    for name, connection, shape in layers:
        populations.append(Population(name, shape, threshold=64))
        projections.append(Projection(f"to_{name}", populations[-2].name, name, connection))
    if on_chip:  # a network needs an input, here of a single neuron
        populations.insert(0, Population("outside", (1,), "input"))
    return Network(tuple(populations), tuple(projections))


def pilotnet(on_chip: bool = True) -> Network:
    """PilotNet as LIF network: 200 x 66 pixels, five convolutions, four dense layers.

    The bits of the weights reproduce the published numbers of memory words.
    """
    random = np.random.default_rng(0)
    image: Shape = (3, 66, 200)
    layers: list[tuple[str, Conv | Dense, Shape]] = []
    for number, (channels, stride, padding, bits) in enumerate(
        [
            (24, (2, 2), (0, 0), 6),
            (36, (2, 2), (0, 0), 6),
            (48, (2, 2), (0, 0), 6),
            (64, (2, 1), (1, 0), 4),
            (64, (1, 1), (0, 0), 4),
        ],
        1,
    ):
        source = layers[-1][2] if layers else image
        conv = Conv(random_weights(random, bits, channels, source[0], 3, 3), stride, padding)
        layers.append((f"conv{number}", conv, conv.target_shape(source)))
    for outputs, bits in ((100, 3), (50, 4), (10, 4), (1, 4)):
        inputs = int(np.prod(layers[-1][2]))
        weights = random_weights(random, bits, outputs, inputs)
        layers.append((f"dense{outputs}", Dense(weights), (outputs,)))
    return chain(image, layers, on_chip)


def dense_net(*sizes: int) -> Network:
    """Sequential network of dense layers with 8-bit weights."""
    random = np.random.default_rng(0)
    layers = [
        (f"dense{number}", Dense(random_weights(random, 8, outputs, inputs)), (outputs,))
        for number, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False), 1)
    ]
    return chain(sizes[:1], layers)


def conv_net(image: Shape, strides: tuple[int, ...], hidden: int, classes: int = 10) -> Network:
    """Two convolutions of 16 and 32 channels and two dense layers, as in the shipped recipes.

    `digits-events` is `conv_net((2, 16, 16), (1, 2), 128)`, `nmnist` with (2, 34, 34), (2, 2), 512.
    """
    random = np.random.default_rng(0)
    layers: list[tuple[str, Conv | Dense, Shape]] = []
    for number, (channels, stride) in enumerate(zip((16, 32), strides, strict=True), 1):
        source = layers[-1][2] if layers else image
        conv = Conv(random_weights(random, 8, channels, source[0], 3, 3), (stride, stride), (1, 1))
        layers.append((f"conv{number}", conv, conv.target_shape(source)))
    for number, outputs in enumerate((hidden, classes), 3):
        weights = random_weights(random, 8, outputs, int(np.prod(layers[-1][2])))
        layers.append((f"dense{number}", Dense(weights), (outputs,)))
    return chain(image, layers)


def sew_resnet18(side: int = 128, channels: int = 64, classes: int = 101) -> Network:
    """SEW-ResNet-18 with ADD: each consumer of a sum has one projection per term, of equal weights.

    At 128 x 128 it has 876,544 spiking neurons and an integrator.
    """
    random = np.random.default_rng(0)
    stem = Conv(random_weights(random, 8, channels, 2, 7, 7), (2, 2), (3, 3))
    populations = [Population("input", (2, side, side), "input")]
    projections: list[Projection] = []

    def add(name: str, connection: Conv | Dense | SumPool, terms: list[str]) -> str:
        shapes = {p.name: p.shape for p in populations}
        populations.append(Population(name, connection.target_shape(shapes[terms[0]])))
        for term in terms:
            projections.append(Projection(f"{term}-{name}", term, name, connection))
        return name

    terms = [add("pool", SumPool((2, 2), (2, 2)), [add("stem", stem, ["input"])])]
    wide = channels
    for stage in range(4):
        outputs = channels << stage
        for block in range(2):
            name, stride = f"stage{stage}.{block}", (2, 2) if stage and not block else (1, 1)
            one = Conv(random_weights(random, 8, outputs, wide, 3, 3), stride, (1, 1))
            two = Conv(random_weights(random, 8, outputs, outputs, 3, 3), (1, 1), (1, 1))
            second = add(f"{name}.b", two, [add(f"{name}.a", one, terms)])
            if stride == (2, 2):
                down = Conv(random_weights(random, 8, outputs, wide, 1, 1), stride)
                terms = [add(f"{name}.down", down, terms), second]
            else:
                terms = [*terms, second]
            wide = outputs
    last = {p.name: p.shape for p in populations}[terms[0]]
    mean = SumPool((last[1], last[2]), (1, 1))
    features = add("mean", mean, terms)
    weights = Dense(random_weights(random, 8, classes, last[0]))
    populations.append(Population("classes", (classes,), "integrator"))
    projections.append(Projection("head", features, "classes", weights))
    return Network(tuple(populations), tuple(projections))
