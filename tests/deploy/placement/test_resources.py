from itertools import product

import numpy as np
import pytest
from chips import chip

from pumice.deploy.placement.problem import RESOURCES, make_problem
from pumice.deploy.placement.resources import FanOutIndex, slice_resources
from pumice.runtime import Conv, Dense, Network, Population, Projection, Slice

# An image of two channels, a convolution of four, and a flat layer that takes all of it.
NETWORK = Network(
    (
        Population("in", (1,), "input"),
        Population("image", (2, 4, 4)),
        Population("conv", (4, 4, 4)),
        Population("flat", (6,)),
    ),
    (
        Projection("to_image", "in", "image", Dense(np.full((32, 1), 255))),
        Projection("to_conv", "image", "conv", Conv(np.full((4, 2, 3, 3), 255), (1, 1), (1, 1))),
        Projection("to_flat", "conv", "flat", Dense(np.full((6, 64), 255))),
    ),
)
IMAGE = Slice("image", (0, 0, 0), (2, 4, 4))
CONV = Slice("conv", (0, 0, 0), (4, 4, 4))
CHANNELS = [Slice("conv", (c, 0, 0), (c + 2, 4, 4)) for c in (0, 2)]
COLUMNS = [Slice("conv", (0, 0, x), (4, 4, x + 2)) for x in (0, 2)]
BOTH = [Slice("conv", (c, 0, x), (c + 2, 4, x + 2)) for c, x in product((0, 2), (0, 2))]


@pytest.mark.parametrize(
    ("route", "parts", "routes"),
    [
        ("slice", CHANNELS, 2 * 16),  # each pixel reaches both
        ("slice", COLUMNS, 2 * 12),  # columns 0 to 2 reach the left, 1 to 3 the right half
        ("slice", BOTH, 4 * 12),
        ("kernels", CHANNELS, 2 * 16),
        ("kernels", COLUMNS, 16),  # the halves hold the same kernels
        ("kernels", BOTH, 2 * 16),
    ],
)
def test_a_pixel_has_a_route_to_each_slice_or_to_each_set_of_kernels(
    route: str, parts: list[Slice], routes: int
) -> None:
    problem = make_problem(NETWORK, chip(route=route))
    fan_out = FanOutIndex(problem, NETWORK.projections[1], parts)
    assert fan_out.count_routes(IMAGE) == routes


@pytest.mark.parametrize("route", ["slice", "kernels"])
def test_each_neuron_sends_a_message_to_each_slice_it_reaches(route: str) -> None:
    problem = make_problem(NETWORK, chip(route=route))
    fan_out = FanOutIndex(problem, NETWORK.projections[1], BOTH)
    assert fan_out.count_messages(IMAGE).tolist() == [2 * 12] * 4


@pytest.mark.parametrize(("route", "routes"), [("slice", 64 * 3), ("kernels", 0)])
def test_a_neuron_has_a_route_to_each_dense_slice_or_none(route: str, routes: int) -> None:
    problem = make_problem(NETWORK, chip(route=route))
    parts = [Slice("flat", (n,), (n + 2,)) for n in (0, 2, 4)]
    assert FanOutIndex(problem, NETWORK.projections[2], parts).count_routes(CONV) == routes


def test_slice_resources_by_hand() -> None:
    """18 lists of 4 synapses of 8 bits, a word each; a list per pixel; 16 pixels with 2 routes."""
    problem = make_problem(NETWORK, chip(convolution="pixel"))
    resources = dict(zip(RESOURCES, slice_resources(problem, CONV, ()).tolist(), strict=True))
    assert resources == {
        "neurons": 64,
        "groups": 1,
        "synapse_words": 18,
        "axons_in": 16,
        "axons_out": 64,  # a dense layer needs every neuron
        "routes": 0,
        "entries": 64 + 18 + 16 + 64,
    }
    out = [FanOutIndex(problem, NETWORK.projections[1], CHANNELS)]
    resources = dict(zip(RESOURCES, slice_resources(problem, IMAGE, out).tolist(), strict=True))
    assert (resources["axons_out"], resources["routes"]) == (16, 32)
    # One list of 32 synapses of 8 bits and 12 of index, and a head of 10: 650 bits.
    assert (resources["synapse_words"], resources["axons_in"]) == (11, 1)
