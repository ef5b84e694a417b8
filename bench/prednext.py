"""Six objectives, each with and without PredNext: `python -m bench.prednext`, 45 minutes.

Networks learn from `digit-motions` without labels, each cell (objective, variant, weight, seed) in
a process of its own; then both labels are asked for. PredNext takes the mean of a clip's steps or,
as the paper writes it, sums them up ("summed"), which makes the step's term seven times the clip's.
For each of these, and for each objective, its weight is chosen on the validation digits, by the
mean of the digit's R@1 and probe over all seeds; what is told is of the test digits. Where recorded
videos are at hand (`../shared/data` or `PUMICE_TEST_DATA`), pretraining runs on them too. All that
is known goes to a JSON file after each cell; a run that was cut goes on from it. `--quick` takes
less than a minute.

What came of it (three seeds, standard deviations 1 to 4 points). Summed, features are steadier for
all six objectives (error 0.41 to 0.45, without PredNext 0.45 to 0.49), but tell digits better for
SimSiam and Barlow Twins alone. With the mean, they are steadier for all but SimSiam, and digits are
told better by R@1 or probe for four: Barlow Twins (+7.4 and +2.6), SimSiam (+2.8 and +3.4), VICReg
(+1.8 and -1.0), BYOL (-0.5 and +1.9); MoCo loses one point, SimCLR one to four. The clip's term
helps to tell digits and makes features less steady, the step's does the reverse. Predicting its own
view and nothing else does not collapse in so few steps, but is ten points behind the other view's
(R@1 37.7 and 48.3). Forced consistency lowers the error most (0.39), and R@1 with it (55.0 to
43.2).

The settings were found in single trials judged on training and validation digits, chiefly SimCLR's
without PredNext (share of digits a probe tells right): 61 % with maps of 2 x 2 and 152 steps, 64 %
with 546 smaller steps, 70 % with maps of 4 x 4, and as much in 312 steps of clips that take every
second image; a crop of 0.5, little change of brightness and rotation stayed. Batch norm over all
steps at once let PredNext foretell the step instead of the image: SimSiam with it retrieved 44 %
of the digits and 50 % with the projector at each step by itself; a narrower predictor did worse.

A first table, with the mean alone and targets from the network itself, had been seen before sums
and, for MoCo and BYOL, targets from the momentum copy were tried; MoCo with the mean then lost 4.4
points of R@1, and now loses 1.5. Also tried with one seed, on validation digits (R@1, probe):
20 epochs instead of 8, SimSiam 54 and 65 %, with PredNext 56 and 71, MoCo 58 and 67, with it 49 and
68; a predictor four times as wide, SimSiam 55 and 59 instead of 57 and 63; a later clip that
follows at once, 56 and 66.
"""

import argparse
import json
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

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
from pumice.runtime.files import atomic_write

Weights = Mapping[str, Sequence[float]]
OBJECTIVES = ("simclr", "moco", "byol", "simsiam", "barlow_twins", "vicreg")
WEIGHTS: Weights = {"PredNext": (0.2, 0.5), "summed": (0.1, 0.2)}
FORCED_WEIGHTS = (0.4, 0.8)
SINGLE_TERM_VARIANTS = ("cross view alone", "same view alone")
SPLIT_OBJECTIVES = ("simclr", "simsiam")  # whose parts of PredNext are told side by side
RECORDINGS = Path("../shared/data")


def first_cells(objectives: Sequence[str], weights: Weights, seeds: int) -> list[Name]:
    """Return what needs no choice: without PredNext, every weight, and most ablations."""
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
    """Return the parts of PredNext by themselves, at the chosen weights."""
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
    """Return what learns from recorded videos, where they are."""
    folder = Path(os.environ.get("PUMICE_TEST_DATA", RECORDINGS))
    if not (folder / "hmdb51").is_dir():
        return []
    weights = {"pixels": 0.0, "untrained": 0.0, "plain": 0.0, "PredNext": 0.5}
    return [("recorded", variant, w, s) for s in range(seeds) for variant, w in weights.items()]


def read_cells(path: Path, quick: bool) -> dict[str, Cell]:
    """Return the cells of an earlier run with the same settings."""
    if not path.is_file():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    return document["cells"] if document["quick"] == quick else {}


def write_cells(path: Path, cells: dict[str, Cell], quick: bool) -> None:
    """Write all that is known so far, in order."""
    document = {"quick": quick, "cells": dict(sorted(cells.items()))}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1), encoding="utf-8")


def main() -> None:
    """Measure every cell that is not known, then print tables and draw a picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tables", action="store_true", help="of what is known, measure nothing")
    parser.add_argument("--quick", action="store_true", help="the same code on next to nothing")
    parser.add_argument("-o", "--output", type=Path, default=Path("bench/results/prednext.json"))
    given = parser.parse_args()
    seeds, weights = (1, {PREDNEXT: (0.5,)}) if given.quick else (given.seeds, WEIGHTS)
    objectives = (ABLATION_OBJECTIVE,) if given.quick else OBJECTIVES
    path = given.output.with_suffix(".quick.json") if given.quick else given.output
    cells = read_cells(path, given.quick)
    for name, value in (("OMP_WAIT_POLICY", "PASSIVE"), ("OMP_NUM_THREADS", "1")):
        os.environ.setdefault(name, value)  # jobs that took turns at threads were ten times slower
    spawn = multiprocessing.get_context("spawn")  # forked threads of torch would hang
    with ProcessPoolExecutor(given.jobs, mp_context=spawn) as pool:

        def measure(names: Sequence[Name]) -> None:
            missing = [name for name in names if cell_key(name) not in cells and not given.tables]
            running = {pool.submit(measure_cell, name, given.quick): name for name in missing}
            for number, done in enumerate(as_completed(running), 1):
                cells[cell_key(running[done])] = done.result()
                write_cells(path, cells, given.quick)
                print(f"{number} of {len(missing)}: {cell_key(running[done])}", flush=True)

        measure(first_cells(objectives, weights, seeds))
        chosen = choose_weights(cells, objectives)
        measure(second_cells(chosen, seeds) + recorded_cells(seeds))
    summary: list[tuple[str, list[str], list[list[Any]]]] = build_tables(cells, chosen)
    for title, header, rows in summary:
        print(f"\n{title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
        for row in rows:
            print(f"| {' | '.join(map(str, row))} |")
    plot_consistency(path.with_suffix(".png"), cells, chosen)
    print(f"\n{path}\n{path.with_suffix('.png')}")


if __name__ == "__main__":
    main()
