"""Recordings that lava-dl publishes in its wheel, by Loihi 2 and by SLAYER: every spike again."""

import sysconfig
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import pumice as pm
from pumice.convert.formats.netx.checks import Timing
from pumice.convert.formats.netx.reader import NetxOptions, read_netx
from pumice.runtime import Conv, Dense, Network, Population, Projection
from pumice.runtime.connections import Connection
from pumice.runtime.trace import Trace

FOLDER = Path(sysconfig.get_paths()["purelib"]) / "tests/lava/lib/dl/netx"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="lava-dl's recordings are not here")
ENGINES = ["reference", "cpu", "onnx", pytest.param("lava", marks=pytest.mark.lava)]
SLOW_ENGINES = [
    "cpu",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("reference", "onnx", "lava")),
]
# Of the recorded run of PilotNet, the layers are reset one after the other, every 17 steps.
RESET_INTERVAL, RECORDED_STEPS = 17, 24
PILOTNET_LAYERS = {
    "input0": "input-s",
    **{f"conv{k + 1}": f"conv-{k}" for k in range(5)},
    **{f"dense{k + 7}": f"fc-{k}" for k in range(3)},
    "dense10": "fc-3-s",
}


def load(name: str) -> NDArray[np.int64]:
    """Recorded values, axes (timesteps, *shape) instead of (width, height, channels, timesteps)."""
    values: NDArray[np.int64] = np.load(FOLDER / "gts" / f"{name}.npy").T.astype(np.int64)
    return values


def run(path: str, timing: Timing, events: NDArray[np.int64], engine: str) -> Trace:
    network, _ = read_netx(FOLDER / path, NetxOptions(timing=timing))
    return pm.run(network, events[:, None].astype(np.uint8), engine=engine)


def reset_in_turn(
    pipelined: NDArray[np.uint8], synchronous: NDArray[np.uint8], layer: int
) -> NDArray[np.uint8]:
    """Spikes of layer `layer` of a chip that resets it at steps `layer` + n * RESET_INTERVAL."""
    before, sample = pipelined[:layer], synchronous[:RESET_INTERVAL]
    return np.concatenate([before, sample, sample])[:RECORDED_STEPS]


@pytest.mark.parametrize("engine", ENGINES)
def test_pilotnet_lif_spikes_as_recorded_from_the_image_to_the_last_layer(engine: str) -> None:
    image = load("pilotnet_lif/image")
    events = np.broadcast_to(image, (RECORDED_STEPS, *image.shape))
    path = "gts/pilotnet_lif/network.net"
    pipelined = run(path, "pipelined", events, engine).spikes
    synchronous = run(path, "synchronous", events, engine).spikes
    compared = 0
    for number, (name, file) in enumerate(PILOTNET_LAYERS.items()):
        recorded = load(f"pilotnet_lif/{file}")[:RECORDED_STEPS]
        if name == "dense10":  # the read-out never fires
            assert not recorded.any() and name not in synchronous
        elif number == 0:  # recorded apart, with resets every 16 steps
            alone = np.concatenate([synchronous[name][:16], synchronous[name][:8]])
            np.testing.assert_array_equal(alone[:, 0], recorded)
            recorded = load("pilotnet_lif/input")
        if name in synchronous:
            ours = reset_in_turn(pipelined[name][:, 0], synchronous[name][:, 0], number)
            np.testing.assert_array_equal(ours, recorded.reshape(ours.shape))
        compared += recorded.size
    assert compared == 3_804_216


def test_pilotnet_lif_begins_behind_its_input_layer() -> None:
    options = NetxOptions(timing="synchronous", skip_layers=1)
    network, diagnostics = read_netx(FOLDER / "gts/pilotnet_lif/network.net", options)
    assert network.inputs[0].shape == (3, 66, 200) and diagnostics[0].node == "conv1"
    spikes = load("pilotnet_lif/input")[:RESET_INTERVAL, None].astype(np.uint8)
    ours = pm.run(network, spikes).spikes["conv5"][:, 0]
    np.testing.assert_array_equal(ours, load("pilotnet_lif/conv-4")[5 : 5 + RESET_INTERVAL])


@pytest.mark.parametrize("engine", ENGINES)
def test_tinynet_spikes_as_recorded(engine: str) -> None:
    image = load("tinynet/input_bias")
    trace = run("tiny.net", "synchronous", np.broadcast_to(image, (16, *image.shape)), engine)
    layers: Mapping[str, str] = {"input0": "input", "conv1": "layer1", "conv2": "output"}
    for name, file in layers.items():  # of shape (1, *shape, timesteps), one step late
        recorded = np.moveaxis(np.load(FOLDER / f"gts/tinynet/{file}.npy")[0], -1, 0)
        assert recorded.any() and not recorded[0].any()
        np.testing.assert_array_equal(trace.spikes[name][:-1, 0], recorded[1:])


@pytest.mark.parametrize("engine", SLOW_ENGINES)
def test_ntidigits_with_axonal_delays_spikes_as_recorded(engine: str) -> None:
    events = load("ntidigits/input").reshape(-1, 1, 1, 64)
    ours = run("gts/ntidigits/ntidigits.net", "slayer", events, engine).spikes["dense4"][:, 0]
    recorded = load("ntidigits/output")  # SLAYER's, which is a step late for each of four layers
    assert recorded.sum() == 22_572 and not recorded[:4].any()
    np.testing.assert_array_equal(ours[:-4], recorded[4:])


def run_sigma_delta(
    path: str, events: NDArray[np.int64], engine: str, skip_layers: int = 0
) -> Trace:
    options = NetxOptions(timing="pipelined", skip_layers=skip_layers)
    network, _ = read_netx(FOLDER / "gts/pilotnet_sdnn" / path, options)
    return pm.run(network, events[:, None], engine=engine, record="states")


@pytest.mark.parametrize("engine", ENGINES)
def test_pilotnet_sdnn_has_every_recorded_value_from_the_image_on(engine: str) -> None:
    image = load("pilotnet_sdnn/input")
    trace = run_sigma_delta("network.net", np.repeat(image, 20, axis=0), engine)
    recorded = {
        "input0": (trace.spikes, "act0"),
        "conv1": (trace.currents, "sigma1"),
        "conv2": (trace.currents, "sigma2"),
        "dense9": (trace.voltages, "output"),
    }
    for name, (ours, file) in recorded.items():
        values = load(f"pilotnet_sdnn/{file}")
        assert values.any()
        np.testing.assert_array_equal(ours[name][: len(values), 0], values)


@pytest.mark.parametrize("engine", ENGINES)
def test_square_pilotnet_sdnn_has_every_recorded_sum(engine: str) -> None:
    messages = load("pilotnet_sdnn/act0")[:, :, :33, :33]
    trace = run_sigma_delta("square_network.net", messages, engine, skip_layers=1)
    for layer in (1, 2, 3, 4):
        recorded = load(f"pilotnet_sdnn/sigma{layer}_square")
        np.testing.assert_array_equal(trace.currents[f"conv{layer}"][:, 0], recorded)


def run_block(
    connection: Connection, target: Population, events: NDArray[np.int64], engine: str, delay: int
) -> Trace:
    """Run one population on `events`, (timesteps, *shape), and a read-out of what it sends."""
    source = Population("input", events.shape[1:], "input", value_bits=16, signed=True)
    populations = [source, target]
    projections = [Projection("into", "input", target.name, connection, delay=delay)]
    if target.kind != "integrator":
        populations.append(Population("sum", (1,), "integrator", align_bits=0))
        ones = Dense(np.ones((1, target.neurons), np.int64))
        projections.append(Projection("out", target.name, "sum", ones))
    network = Network(tuple(populations), tuple(projections))
    return pm.run(network, events[:, None], engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_delta_block_sends_as_recorded(engine: str) -> None:
    waves = np.sin(2 * np.pi * np.arange(15) / 15).reshape(-1, 1, 1, 1)
    events = (np.load(FOLDER / "gts/tinynet_sdnn/input_bias.npy").T * waves).astype(np.int64)
    encoder = Population("delta", (3, 16, 16), "delta", threshold=20)
    one_to_one = Conv(np.ones((3, 1, 1, 1)), (1, 1), (0, 0), (1, 1), 3)
    trace = run_block(one_to_one, encoder, events, engine, delay=0)
    np.testing.assert_array_equal(trace.spikes["delta"][:, 0], load("tinynet_sdnn/input"))


@pytest.mark.parametrize("engine", ENGINES)
def test_dense_sigma_delta_blocks_send_as_recorded(engine: str) -> None:
    """The convolution was recorded for one step, in which its biases alone are sent.

    The read-out was recorded with connections that take each message for a spike.
    """
    recorded = load("tinynet_sdnn/layer1")
    kernels = np.load(FOLDER / "gts/tinynet_sdnn/layer1_kernel.npy")[:, ::-1, ::-1]
    bias = np.load(FOLDER / "gts/tinynet_sdnn/layer1_bias.npy")
    neurons = Population("conv", (24, 6, 6), "sigma_delta", threshold=20, bias=bias)
    conv = Conv(kernels.transpose(0, 3, 2, 1), (2, 2), (0, 0), (1, 1), 1)
    trace = run_block(conv, neurons, load("tinynet_sdnn/input"), engine, delay=1)
    np.testing.assert_array_equal(trace.spikes["conv"][0, 0], recorded[0])
    assert recorded[0].any() and not recorded[1:].any()
    flat = np.load(FOLDER / "gts/tinynet_sdnn/layer1.npy").reshape(864, 16).T
    weights = Dense(np.load(FOLDER / "gts/tinynet_sdnn/layer2_weight.npy"))
    read_out = Population("sum", (100,), "integrator", align_bits=0)
    trace = run_block(weights, read_out, (flat != 0).astype(np.int64), engine, delay=1)
    np.testing.assert_array_equal(trace.voltages["sum"][:, 0], load("tinynet_sdnn/layer2"))


def test_signed_images_reach_the_neurons_of_an_input_layer() -> None:
    path, image = FOLDER / "gts/pilotnet_lif/network.net", load("pilotnet_lif/image")
    shifted = image - 20  # a darker image: integers from -19 to 56
    options = NetxOptions(timing="synchronous", signed=True)
    network, diagnostics = read_netx(path, options)
    assert "integers from -4096 to 4095" in diagnostics[0].conversion
    events = np.repeat(shifted[None, None], 12, axis=0)
    assert events.min() < 0
    trace = pm.run(network, events, engine="reference")
    voltage, fired = np.zeros(image.shape, np.int64), []
    for _ in range(12):  # netx: v = 3/4 v + bias, rounded towards zero
        voltage = np.sign(voltage) * (np.abs(voltage) * 3072 >> 12) + (shifted << 6)
        fired.append(voltage > 25 << 6)
        voltage[fired[-1]] = 0
    np.testing.assert_array_equal(trace.spikes["input0"][:, 0], np.array(fired))
    cpu = pm.run(network, events, engine="cpu")
    for name, spikes in trace.spikes.items():
        np.testing.assert_array_equal(cpu.spikes[name], spikes)
