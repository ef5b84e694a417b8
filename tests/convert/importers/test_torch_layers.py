"""Torch layers as they compute: repeated, pruned, normed, in bfloat16, or with invalid values."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from pumice.convert.importers.open import ImportOptions, import_model
from pumice.convert.importers.spikingjelly import from_spikingjelly
from pumice.convert.quantize.float_network import FloatNetwork
from pumice.runtime.errors import NetworkError


class IFNode(nn.Module):
    def __init__(self, v_threshold: Any = 1.0) -> None:
        super().__init__()
        self.v_threshold, self.v_reset = v_threshold, 0.0


class LIFNode(IFNode):
    def __init__(self, tau: Any) -> None:
        super().__init__()
        self.tau, self.decay_input = tau, True


def import_layers(*layers: Any, shape: tuple[int, ...] = (2,)) -> FloatNetwork:
    network = import_model(nn.Sequential(*layers), ImportOptions(input_shape=shape))
    assert isinstance(network, FloatNetwork)
    return network


def linear(weights: list[list[float]]) -> nn.Linear:
    layer = nn.Linear(len(weights[0]), len(weights), bias=False)
    layer.weight.data = torch.tensor(weights)
    return layer


def test_a_repeated_layer_is_imported_at_every_place() -> None:
    swap = linear([[0.0, 2.0], [2.0, 0.0]])
    network = import_layers(swap, IFNode(), swap, IFNode())
    for projection in network.projections:
        np.testing.assert_array_equal(projection.weights, [[0, 2], [2, 0]])


@pytest.mark.parametrize("nested", [False, True])
def test_a_repeated_pool_shrinks_the_image_twice(nested: bool) -> None:
    pool = nn.AvgPool2d(2)
    conv = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
    blocks = [nn.Sequential(conv[0], IFNode(), pool), nn.Sequential(conv[1], IFNode(), pool)]
    layers = blocks if nested else [layer for block in blocks for layer in block]
    network = import_layers(*layers, shape=(1, 8, 8))
    assert network.populations[-1].shape == (2, 2, 2)


def test_a_repeated_container_is_imported_at_every_place() -> None:
    block = nn.Sequential(linear([[0.0, 2.0], [2.0, 0.0]]))
    network = import_layers(block, IFNode(), block, IFNode())
    assert [p.weights.tolist() for p in network.projections] == [[[0, 2], [2, 0]]] * 2


def test_tied_weights_are_those_of_both_layers() -> None:
    first, second = linear([[0.0, 2.0], [3.0, 0.0]]), linear([[1.0, 1.0], [1.0, 1.0]])
    second.weight = first.weight
    third = linear([[1.0, 1.0], [1.0, 1.0]])
    third.weight = nn.Parameter(first.weight.t())  # not contiguous
    network = import_layers(first, IFNode(), second, IFNode(), third, IFNode())
    expected = [[[0, 2], [3, 0]], [[0, 2], [3, 0]], [[0, 3], [2, 0]]]
    assert [p.weights.tolist() for p in network.projections] == expected


def test_layers_in_lists_may_repeat_and_be_removed() -> None:
    swap = linear([[0.0, 2.0], [2.0, 0.0]])
    inner = nn.Sequential(swap, IFNode())
    inner.register_module("removed", None)
    network = import_layers(swap, IFNode(), nn.ModuleList([inner, nn.Sequential(swap, IFNode())]))
    assert [p.weights.tolist() for p in network.projections] == [[[0, 2], [2, 0]]] * 3


def test_a_container_within_itself_is_an_error() -> None:
    inner = nn.Sequential(linear([[1.0, 2.0]]), IFNode())
    inner._modules["again"] = inner
    with pytest.raises(NetworkError, match="more than 100 containers within each other"):
        import_layers(inner)


@pytest.mark.parametrize("wrapper", ["OptimizedModule", "DataParallel"])
def test_compiled_and_parallel_modules_are_those_within(wrapper: str) -> None:
    """As torch.compile and nn.DataParallel make them."""
    layers = nn.Sequential(linear([[1.0, 2.0]]), IFNode())
    outer = nn.DataParallel(layers)
    if wrapper == "OptimizedModule":
        outer = type(wrapper, (nn.Module,), {})()
        outer._orig_mod = layers
    network = import_model(outer, ImportOptions(input_shape=(2,)))
    assert isinstance(network, FloatNetwork)
    assert network.projections[0].weights.tolist() == [[1, 2]]


def test_a_class_instead_of_a_module_is_an_error() -> None:
    with pytest.raises(NetworkError, match="Linear: is a class; give an object of it"):
        import_model(nn.Linear, ImportOptions(input_shape=(2,)))


def test_repeated_neurons_are_unsupported_by_name() -> None:
    node, layer = IFNode(), nn.Linear(2, 2)
    for layers in ([layer, node, layer, node], [nn.Sequential(layer, node)] * 2):
        with pytest.raises(NetworkError, match=r"is ifnode(0\.)?1 again, whose one state"):
            import_layers(*layers)


def pruned() -> nn.Linear:
    layer = nn.Linear(2, 1, bias=False)
    prune.identity(layer, "weight")  # type: ignore[no-untyped-call]
    layer.load_state_dict(
        {"weight_orig": torch.tensor([[3.0, 4.0]]), "weight_mask": torch.tensor([[1.0, 0.0]])}
    )
    return layer


def weight_normed() -> nn.Linear:
    with pytest.warns(FutureWarning):
        layer: nn.Linear = nn.utils.weight_norm(nn.Linear(2, 1, bias=False))
    layer.load_state_dict(
        {"weight_g": torch.tensor([[5.0]]), "weight_v": torch.tensor([[3.0, 4.0]])}
    )
    return layer


def spectral_normed() -> nn.Linear:
    layer: nn.Linear = nn.utils.spectral_norm(nn.Linear(2, 1, bias=False))
    layer.weight_orig.data = torch.tensor([[6.0, 8.0]])
    return layer


def parametrized() -> nn.Linear:
    layer: nn.Linear = parametrizations.weight_norm(nn.Linear(2, 1, bias=False))
    parametrizations_of_layer: Any = layer.parametrizations
    weights = parametrizations_of_layer["weight"]
    weights.original0.data = torch.tensor([[5.0]])
    weights.original1.data = torch.tensor([[3.0, 4.0]])
    return layer


def twice_pruned() -> nn.Linear:
    layer = pruned()
    prune.random_unstructured(layer, "weight", 0)  # type: ignore[no-untyped-call]
    return layer


def masked() -> nn.Linear:
    layer: Any = nn.Linear(3, 2, bias=False)
    mask = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    prune.custom_from_mask(layer, "weight", mask)  # type: ignore[no-untyped-call]
    layer.weight_orig.data += 1
    masked_layer: nn.Linear = layer
    return masked_layer


def normed_as_a_whole() -> nn.Linear:
    whole: Any = None
    layer: nn.Linear = parametrizations.weight_norm(nn.Linear(3, 2, bias=False), dim=whole)
    return layer


def orthogonal() -> nn.Module:
    layer: nn.Module = parametrizations.orthogonal(nn.Linear(3, 2, bias=False))
    return layer


def spectral_parametrized() -> nn.Module:
    layer: nn.Module = parametrizations.spectral_norm(nn.Linear(3, 2, bias=False))
    return layer


MAKERS = (pruned, weight_normed, spectral_normed, parametrized, twice_pruned, masked)


@pytest.mark.parametrize("make", [*MAKERS, normed_as_a_whole, orthogonal, spectral_parametrized])
def test_weights_are_those_that_the_module_computes(make: Any) -> None:
    layer = make()
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    inputs = layer.in_features
    weights = import_layers(layer, IFNode(), shape=(inputs,)).projections[0].weights
    expected = layer.eval()(torch.eye(inputs)).detach().numpy().T
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert before.keys() == layer.state_dict().keys()
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


def test_pruned_bias_is_that_of_the_module() -> None:
    layer = nn.Linear(2, 2)
    prune.identity(layer, "bias")  # type: ignore[no-untyped-call]
    layer.load_state_dict(
        {**layer.state_dict(), "bias_orig": torch.ones(2), "bias_mask": torch.tensor([0.0, 1.0])}
    )
    assert import_layers(layer, IFNode()).populations[0].bias.tolist() == [0, 1]


def test_other_hooks_are_unsupported_with_their_place() -> None:
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda module, inputs, output: output * 2)
    with pytest.raises(NetworkError, match=r"has a forward hook \(.*test_torch_layers.py:\d+\)"):
        import_layers(layer, IFNode())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_of_every_real_type_are_read(dtype: torch.dtype) -> None:
    layers = nn.Sequential(nn.Linear(2, 3), IFNode(), nn.Linear(3, 3), nn.BatchNorm1d(3), IFNode())
    weighted: list[Any] = [layers[0], layers[2]]
    expected = [layer.to(dtype).weight.detach().float() for layer in weighted]
    network = import_layers(*layers.to(dtype))
    np.testing.assert_array_equal(network.projections[0].weights, expected[0])
    np.testing.assert_allclose(network.projections[1].weights, expected[1], rtol=1e-2)


ONES = nn.Parameter(torch.ones(2))


def altered(layer: Any, **values: Any) -> Any:
    """`layer` with attributes that its constructor does not take."""
    for name, value in values.items():
        setattr(layer, name, value)
    return layer


@pytest.mark.parametrize(
    "to_other",
    [
        torch.Tensor.to_sparse,
        torch.Tensor.to_sparse_csr,
        lambda weights: weights.to(torch.float8_e4m3fn),
        lambda weights: weights.to(torch.int8),
        lambda weights: weights.bool(),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_weights_of_other_layouts_and_types_are_read(to_other: Any) -> None:
    layer = nn.Linear(2, 2, bias=False)
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    layer.weight = nn.Parameter(to_other(weights), requires_grad=False)
    assert import_layers(layer, IFNode()).projections[0].weights.tolist() == weights.tolist()


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: [nn.Linear(2, 3), LIFNode(0.0)], "lifnode1: tau is 0, below one timestep"),
        (lambda: [nn.Linear(2, 3), LIFNode(float("nan"))], "lifnode1: tau is nan"),
        (lambda: [nn.Linear(2, 3), IFNode(float("nan"))], "ifnode1: v_threshold is nan"),
        (lambda: [nn.Linear(2, 3), IFNode("one")], "ifnode1: is no IFNode that can be read"),
        (lambda: [nn.Linear(2, 3), IFNode(torch.ones(0))], "ifnode1: holds an array without"),
        (lambda: [nn.Linear(2, 0), IFNode()], "linear0: holds an array without values"),
        (lambda: [nn.Linear(2, 3), LIFNode(float("inf"))], "lifnode1: tau is inf"),
        (lambda: [nn.Linear(2, 3), LIFNode(-2.0)], "lifnode1: tau is -2, below one timestep"),
        (lambda: [nn.Linear(2, 3), LIFNode(None)], "lifnode1: tau is nan"),
        (lambda: [nn.Linear(2, 3), IFNode(float("inf"))], "ifnode1: v_threshold is inf"),
        (lambda: [nn.Linear(2, 3), IFNode(0.0)], "ifnode1: v_threshold is not above v_reset"),
        (lambda: [nn.Linear(0, 3), IFNode()], "linear0: holds an array without"),
        (lambda: [nn.Conv2d(1, 0, 3), IFNode()], "conv2d0: holds an array without"),
        (lambda: [altered(nn.Linear(2, 3), weight=None), IFNode()], "weight has shape .., needs 2"),
        (lambda: [altered(nn.Linear(2, 3), weight=ONES), IFNode()], "weight has shape .2,., needs"),
        (lambda: [altered(nn.Linear(2, 3), bias=ONES), IFNode()], "bias has shape .2,., needs .3"),
        (lambda: [altered(nn.Conv2d(1, 2, 3), stride=(0, 1)), IFNode()], "0, 1. is below 1"),
        (lambda: [altered(nn.Conv2d(1, 2, 3), dilation=(0, 0)), IFNode()], "0, 0. is below 1"),
        (lambda: [altered(nn.Conv2d(1, 2, 3), padding=(-1, 0)), IFNode()], "1, 0. is below 0"),
        (lambda: [altered(nn.AvgPool2d(2), kernel_size=0), IFNode()], "0 is below 1"),
        (lambda: [altered(nn.AvgPool2d(2), divisor_override=0), IFNode()], "division by zero"),
        (lambda: [nn.Linear(2, 3), nn.BatchNorm1d(3, device="meta"), IFNode()], "holds no values"),
        (lambda: [nn.Linear(2, 3), IFNode(torch.ones(3, device="meta"))], "holds no values"),
        (lambda: [nn.Linear(2, 3, device="meta"), IFNode()], "linear0: holds no values"),
        (lambda: [nn.Linear(2, 3, dtype=torch.cfloat), IFNode()], "linear0: holds complex"),
    ],
)
def test_invalid_values_are_errors_of_one_line(make: Any, text: str) -> None:
    with pytest.raises(NetworkError, match=text) as caught:
        from_spikingjelly(make(), (2,))
    assert "\n" not in str(caught.value)
