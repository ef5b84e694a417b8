"""Accuracy against weight bits: `python -m bench.quantization --folder N-MNIST`, ten minutes.

Trains the recipe `nmnist` with a third of the recordings held out, a different third for each seed:
in float; with post-training quantization, with and without calibration on training samples, with
one scale per layer and per channel; and with quantization-aware training in the last third of the
epochs. Results are written to a JSON file after each training run, and a Markdown table is printed
at the end.
"""

import argparse
import json
import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bench.results import Table, add_json_option, print_table, write_result
from pumice.runtime.files import atomic_write

BITS = (8, 7, 6, 5, 4)
TRAINED_BITS = (8, 4)
CALIBRATION = 128
TEST_PER_CLASS = 30
QUICK = (
    "training.epochs=6",
    "training.qat_epochs=2",
    "training.batch_size=16",
    "network.channels=[8,16]",
    "network.hidden=[64]",
)
Cell = dict[str, Any]
RunKey = tuple[int, int]


def list_runs(seeds: int) -> Iterator[RunKey]:
    """Yield seed and bits of every training run; 0 bits mean float."""
    for seed in range(seeds):
        for bits in (0, *TRAINED_BITS):
            yield seed, bits


def measure_run(part: RunKey, folder: Path, quick: bool) -> list[Cell]:
    """Train one network and measure the accuracy of each of its forms on the held-out samples."""
    import torch

    from pumice.train import load_recipe, model_accuracy, train_recipe

    torch.set_num_threads(1)
    seed, bits = part
    changes = [f"training.seed={seed}", f"network.neuron.weight_bits={bits or 8}"]
    changes += QUICK if quick else ()
    if not bits:
        changes.append("training.qat_epochs=0")
    recipe = load_recipe("nmnist", changes)
    data = load_split(recipe.data.model_dump() | {"folder": folder}, seed, quick)
    start = perf_counter()
    with tempfile.TemporaryDirectory() as run:
        trained = train_recipe(recipe, data, Path(run) / "run")
    seconds = perf_counter() - start
    accuracy = float(model_accuracy(trained.network, data.test, bool(bits))[-1])
    name = f"quantization-aware, {bits} bits" if bits else "float"
    cell = {
        "seed": seed,
        "form": name,
        "bits": bits or 32,
        "accuracy": accuracy,
        "seconds": seconds,
    }
    return [cell] if bits else [cell, *measure_quantized(trained.network, data, seed, quick)]


def measure_quantized(network: Any, data: Any, seed: int, quick: bool) -> list[Cell]:
    """Measure the accuracy of `network` after every form of post-training quantization."""
    from pumice.convert.quantize.calibration import calibrate
    from pumice.convert.quantize.float_network import set_weight_bits, use_per_channel_scales
    from pumice.convert.quantize.quantize import quantize_network
    from pumice.runtime.engines.cpu.engine import run
    from pumice.train import network_accuracy, to_float_network

    model = to_float_network(network)
    events = data.train.events[:, :CALIBRATION]
    cells = []
    for bits in TRAINED_BITS if quick else BITS:
        for scale, scaled in (("layer", model), ("channel", use_per_channel_scales(model))):
            for search in (False, True):
                start = perf_counter()
                calibrated, layers = calibrate(set_weight_bits(scaled, bits), events, search)
                seconds = perf_counter() - start
                accuracy = float(
                    network_accuracy(quantize_network(calibrated)[0], data.test, run)[-1]
                )
                changed = sum(layer.spike_errors for layer in layers) / sum(
                    layer.spikes for layer in layers
                )
                form = f"{'calibrated' if search else 'rounded'}, one scale per {scale}"
                cells.append(
                    {"seed": seed, "form": form, "bits": bits, "accuracy": accuracy,
                     "spikes_changed": changed, "seconds": seconds}
                )  # fmt: skip
    return cells


def load_split(options: dict[str, Any], seed: int, quick: bool) -> Any:
    """Load all recordings and hold out a third of them, chosen by `seed`."""
    from pumice.train.data import FrameSet, load
    from pumice.train.data.dataset import hold_out

    data = load(**options)
    both = data.train, data.test
    samples = FrameSet(
        np.concatenate([part.events for part in both], axis=1),
        np.concatenate([part.labels for part in both]),
    )
    train, test = hold_out(samples, TEST_PER_CLASS, seed)
    if quick:
        train = train[:300]
    return replace(data, train=train, test=test)


def summarize(cells: list[Cell]) -> list[dict[str, Any]]:
    """Summarize accuracy by form and bits, and its loss against float in percentage points."""
    baseline = {cell["seed"]: cell["accuracy"] for cell in cells if cell["bits"] == 32}
    rows = []
    for form, bits in dict.fromkeys((cell["form"], cell["bits"]) for cell in cells):
        chosen = [
            c for c in cells if (c["form"], c["bits"]) == (form, bits) and c["seed"] in baseline
        ]
        if chosen:
            lost = [100 * (baseline[c["seed"]] - c["accuracy"]) for c in chosen]
            mean = 100 * float(np.mean([c["accuracy"] for c in chosen]))
            spikes = float(np.mean([c.get("spikes_changed", np.nan) for c in chosen]))
            rows.append(
                {"form": form, "bits": bits, "seeds": len(chosen), "accuracy": mean,
                 "lost": float(np.mean(lost)), "max_lost": max(lost),
                 "spikes_changed": None if np.isnan(spikes) else spikes}
            )  # fmt: skip
    return rows


def write_results(path: Path, cells: list[Cell], arguments: dict[str, Any]) -> None:
    """Write the results so far."""
    document = {"arguments": arguments, "summary": summarize(cells), "cells": cells}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1), encoding="utf-8")


def main() -> None:
    """Measure all runs in separate processes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of N-MNIST")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a smaller network, one seed")
    parser.add_argument("-o", "--output", type=Path, default=Path("bench/raw/quantisation.json"))
    add_json_option(parser)
    arguments = parser.parse_args()
    seeds = 1 if arguments.quick else arguments.seeds
    settings = {"folder": arguments.folder.name, "seeds": seeds, "quick": arguments.quick}
    cells: list[Cell] = []
    spawn = multiprocessing.get_context("spawn")  # forked threads of torch would hang
    with ProcessPoolExecutor(arguments.jobs, mp_context=spawn) as pool:
        waiting = [
            pool.submit(measure_run, part, arguments.folder, arguments.quick)
            for part in list_runs(seeds)
        ]
        for done in as_completed(waiting):
            cells += done.result()
            cells.sort(key=lambda cell: (cell["seed"], -cell["bits"]))
            write_results(arguments.output, cells, settings)
    table = tabulate(cells)
    print_table(table)
    write_result(arguments.json, "quantization", [table])


def tabulate(cells: list[Cell]) -> Table:
    """Tabulate the summary of all forms."""
    rows = []
    for row in summarize(cells):
        changed = row["spikes_changed"]
        spikes = "" if changed is None else f"{100 * changed:.2f} %"
        accuracy, lost = (
            f"{row['accuracy']:.2f} %",
            (f"{row[k]:+.2f}" for k in ("lost", "max_lost")),
        )
        rows.append([row["form"], row["bits"], accuracy, *lost, spikes])
    columns = ("form", "bits", "accuracy", "points lost", "maximum", "spikes changed")
    return Table("", columns, rows)


if __name__ == "__main__":
    main()
