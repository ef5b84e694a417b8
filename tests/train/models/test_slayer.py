"""Networks trained with SLAYER spike in pumice as they do there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lavadl import require_slayer

from pumice.convert import QuantizationReport
from pumice.runtime import logits_over_time
from pumice.runtime.engines.reference import run
from pumice.train import convert_with_report, load_recipe, read_trained_model, train_recipe
from pumice.train.data import Dataset, FrameSet
from pumice.train.models.slayer import SlayerNet

RECIPE = """
[data]
timesteps = 6
[network]
name = "slayer"
channels = [4]
kernels = [3]
strides = [2]
hidden = [12]
[training]
epochs = 2
qat_epochs = 1
batch_size = 8
lr = 1e-2
"""


@pytest.fixture(autouse=True)
def library() -> None:
    require_slayer()


def bars() -> Dataset:
    """Twenty clips of a vertical or a horizontal bar."""
    rng = np.random.default_rng(8)
    labels = np.arange(20) % 2
    frames = (rng.random((20, 6, 2, 6, 6)) < 0.1).astype(np.uint8)
    frames[labels == 0, :, :, 2] = 1
    frames[labels == 1, :, :, :, 2] = 1
    samples = FrameSet(frames.swapaxes(0, 1), labels)
    return Dataset("bars", samples, samples, 2, "00", {})


def events(network: SlayerNet, value_bits: int = 1) -> torch.Tensor:
    random = torch.Generator().manual_seed(3)
    max_value = (1 << value_bits) - 1
    shape = 8, 3, *network.input_shape
    values = torch.randint(1, max_value + 1, shape, generator=random)
    return (values * (torch.rand(shape, generator=random) < 0.35)).float()


def test_a_trained_slayer_network_equals_its_conversion(tmp_path: Path) -> None:
    recipe = tmp_path / "bars.toml"
    recipe.write_text(RECIPE)
    trained = train_recipe(load_recipe(str(recipe)), bars(), tmp_path / "run")
    again = read_trained_model(tmp_path / "run")
    network, report = convert_with_report(again)
    assert (
        report == QuantizationReport()
        and network.provenance["recipe"]["network"]["name"] == "slayer"
    )
    inputs = torch.from_numpy(bars().test.events.copy()).float()
    with torch.no_grad():
        spikes = trained.network.features(inputs)
        predictions = trained.network.quantize()(inputs).cumsum(dim=0).argmax(dim=-1)
    trace = run(network, inputs.numpy().astype(np.uint8))
    assert np.array_equal(trace.spikes["dense2"], spikes.numpy())
    assert 0.01 < spikes.mean() < 0.99
    assert np.array_equal(logits_over_time(network, trace).argmax(axis=-1), predictions.numpy())


@pytest.mark.parametrize(("channels", "hidden"), [((3, 4), ()), ((), (9, 7))])
def test_every_converted_block_spikes_as_in_slayer(
    channels: tuple[int, ...], hidden: tuple[int, ...]
) -> None:
    torch.manual_seed(1)
    network = SlayerNet((2, 9, 8), 3, channels, hidden)
    trace_of = run(network.to_network(), events(network).numpy().astype(np.uint8))
    values = torch.movedim(events(network), 0, -1)
    with torch.no_grad():
        for block in network.blocks:
            values = block(values)
    last = network.to_network().projections[-1].source
    expected = torch.movedim(values, -1, 0).numpy()
    assert np.array_equal(trace_of.spikes[last], expected) and 0.01 < expected.mean() < 0.99


def test_gradients_reach_the_weights_of_every_block() -> None:
    torch.manual_seed(1)
    network = SlayerNet((2, 9, 8), 3, (4, 4))
    network(events(network)).square().sum().backward()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and float(parameter.grad.abs().sum()) > 0, name
