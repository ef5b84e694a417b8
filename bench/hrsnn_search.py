"""Models against chance in the search for laws: `python -m bench.hrsnn_search`, about ten minutes.

The same number of trials on validation samples of `digit-motions` for a Gaussian process by
optuna, one on Wasserstein distances between laws, and random draws; four seeds each. Trials stand
in a journal a run: what is there is not done again.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from bench.hrsnn import settings
from pumice.train.data import load
from pumice.train.hrsnn.fit import Judge
from pumice.train.hrsnn.recipe import HrsnnRecipe, ReadOutOptions
from pumice.train.hrsnn.search import Sampler, SearchOptions, best, search

SAMPLERS: tuple[Sampler, ...] = ("gp", "wasserstein", "random")


def main() -> None:
    """Search, and print the best accuracy of each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="12 trials, one seed, small networks")
    default = Path(__file__).parent / "results" / "hrsnn-search"
    parser.add_argument("--output", type=Path, default=default)
    given = parser.parse_args()
    options, bins = settings("digit-motions")
    changes = {"excitatory": 80, "inhibitory": 20, "passes": 1}
    trials, seeds, folder = given.trials, given.seeds, given.output
    if given.quick:
        trials, seeds, folder = 12, 1, folder.with_name("hrsnn-search-quick")
        changes |= {"excitatory": 20, "inhibitory": 5}
    folder.mkdir(parents=True, exist_ok=True)
    data = load("digit-motions", label="motion", timesteps=31)
    recipe = HrsnnRecipe(data={"name": "digit-motions"}, readout=ReadOutOptions(bins=bins))
    judge = Judge(recipe, data)
    print(f"| sampler | best of {trials} trials, a seed each | mean |\n|---|---|---|")
    for sampler in SAMPLERS:
        found = []
        for seed in range(seeds):
            looked = SearchOptions(trials=trials, sampler=sampler, seed=seed)
            study = folder / f"{sampler}-{seed}.journal"
            runs = search(options.model_copy(update=changes), looked, judge, study)
            found.append(100 * best(runs).accuracy)
        listed = ", ".join(f"{each:.1f}" for each in found)
        print(f"| {sampler} | {listed} % | {np.mean(found):.1f} % |", flush=True)


if __name__ == "__main__":
    main()
