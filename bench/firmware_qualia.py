"""Generate C code with qualia-codegen, for `bench.firmware --qualia PYTHON`.

Runs in an environment of its own, since qualia-codegen is AGPL-licensed:

    pip install qualia-codegen-core qualia-codegen-plugin-snn spikingjelly==2.0.0 tabulate
    python bench/firmware_qualia.py float FOLDER [SHAPE]      (or int8)

The network has the shape of the demo's, or of the spoken digits' (SHAPE: spoken-digits) without the
recurrent synapses, which qualia-codegen does not have; with integrate-and-fire neurons and random
weights: work and memory of the generated code do not depend on them.
"""

import sys
from pathlib import Path
from typing import Any


def main(kind: str, folder: Path, shape: str = "demo") -> None:
    from qualia_codegen_core.graph.RoundMode import RoundMode
    from qualia_codegen_plugin_snn import Converter
    from qualia_codegen_plugin_snn.graph import TorchModelGraph

    graph = TorchModelGraph(MODELS[shape]().eval()).convert()
    for node in graph.nodes:
        quantization = node.q
        quantization.weights_round_mode = quantization.output_round_mode = RoundMode.FLOOR
        is_float = kind == "float"
        quantization.number_type = float if is_float else int
        quantization.width, quantization.long_width = (32, 32) if is_float else (8, 32)
        quantization.weights_scale_factor = quantization.bias_scale_factor = 0 if is_float else 5
        quantization.output_scale_factor = 0 if is_float else 4
    if not Converter(output_path=folder).convert_model(graph):
        raise SystemExit("qualia-codegen failed")


def make_demo_model() -> Any:
    from spikingjelly.activation_based.neuron import IFNode
    from torch import nn

    model = nn.Sequential(
        nn.Conv2d(2, 16, 3, padding=1),
        IFNode(v_reset=None),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        IFNode(v_reset=None),
        nn.Flatten(),
        nn.Linear(2048, 128),
        IFNode(v_reset=None),
        nn.Linear(128, 10),
    )
    model.input_shape, model.is_snn = (8, 16, 16, 2), True
    return model


def make_spoken_digits_model() -> Any:
    from spikingjelly.activation_based.neuron import IFNode
    from torch import nn

    layers: list[Any] = []
    inputs = 1
    for channels in (16, 32, 48):
        layers += [nn.Conv2d(inputs, channels, 3, stride=2, padding=1), IFNode(v_reset=None)]
        inputs = channels
    layers += [nn.Flatten(), nn.Linear(192, 128), IFNode(v_reset=None), nn.Linear(128, 10)]
    model = nn.Sequential(*layers)
    model.input_shape, model.is_snn = (6, 32, 5, 1), True
    return model


MODELS = {"demo": make_demo_model, "spoken-digits": make_spoken_digits_model}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
