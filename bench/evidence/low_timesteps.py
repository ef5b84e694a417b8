"""Losses for low-latency inference: the part `low-timesteps`.

Every loss trains the same small network for the same number of samples on each of the beds
(`bench.evidence.beds`), of which `fashion-events` has three regimes of fit. The last epochs are
quantization-aware. The network is stopped after each timestep, in float and in integers.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.evidence.accuracy_tables import BASELINE, OWN, Tables, make_page
from bench.evidence.beds import BEDS, make_settings, prepare
from bench.evidence.cells import Cell, CellResult, Context, Page, Part, Results, pack_bits
from pumice.runtime import Network
from pumice.runtime.engines import cpu
from pumice.runtime.exit_calibration import calibrate_by_accuracy, evaluate_exits
from pumice.runtime.op_counts import count_ops
from pumice.train import TrainedModel, convert, predict_logits, run_logits, train_recipe
from pumice.train.data import Dataset, FrameSet

NAME = "low-timesteps"
FIRST_BED = "fashion-events"
SEEDS, ABLATION_SEEDS = 5, 2
MAX_EXIT_LOSS = 0.005  # of early exit, on validation samples
Loss = Mapping[str, Mapping[str, Any]]

MAIN: dict[str, Loss] = {
    BASELINE: {"cross_entropy": {}},
    OWN: {"cross_entropy": {}, "prefix_distillation": {}},
    "TET": {"tet": {}},
    "ETC": {"cross_entropy": {}, "etc": {}},
    "TCL": {"tet": {}, "tcl": {}},
    "STCL": {"tet": {}, "stcl": {}},
}
FURTHER: dict[str, Loss] = {
    "prefix CE": {"cross_entropy": {}, "prefix_cross_entropy": {}},
    "TPD": {"cross_entropy": {}, "tpd": {}},
    "TPD with TET": {"tet": {}, "tpd": {}},
    "TWSD": {"tet": {}, "twsd": {}},
    "TWSD and TPD": {"tet": {}, "twsd": {}, "tpd": {}},
    "W2S": {"cross_entropy": {}, "weak_to_strong": {}},
    "S2W": {"cross_entropy": {}, "strong_to_weak": {}},
}
LOSSES = MAIN | FURTHER
PUBLISHED = ("TET", "ETC", "TCL", "STCL", "TPD with TET", "TWSD", "TWSD and TPD", "W2S", "S2W")
# Options of PKD, of which the table of the ablation compares validation accuracies.
SWEEP: dict[str, dict[str, Any]] = {
    "weight 0.1": {"weight": 0.1},
    "weight 1": {"weight": 1.0},
    "weight 1 to 0.1": {"weight": 1.0, "final_weight": 0.1},
    "temperature 1": {"temperature": 1.0},
    "temperature 4": {"temperature": 4.0},
}
NETWORKS: dict[str, dict[str, Any]] = {
    "wider network": {"channels": [32, 64], "hidden": [256]},
    "decay 0.2": {"neuron": {"voltage_decay": 0.2}},
    "decay 0.8": {"neuron": {"voltage_decay": 0.8}},
}


def list_cells(context: Context, results: Results) -> list[Cell]:
    """List the cells, seed by seed, so that an interrupted run compares all losses."""
    present = [name for name, bed in BEDS.items() if context.has(bed.folder)]
    if context.quick:
        return [
            make_cell(loss, bed, next(iter(BEDS[bed].regimes)), 0)
            for bed in present[:1]
            for loss in (BASELINE, OWN)
        ]
    return [
        cell
        for seed in range(SEEDS)
        for listed in (list_main(present, seed), list_further(present, seed))
        for cell in listed
    ]


def list_main(present: Sequence[str], seed: int) -> Iterator[Cell]:
    """Yield the main losses on all beds, the first regime of each."""
    for bed in present:
        regime = next(iter(BEDS[bed].regimes))
        for fold in range(max(BEDS[bed].folds, 1)):
            yield from (make_cell(loss, bed, regime, seed, fold) for loss in MAIN)


def list_further(present: Sequence[str], seed: int) -> Iterator[Cell]:
    """Yield further losses, other regimes of fit, and the ablations, on the first bed."""
    if FIRST_BED not in present:
        return
    first, *others = BEDS[FIRST_BED].regimes
    yield from (make_cell(loss, FIRST_BED, first, seed) for loss in FURTHER)
    for regime in others:
        yield from (make_cell(loss, FIRST_BED, regime, seed) for loss in MAIN)
    if seed < ABLATION_SEEDS:
        for name, table in SWEEP.items():
            loss = {"cross_entropy": {}, "prefix_distillation": table}
            settings = make_settings(FIRST_BED, first, loss)
            yield Cell(NAME, f"{OWN}, {name} | {FIRST_BED}, {first}", settings, seed)
        for name, table in NETWORKS.items():
            for each in (BASELINE, OWN):
                settings = make_settings(FIRST_BED, first, LOSSES[each])
                network = {**settings["recipe"]["network"], **table}
                settings["recipe"] = {**settings["recipe"], "network": network}
                yield Cell(NAME, f"{each} | {FIRST_BED}, {name}", settings, seed)


def make_cell(loss: str, bed: str, regime: str, seed: int, fold: int = 0) -> Cell:
    """Make the cell of a loss; its name is "LOSS | BED, REGIME"."""
    settings = make_settings(bed, regime, LOSSES[loss], fold)
    return Cell(NAME, f"{loss} | {', '.join(filter(None, (bed, regime)))}", settings, seed)


def measure(cell: Cell, context: Context) -> dict[str, Any]:
    """Train the network of a cell, and read the test samples once."""
    torch.set_num_threads(1)
    recipe, data = prepare(cell.settings, cell.seed, context)
    with tempfile.TemporaryDirectory() as run:
        trained = train_recipe(recipe, data, Path(run))
    return evaluate_model(trained, data)


def evaluate_model(trained: TrainedModel, data: Dataset) -> dict[str, Any]:
    """Evaluate a model when it is stopped after each timestep.

    `float` and `integer` hold for each timestep and test sample whether it is classified correctly,
    `alone` the accuracy of the logits that each timestep adds, `train` and `validation` that of
    other samples, of the integers. Early exit is calibrated on validation samples, to lose at most
    half a point of their accuracy; `exit` holds the mean number of timesteps and the accuracy lost.
    """
    test, network = data.test, convert(trained)
    logits = predict_logits(trained.network, test, quantized=False)
    integers = run_logits(network, test, cpu.run)
    each = np.diff(integers, axis=0, prepend=np.zeros_like(integers[:1]))
    parts = {"train": data.train, "validation": data.validation}
    return {
        "float": pack_bits(is_correct(logits, test.labels)),
        "integer": pack_bits(is_correct(integers, test.labels)),
        "alone": is_correct(each, test.labels).mean(axis=1).tolist(),
        **{name: measure_accuracy(network, part) for name, part in parts.items() if part},
        **({"exit": measure_exit(network, integers, data)} if data.validation else {}),
        "operations": count_operations(network, test),
        "samples": {"train": len(data.train), "test": len(test)},
    }


def is_correct(logits: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Correctness of the class of each sample after each timestep, (timesteps, samples)."""
    correct: NDArray[np.bool_] = logits.argmax(axis=-1) == labels
    return correct


def measure_accuracy(network: Network, samples: FrameSet) -> list[float]:
    """Accuracy after each timestep, 0 to 1."""
    accuracy: list[float] = (
        is_correct(run_logits(network, samples, cpu.run), samples.labels).mean(axis=1).tolist()
    )
    return accuracy


def measure_exit(network: Network, logits: NDArray[np.int64], data: Dataset) -> dict[str, float]:
    """Mean timesteps and lost accuracy, 0 to 1, of test samples with early exit."""
    assert data.validation is not None
    held_out = run_logits(network, data.validation, cpu.run)
    risk = max(MAX_EXIT_LOSS, 1 / (len(data.validation) + 1))
    rule = calibrate_by_accuracy(held_out, data.validation.labels, risk)
    found = evaluate_exits(logits, data.test.labels, rule)
    return {"steps": found.mean_steps, "lost": found.full_accuracy - found.accuracy}


def count_operations(network: Network, test: FrameSet) -> float:
    """Synaptic operations per sample of all timesteps, mean of up to 500 samples."""
    counts = count_ops(network, cpu.run(network, test[:500].events, "output"))
    return float(counts.total_synaptic_operations.mean())


def report(results: Sequence[CellResult], folder: Path) -> Page:
    """Tables by bed and regime, and the claims of the papers."""
    titles = [
        ", ".join(filter(None, (name, regime)))
        for name, bed in BEDS.items()
        for regime in bed.regimes
    ]
    titles += [f"{FIRST_BED}, {name}" for name in NETWORKS]
    return make_page(results, Tables(titles, PUBLISHED), folder)


PART = Part(
    NAME,
    list_cells,
    measure,
    report,
    (
        "bench/evidence/beds.py",
        "train/losses/*.py",
        "train/nn/neuron.py",
        "train/nn/layers.py",
        "train/nn/network.py",
        "train/nn/lif_ops.py",
        "train/nn/lif_kernels.py",
        "train/models/conv.py",
        "train/engine/training_module.py",
        "train/data/augment.py",
        "train/data/fashion_events.py",
        "train/data/saccades.py",
        "train/data/sensor.py",
    ),
)
