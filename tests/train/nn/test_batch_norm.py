import torch
from torch.nn import BatchNorm2d
from trained import TABLES, make_network, random_spikes

from pumice.train.nn.batch_norm import recalibrate_batch_norm
from pumice.train.nn.layers import SpikingLayer
from pumice.train.nn.network import SpikingNetwork
from pumice.train.nn.projections import Projection


def first_projection(network: SpikingNetwork) -> Projection:
    """The first projection of the first layer."""
    layer = network.layer_list[0]
    assert isinstance(layer, SpikingLayer)
    return layer.projection_list[0]


def test_recalibrated_statistics_are_the_mean_over_batches() -> None:
    network = make_network(TABLES["vgg9"]).quantize()
    batches = [random_spikes(network.input_shape, 2), random_spikes(network.input_shape, 3) * 0.5]
    recalibrate_batch_norm(network, batches)
    conv, norm = first_projection(network).linear, first_projection(network).norm
    assert conv is not None and isinstance(norm, BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    activations = [conv(batch.flatten(0, 1)) for batch in batches]
    means = torch.stack([each.mean(dim=(0, 2, 3)) for each in activations]).mean(dim=0)
    variances = torch.stack([each.transpose(0, 1).flatten(1).var(dim=1) for each in activations])
    assert torch.allclose(norm.running_mean, means, atol=1e-6)
    assert torch.allclose(norm.running_var, variances.mean(dim=0), rtol=1e-4)


def test_recalibration_keeps_modes_and_weights() -> None:
    network = make_network(TABLES["vgg9"]).quantize()
    before = {name: value.clone() for name, value in network.named_parameters()}
    recalibrate_batch_norm(network, [random_spikes(network.input_shape)])
    assert not network.training and all(layer.quantized for layer in network.layer_list[:1])
    norm = first_projection(network).norm
    assert isinstance(norm, BatchNorm2d) and norm.momentum == 0.1
    assert all(torch.equal(before[name], value) for name, value in network.named_parameters())
