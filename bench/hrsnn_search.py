"""Models against chance in the search for laws: `python -m bench.hrsnn_search`, about ten minutes.

The same number of trials on validation samples of `digit-motions` for a Gaussian process by
optuna, one on Wasserstein distances between laws, and random draws; four seeds each, in the ranges
that a recipe has where it names none. The goal is one network of 75 neurons, the same for all: what
is found may be noise of that network, but it is the same noise for each sampler. Accuracy and
spikes are two goals: "within a budget" is the best accuracy that a run found within a budget of
spikes, averaged over budgets from none to the largest target rate; the sampler on Wasserstein
distances seeks accuracy alone. Trials stand in a journal a run: what is there is not done again.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from bench.hrsnn_data import STEPS, Fold, load_digits
from bench.hrsnn_laws import evaluate_laws
from bench.hrsnn_settings import network_options
from pumice.train.hrsnn.search import TrialResult, best_trial, pareto_front, search
from pumice.train.hrsnn.search_options import Sampler, SearchOptions

SAMPLERS: tuple[Sampler, ...] = ("gp", "wasserstein", "random")
TRAIN_SAMPLES = 600  # samples of the training part


def main() -> None:
    """Search, and print the best accuracy of each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="12 trials, one seed, small networks")
    default = Path(__file__).parent / "results" / "hrsnn-search"
    parser.add_argument("--output", type=Path, default=default)
    given = parser.parse_args()
    changes = {"excitatory": 60, "inhibitory": 15, "epochs": 1}
    trials, seeds, folder = given.trials, given.seeds, given.output
    if given.quick:
        trials, seeds, folder = 12, 1, folder.with_name("hrsnn-search-quick")
        changes |= {"excitatory": 20, "inhibitory": 5}
    folder.mkdir(parents=True, exist_ok=True)
    whole, validation = load_digits("train"), load_digits("validation")
    train = whole[:TRAIN_SAMPLES]
    folds = [Fold(train, validation)]
    options = network_options().model_copy(update=changes)
    most = (
        (options.excitatory + options.inhibitory)
        * STEPS
        * SearchOptions().ranges["target_rate"].high
    )
    print(f"| sampler | best of {trials} trials, a seed each | mean | within a budget | mean |")
    print("|---|---|---|---|---|")
    for sampler in SAMPLERS:
        tops, areas = [], []
        for seed in range(seeds):
            looked = SearchOptions(trials=trials, sampler=sampler, seed=seed)
            study = folder / f"{sampler}-{seed}.journal"
            runs = search(options, looked, lambda tried: evaluate_laws(folds, tried, (0,)), study)
            tops.append(100 * best_trial(runs).accuracy)
            areas.append(100 * mean_accuracy_within_budget(runs, most))
        print(f"| {sampler} | {format_values(tops)} | {format_values(areas)} |", flush=True)


def mean_accuracy_within_budget(found: list[TrialResult], most: float) -> float:
    """Return the best accuracy within a budget of spikes, averaged over budgets of 0 to `most`."""
    kept = [each for each in pareto_front(found) if each.spikes < most]
    ends = [each.spikes for each in kept[1:]] + [most]
    held = [each.accuracy * (end - each.spikes) for each, end in zip(kept, ends, strict=True)]
    return sum(held) / most


def format_values(values: list[float]) -> str:
    """Return the values, and their mean, as cells of a table."""
    return f"{', '.join(f'{each:.1f}' for each in values)} % | {np.mean(values):.1f} %"


if __name__ == "__main__":
    main()
