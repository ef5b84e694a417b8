"""The benchmark of a GPU, on the CPU: what it checks, and that its steps run."""

import sys

import pytest
import torch
from torch import Tensor

from bench import gpu
from pumice.train.nn.neuron import NeuronConfig, run_forward

CPU = torch.device("cpu")
TINY = gpu.Size((2, 1, 70), 2, 2, 32, 2, 1)


def test_without_a_gpu_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main() == 2
    assert capsys.readouterr().err == gpu.NO_GPU + "\n"


def test_neurons_that_differ_in_one_value_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    neuron = NeuronConfig()
    assert gpu.compare_neurons(CPU, neuron) > 400_000
    calls = 0

    def change_one(*arguments: object) -> tuple[Tensor, Tensor]:
        nonlocal calls
        calls += 1
        out, voltages = run_forward(*arguments)  # type: ignore[arg-type]
        if calls == 2:  # the device's
            voltages[6, 4, 2999] += 1
        return out, voltages

    monkeypatch.setattr(gpu, "run_forward", change_one)
    with pytest.raises(SystemExit, match="differ from those of the CPU"):
        gpu.compare_neurons(CPU, neuron)


def test_quantized_networks_have_logits_to_compare() -> None:
    for _, network, shape in gpu.quantized_networks():
        assert gpu.compare_network(CPU, network, shape) == 6 * 16 * gpu.CLASSES


@pytest.mark.slow  # compiles two networks
@pytest.mark.filterwarnings("ignore")
def test_all_steps_run() -> None:
    titles = [table.title for table in gpu.measure(CPU, TINY)]
    assert titles == ["Neurons alone", "Small net", "SEW-ResNet-18"]
