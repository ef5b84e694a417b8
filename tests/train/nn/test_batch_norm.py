import torch
from torch.nn import BatchNorm2d
from trained import TABLES, make_network, random_spikes

from pumice.train.nn.batch_norm import recalibrate_batch_norm
from pumice.train.nn.layers import SpikingLayer
from pumice.train.nn.network import SpikingNetwork
from pumice.train.nn.projections import Projection


def first_of(built: SpikingNetwork) -> Projection:
    """What drives the first layer."""
    layer = built.layer_list[0]
    assert isinstance(layer, SpikingLayer)
    return layer.projection_list[0]


def test_recalibrated_statistics_are_the_mean_over_batches() -> None:
    built = make_network(TABLES["vgg9"]).quantize()
    batches = [random_spikes(built.input_shape, 2), random_spikes(built.input_shape, 3) * 0.5]
    recalibrate_batch_norm(built, batches)
    conv, norm = first_of(built).linear, first_of(built).norm
    assert conv is not None and isinstance(norm, BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    driven = [conv(batch.flatten(0, 1)) for batch in batches]
    means = torch.stack([each.mean(dim=(0, 2, 3)) for each in driven]).mean(dim=0)
    spread = torch.stack([each.transpose(0, 1).flatten(1).var(dim=1) for each in driven])
    assert torch.allclose(norm.running_mean, means, atol=1e-6)
    assert torch.allclose(norm.running_var, spread.mean(dim=0), rtol=1e-4)


def test_recalibration_keeps_modes_and_weights() -> None:
    built = make_network(TABLES["vgg9"]).quantize()
    before = {name: value.clone() for name, value in built.named_parameters()}
    recalibrate_batch_norm(built, [random_spikes(built.input_shape)])
    assert not built.training and all(layer.quantized for layer in built.layer_list[:1])
    norm = first_of(built).norm
    assert isinstance(norm, BatchNorm2d) and norm.momentum == 0.1
    assert all(torch.equal(before[name], value) for name, value in built.named_parameters())
