"""Compare samplers for the search of distributions: `python -m bench.hrsnn_search`, ten minutes.

A Gaussian process by optuna, one on Wasserstein distances between distributions, and random search
run the same number of trials on validation samples of `digit-motions`, with four seeds each and the
default ranges of a recipe. The objective is evaluated with one network of 75 neurons for all
samplers, so that its noise is the same for each. Accuracy and spikes are two objectives: "within a
budget" is the best accuracy that a run found within a budget of spikes, averaged over budgets from
zero to the maximum target rate; the sampler on Wasserstein distances maximizes only accuracy.
Trials are stored in one journal per run and are not computed again.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from bench.hrsnn_data import STEPS, Fold, load_digits
from bench.hrsnn_laws import evaluate_laws
from bench.hrsnn_settings import network_options
from bench.results import Table, add_json_option, print_table, write_result
from pumice.train.hrsnn.search import TrialResult, best_trial, pareto_front, search
from pumice.train.hrsnn.search_options import Sampler, SearchOptions

SAMPLERS: tuple[Sampler, ...] = ("gp", "wasserstein", "random")
TRAIN_SAMPLES = 600


def main() -> None:
    """Search and print the best accuracy of each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="12 trials, one seed, small networks")
    default = Path(__file__).parent / "raw" / "hrsnn-search"
    parser.add_argument("--output", type=Path, default=default)
    add_json_option(parser)
    arguments = parser.parse_args()
    changes = {"excitatory": 60, "inhibitory": 15, "epochs": 1}
    trials, seeds, folder = arguments.trials, arguments.seeds, arguments.output
    if arguments.quick:
        trials, seeds, folder = 12, 1, folder.with_name("hrsnn-search-quick")
        changes |= {"excitatory": 20, "inhibitory": 5}
    folder.mkdir(parents=True, exist_ok=True)
    train, validation = load_digits("train"), load_digits("validation")
    folds = [Fold(train[:TRAIN_SAMPLES], validation)]
    options = network_options().model_copy(update=changes)
    max_spikes = (
        (options.excitatory + options.inhibitory)
        * STEPS
        * SearchOptions().ranges["target_rate"].high
    )
    rows = []
    for sampler in SAMPLERS:
        tops, areas = [], []
        for seed in range(seeds):
            settings = SearchOptions(trials=trials, sampler=sampler, seed=seed)
            study = folder / f"{sampler}-{seed}.journal"
            completed = search(
                options, settings, lambda candidate: evaluate_laws(folds, candidate, (0,)), study
            )
            tops.append(100 * best_trial(completed).accuracy)
            areas.append(100 * mean_accuracy_within_budget(completed, max_spikes))
        rows.append([sampler, *format_values(tops), *format_values(areas)])
    best = f"best of {trials} trials, by seed"
    table = Table("", ("sampler", best, "mean", "within a budget", "mean"), rows)
    print_table(table)
    write_result(arguments.json, "hrsnn_search", [table])


def mean_accuracy_within_budget(trials: list[TrialResult], max_spikes: float) -> float:
    """Best accuracy within a budget of spikes, averaged over budgets from 0 to `max_spikes`."""
    front = [trial for trial in pareto_front(trials) if trial.spikes < max_spikes]
    ends = [trial.spikes for trial in front[1:]] + [max_spikes]
    areas = [trial.accuracy * (end - trial.spikes) for trial, end in zip(front, ends, strict=True)]
    return sum(areas) / max_spikes


def format_values(values: list[float]) -> tuple[str, str]:
    """Format values and their mean as cells of a table."""
    return f"{', '.join(f'{each:.1f}' for each in values)} %", f"{np.mean(values):.1f} %"


if __name__ == "__main__":
    main()
