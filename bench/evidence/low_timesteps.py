"""Losses for low-latency inference on events, by fit: the part `low-timesteps`.

Every loss trains one small network on garments before an event sensor (`fashion-events`), in three
regimes of equal compute (84,000 samples): 6,000 augmented samples, which the network underfits;
1,000 augmented ones; and 1,000 without augmentation, which it overfits. The last epochs are
quantization-aware. The network is stopped after each timestep, in float and in integers, on all
10,000 test samples. Training samples are drawn by the seed; 2,000 validation samples, never trained
on, are those on which weights and temperatures were compared.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.evidence.accuracy_tables import BASELINE, Labels, make_page
from bench.evidence.cells import Cell, CellResult, Context, Page, Part, Results, pack_bits
from pumice.runtime.engines import cpu
from pumice.runtime.op_counts import count_ops
from pumice.train import Recipe, TrainedModel, convert, predict_logits, run_logits, train_recipe
from pumice.train.data import Dataset, FrameSet, load

NAME = "low-timesteps"
FOLDER = "fashion_mnist"
SEEDS = 5
VALIDATION = 2_000
POOL_SEED = 60_000  # draws the validation samples, for all cells
WEIGHTS = (0.1, 0.3, 1.0)
TEMPERATURES = (1.0, 2.0, 4.0)

LOSSES: dict[str, dict[str, Any]] = {
    BASELINE: {"cross_entropy": {}},
    "PKD": {"cross_entropy": {}, "prefix_distillation": {}},
    "TET": {"tet": {}},
    "ETC": {"cross_entropy": {}, "etc": {}},
    "TCL": {"tet": {}, "tcl": {}},
    "STCL": {"tet": {}, "stcl": {}},
    "prefix CE": {"cross_entropy": {}, "prefix_cross_entropy": {}},
    "TPD": {"cross_entropy": {}, "tpd": {}},
    "TPD with TET": {"tet": {}, "tpd": {}},
    "TWSD": {"tet": {}, "twsd": {}},
    "TWSD and TPD": {"tet": {}, "twsd": {}, "tpd": {}},
    "W2S": {"cross_entropy": {}, "weak_to_strong": {}},
    "S2W": {"cross_entropy": {}, "strong_to_weak": {}},
}
PUBLISHED = ("TET", "ETC", "TCL", "STCL", "TPD with TET", "TWSD", "TWSD and TPD", "W2S", "S2W")
SHIFTED = {"shift": 1, "flip": True}
REGIMES: dict[str, dict[str, Any]] = {
    "underfit": {"samples": 6_000, "epochs": 14, "qat_epochs": 4, "augment": SHIFTED},
    "well-fit": {"samples": 1_000, "epochs": 84, "qat_epochs": 24, "augment": SHIFTED},
    "overfit": {"samples": 1_000, "epochs": 84, "qat_epochs": 24, "augment": {}},
}
# Variants of one setting, in the first regime. Each is the table of a recipe that it changes.
NETWORKS: dict[str, dict[str, Any]] = {
    "wider": {"channels": [32, 64], "hidden": [256]},
    "decay 0.8": {"neuron": {"voltage_decay": 0.8}},
    "decay 0.2": {"neuron": {"voltage_decay": 0.2}},
}
QUICK: dict[str, Any] = {"samples": 100, "epochs": 2, "qat_epochs": 1, "test": 100}


def list_cells(context: Context, results: Results) -> list[Cell]:
    """List the cells: the first regime seed by seed, then the others, then the ablations."""
    if not context.has(FOLDER):
        return []
    if context.quick:
        return [make_cell(loss, "underfit", 0, quick=True) for loss in (BASELINE, "PKD")]
    first, second, *others = REGIMES
    cells = [make_cell(loss, first, seed) for seed in range(SEEDS) for loss in list(LOSSES)[:6]]
    cells += [make_cell(loss, first, seed) for seed in range(SEEDS) for loss in list(LOSSES)[6:]]
    for seed in range(SEEDS):
        cells += [make_cell(loss, r, seed) for r in (second, *others) for loss in list(LOSSES)[:6]]
    cells += list_sweeps()
    for seed in range(2):
        cells += [
            make_cell(loss, first, seed, each) for each in NETWORKS for loss in list(LOSSES)[:2]
        ]
    return cells


def list_sweeps() -> Iterator[Cell]:
    """Yield the cells of PKD's weight, its schedule and its temperature."""
    tables: list[tuple[str, dict[str, Any]]] = [
        (f"weight {weight:g}", {"weight": weight}) for weight in WEIGHTS if weight != 0.3
    ]
    tables += [(f"temperature {t:g}", {"temperature": t}) for t in TEMPERATURES if t != 2]
    tables.append(("weight 1 to 0.1", {"weight": 1.0, "final_weight": 0.1}))
    for seed in range(2):
        for name, table in tables:
            loss = {"cross_entropy": {}, "prefix_distillation": table}
            settings = {**make_cell("PKD", "underfit", seed).settings, "loss": loss}
            yield Cell(NAME, f"PKD, {name}, underfit", settings, seed)


def make_cell(loss: str, regime: str, seed: int, network: str = "", quick: bool = False) -> Cell:
    """Make the cell of a loss in a regime, with the network or a variant of it."""
    changes = QUICK if quick else {}
    settings = {
        **REGIMES[regime],
        "loss": LOSSES[loss],
        "network": {**NETWORK, **NETWORKS.get(network, {})},
        "test": None,
        **changes,
    }
    name = ", ".join(part for part in (loss, network, regime) if part)
    return Cell(NAME, name, settings, seed)


NETWORK: dict[str, Any] = {
    "channels": [16, 32],
    "kernels": [3, 3],
    "strides": [1, 2],
    "hidden": [128],
    "neuron": {"voltage_decay": 0.5},
}


def measure(cell: Cell, context: Context) -> dict[str, Any]:
    """Train the network of a cell, and read the test samples once."""
    settings = cell.settings
    recipe = Recipe.model_validate(
        {
            "data": {"name": "fashion-events", "timesteps": 10, "folder": context.data / FOLDER},
            "network": settings["network"],
            "loss": settings["loss"],
            "augment": settings["augment"],
            "training": {
                "epochs": settings["epochs"],
                "qat_epochs": settings["qat_epochs"],
                "batch_size": 50 if context.quick else 64,
                "lr": 4e-3,
                "weight_decay": 1e-2,
                "num_workers": 0,
                "seed": cell.seed,
            },
        }
    )
    data, validation = draw_samples(load(**recipe.data.model_dump()), settings, cell.seed)
    with tempfile.TemporaryDirectory() as run:
        trained = train_recipe(recipe, data, Path(run))
    return evaluate_model(trained, data, validation)


def draw_samples(data: Dataset, settings: Mapping[str, Any], seed: int) -> tuple[Dataset, FrameSet]:
    """Draw training and validation samples from the training part."""
    order = np.random.default_rng(POOL_SEED).permutation(len(data.train))
    held_out, pool = order[:VALIDATION], order[VALIDATION:]
    chosen = np.random.default_rng(seed).permutation(pool)[: settings["samples"]]
    train, test = (in_memory(part) for part in (data.train[chosen], data.test[: settings["test"]]))
    drawn = Dataset(data.name, train, test, data.classes, data.digest, data.provenance)
    return drawn, in_memory(data.train[held_out][: settings["test"]])


def in_memory(samples: FrameSet) -> FrameSet:
    """Read all samples once."""
    return FrameSet(samples.events, samples.labels)


def evaluate_model(trained: TrainedModel, data: Dataset, validation: FrameSet) -> dict[str, Any]:
    """Evaluate a model when it is stopped after each timestep.

    `float` and `integer` hold for each timestep and test sample whether it is classified correctly,
    `alone` the accuracy of the logits that each timestep adds, `train` that of training samples.
    """
    torch.set_num_threads(1)
    test, network = data.test, convert(trained)
    logits = predict_logits(trained.network, test, quantized=False)
    integers = run_logits(network, test, cpu.run)
    each = np.diff(integers, axis=0, prepend=np.zeros_like(integers[:1]))
    accuracies = {
        "validation": run_logits(network, validation, cpu.run),
        "train": run_logits(network, data.train, cpu.run),
    }
    labels = {"validation": validation.labels, "train": data.train.labels}
    return {
        "float": pack_bits(is_correct(logits, test.labels)),
        "integer": pack_bits(is_correct(integers, test.labels)),
        "alone": is_correct(each, test.labels).mean(axis=1).tolist(),
        **{
            name: is_correct(part, labels[name]).mean(axis=1).tolist()
            for name, part in accuracies.items()
        },
        "operations": count_operations(network, test),
        "samples": {"train": len(data.train), "validation": len(validation), "test": len(test)},
    }


def is_correct(logits: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each sample is classified correctly after each timestep, (timesteps, samples)."""
    correct: NDArray[np.bool_] = logits.argmax(axis=-1) == labels
    return correct


def count_operations(network: Any, test: FrameSet) -> float:
    """Synaptic operations per sample of all timesteps, mean of up to 500 samples."""
    events = test[:500].events
    counts = count_ops(network, cpu.run(network, events, "output"))
    return float(counts.total_synaptic_operations.mean())


def report(results: Sequence[CellResult], folder: Path) -> Page:
    """Tables by regime, sweeps, and the claims of the papers."""
    regimes = list(REGIMES)
    labels = Labels("fashion-events", regimes, PUBLISHED, f"{VALIDATION:,} validation samples")
    return make_page(results, labels, folder)


PART = Part(
    NAME,
    list_cells,
    measure,
    report,
    (
        "bench/evidence/low_timesteps.py",
        "train/losses/*.py",
        "train/nn/neuron.py",
        "train/nn/layers.py",
        "train/nn/network.py",
        "train/nn/lif_ops.py",
        "train/models/conv.py",
        "train/engine/training_module.py",
        "train/data/augment.py",
        "train/data/fashion_events.py",
        "train/data/saccades.py",
        "train/data/sensor.py",
    ),
)
