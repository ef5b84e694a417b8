"""Self-supervised objectives with and without PredNext: `python -m bench.prednext`, 45 minutes.

Networks are pretrained on `digit-motions` without labels, each cell (objective, variant, weight,
seed) in a process of its own, and evaluated for both labels. PredNext averages over the steps of a
clip or, as in the paper, sums over them ("summed"), which makes the step term seven times the clip
term. For each reduction and objective, its weight is chosen on the validation digits by the mean of
R@1 and probe accuracy for the digit over all seeds; reported values are of the test digits. If
recorded videos are available (`../shared/data` or `PUMICE_TEST_DATA`), pretraining runs on them,
too. Results are written to a JSON file after each cell, and an interrupted run continues from it.
`--quick` takes less than a minute.

Results (three seeds, standard deviations 1 to 4 points): With the sum, features are more consistent
for all six objectives (error 0.41 to 0.45, without PredNext 0.45 to 0.49), but classify digits
better only for SimSiam and Barlow Twins. With the mean, they are more consistent for all but
SimSiam, and R@1 or probe accuracy is higher for four: Barlow Twins (+7.4 and +2.6), SimSiam (+2.8
and +3.4), VICReg (+1.8 and -1.0), BYOL (-0.5 and +1.9); MoCo loses one point, SimCLR one to four.
The clip term improves digit classification and reduces consistency; the step term does the reverse.
Prediction of the same view alone does not collapse in so few steps, but is ten points worse than
prediction of the other view (R@1 37.7 and 48.3). Forced consistency has the lowest error (0.39) and
reduces R@1 (55.0 to 43.2).

The settings were chosen in single trials on training and validation digits, mainly of SimCLR
without PredNext (probe accuracy for the digit): 61 % with maps of 2 x 2 and 152 training steps, 64
% with 546 smaller steps, 70 % with maps of 4 x 4, and the same in 312 steps with clips of every
second image; a crop of 0.5 and small changes of brightness and rotation were kept. With batch norm
over all timesteps at once, PredNext predicted the timestep instead of the image: SimSiam with it
had an R@1 of 44 % for the digit, and 50 % with a projector that normalizes each timestep
separately; a narrower predictor was worse.

A first table, with the mean only and targets from the network itself, was seen before the sum and,
for MoCo and BYOL, targets from the momentum copy were tried; MoCo with the mean lost 4.4 points of
R@1 then and loses 1.5 now. Also tried with one seed, on validation digits (R@1, probe): 20 epochs
instead of 8, SimSiam 54 and 65 %, with PredNext 56 and 71, MoCo 58 and 67, with PredNext 49 and 68;
a predictor four times as wide, SimSiam 55 and 59 instead of 57 and 63; a later clip that follows
immediately, 56 and 66.
"""

import argparse
import json
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from bench.prednext_report import (
    ABLATION_OBJECTIVE,
    PREDNEXT,
    ChosenWeights,
    build_tables,
    choose_weights,
    plot_consistency,
)
from bench.prednext_runs import (
    Cell,
    Name,
    cell_key,
    measure_cell,
)
from bench.results import Table, add_json_option, print_table, write_result
from pumice.runtime.files import atomic_write

Weights = Mapping[str, Sequence[float]]
OBJECTIVES = ("simclr", "moco", "byol", "simsiam", "barlow_twins", "vicreg")
WEIGHTS: Weights = {"PredNext": (0.2, 0.5), "summed": (0.1, 0.2)}
FORCED_WEIGHTS = (0.4, 0.8)
SINGLE_TERM_VARIANTS = ("cross view alone", "same view alone")
SPLIT_OBJECTIVES = ("simclr", "simsiam")  # for which the terms of PredNext are reported separately
RECORDINGS = Path("../shared/data")


def first_cells(objectives: Sequence[str], weights: Weights, seeds: int) -> list[Name]:
    """List the cells that need no chosen weight: baselines, all weights, and most ablations."""
    names: list[Name] = [(ABLATION_OBJECTIVE, "pixels", 0.0, 0)]
    for seed in range(seeds):
        for objective in objectives:
            names.append((objective, "plain", 0.0, seed))
            for variant, tried in weights.items():
                names += [(objective, variant, weight, seed) for weight in tried]
        names.append((ABLATION_OBJECTIVE, "untrained", 0.0, seed))
        names += [(ABLATION_OBJECTIVE, variant, 1.0, seed) for variant in SINGLE_TERM_VARIANTS]
        names += [(ABLATION_OBJECTIVE, "forced", strength, seed) for strength in FORCED_WEIGHTS]
    return names


def second_cells(chosen: ChosenWeights, seeds: int) -> list[Name]:
    """List the cells with single terms of PredNext, at the chosen weights."""
    weights = {objective: weight for (objective, how), weight in chosen.items() if how == PREDNEXT}
    names: list[Name] = []
    for seed in range(seeds):
        for objective in (each for each in SPLIT_OBJECTIVES if each in weights):
            parts = ("step only", "clip only")
            names += [(objective, part, weights[objective], seed) for part in parts]
        if ABLATION_OBJECTIVE in weights:
            names.append((ABLATION_OBJECTIVE, "same view", weights[ABLATION_OBJECTIVE], seed))
    return names


def recorded_cells(seeds: int) -> list[Name]:
    """List the cells on recorded videos, if these are available."""
    folder = Path(os.environ.get("PUMICE_TEST_DATA", RECORDINGS))
    if not (folder / "hmdb51").is_dir():
        return []
    weights = {"pixels": 0.0, "untrained": 0.0, "plain": 0.0, "PredNext": 0.5}
    return [("recorded", variant, w, s) for s in range(seeds) for variant, w in weights.items()]


def read_cells(path: Path, quick: bool) -> dict[str, Cell]:
    """Read the cells of an earlier run with the same settings."""
    if not path.is_file():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    return document["cells"] if document["quick"] == quick else {}


def write_cells(path: Path, cells: dict[str, Cell], quick: bool) -> None:
    """Write the results so far, sorted."""
    document = {"quick": quick, "cells": dict(sorted(cells.items()))}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1), encoding="utf-8")


def main() -> None:
    """Measure missing cells, print tables and plot the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--tables", action="store_true", help="print the tables of existing results only"
    )
    parser.add_argument("--quick", action="store_true", help="run the same code on tiny networks")
    parser.add_argument("-o", "--output", type=Path, default=Path("bench/raw/prednext.json"))
    add_json_option(parser)
    arguments = parser.parse_args()
    seeds, weights = (1, {PREDNEXT: (0.5,)}) if arguments.quick else (arguments.seeds, WEIGHTS)
    objectives = (ABLATION_OBJECTIVE,) if arguments.quick else OBJECTIVES
    path = arguments.output.with_suffix(".quick.json") if arguments.quick else arguments.output
    cells = read_cells(path, arguments.quick)
    for name, value in (("OMP_WAIT_POLICY", "PASSIVE"), ("OMP_NUM_THREADS", "1")):
        os.environ.setdefault(name, value)  # jobs with several threads each are ten times slower
    spawn = multiprocessing.get_context("spawn")  # forked threads of torch would hang
    with ProcessPoolExecutor(arguments.jobs, mp_context=spawn) as pool:

        def measure(names: Sequence[Name]) -> None:
            missing = [
                name for name in names if cell_key(name) not in cells and not arguments.tables
            ]
            running = {pool.submit(measure_cell, name, arguments.quick): name for name in missing}
            for number, done in enumerate(as_completed(running), 1):
                cells[cell_key(running[done])] = done.result()
                write_cells(path, cells, arguments.quick)
                print(f"{number} of {len(missing)}: {cell_key(running[done])}", flush=True)

        measure(first_cells(objectives, weights, seeds))
        chosen = choose_weights(cells, objectives)
        measure(second_cells(chosen, seeds) + recorded_cells(seeds))
    tables = [Table(*each) for each in build_tables(cells, chosen)]
    for table in tables:
        print_table(table)
    write_result(arguments.json, "prednext", tables)
    plot_consistency(path.with_suffix(".png"), cells, chosen)
    print(f"\n{path}\n{path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
