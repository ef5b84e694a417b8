"""Training: datasets, spiking layers and architectures, losses, the training loop, evaluation.

    data/        datasets, readers, augmentation
    nn/          spiking layers, projections, batch norm, surrogate gradients
    models/      architectures
    losses/      losses on the logits of every timestep
    engine/      training loop, checkpoints, distributed training
    evaluation/  accuracy over time, linear probes, k-nearest neighbors, fine-tuning
    ssl/         self-supervised pretraining and PredNext
    hrsnn/       heterogeneous recurrent networks trained with STDP
    recipes/     training runs as TOML files
    export       conversion of trained models to the integer `Network`

Names are imported when they are first used: reading data needs no torch.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engine.checkpoint import TrainedModel as TrainedModel
    from .engine.checkpoint import read_trained_model as read_trained_model
    from .engine.checkpoint import write_trained_model as write_trained_model
    from .engine.fit import train_recipe as train_recipe
    from .engine.train import train as train
    from .evaluation.evaluate import accuracy_from_logits as accuracy_from_logits
    from .evaluation.evaluate import evaluate as evaluate
    from .evaluation.evaluate import expected_calibration_error as expected_calibration_error
    from .evaluation.evaluate import model_accuracy as model_accuracy
    from .evaluation.evaluate import network_accuracy as network_accuracy
    from .evaluation.evaluate import predict_logits as predict_logits
    from .evaluation.evaluate import prediction_agreement as prediction_agreement
    from .evaluation.evaluate import run_logits as run_logits
    from .export import convert as convert
    from .export import convert_with_report as convert_with_report
    from .models import build_model as build_model
    from .nn.layers import SpikingLayer as SpikingLayer
    from .nn.network import SpikingNetwork as SpikingNetwork
    from .nn.network import to_float_network as to_float_network
    from .nn.neuron import NeuronConfig as NeuronConfig
    from .nn.neuron import lif as lif
    from .recipes.loader import list_recipes as list_recipes
    from .recipes.loader import load_recipe as load_recipe
    from .recipes.recipe import Recipe as Recipe

# torch and numba each start OpenMP threads, which by default spin while idle and slow each other
# down severalfold on few cores. Must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

EXPORTS = {
    "NeuronConfig": "nn.neuron",
    "Recipe": "recipes.recipe",
    "SpikingLayer": "nn.layers",
    "SpikingNetwork": "nn.network",
    "TrainedModel": "engine.checkpoint",
    "accuracy_from_logits": "evaluation.evaluate",
    "build_model": "models",
    "convert": "export",
    "convert_with_report": "export",
    "evaluate": "evaluation.evaluate",
    "expected_calibration_error": "evaluation.evaluate",
    "lif": "nn.neuron",
    "list_recipes": "recipes.loader",
    "load_recipe": "recipes.loader",
    "model_accuracy": "evaluation.evaluate",
    "network_accuracy": "evaluation.evaluate",
    "predict_logits": "evaluation.evaluate",
    "prediction_agreement": "evaluation.evaluate",
    "read_trained_model": "engine.checkpoint",
    "run_logits": "evaluation.evaluate",
    "to_float_network": "nn.network",
    "train": "engine.train",
    "train_recipe": "engine.fit",
    "write_trained_model": "engine.checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{EXPORTS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *EXPORTS})
