"""Train and evaluate by a recipe, with controls; and the objective of a search."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...runtime.files import atomic_write, write_network
from ..data import Dataset, FrameSet, hold_out
from ..engine.run_folder import lock_run
from .homeostasis import floor_fraction
from .learn import simulate, train_stdp
from .network import RecurrentNetwork, build_recurrent_network
from .options import HrsnnOptions
from .quantize import to_network
from .readout import LinearReadout, extract_features, first_step, fit_readout
from .recipe import HrsnnRecipe
from .search import Outcome, TrialResult, search

EventArray = NDArray[np.uint8]


@dataclass(frozen=True)
class EvaluationResult:
    """Test accuracies (0 to 1) of a trained network and its controls, and its activity.

    `raw`: the same read-out on the input events. `untrained`: on the network before training.
    `thresholds_only`: on the network with the thresholds of homeostasis, but without STDP: learning
    is what the network has over it. `floor_fraction`: fraction of the neurons at the lowest
    threshold, which do not reach their target rate. `spikes`, `synops`: mean number of spikes and
    of synaptic operations per sample.
    """

    accuracy: float
    raw: float
    untrained: float
    thresholds_only: float
    floor_fraction: float
    spikes: float
    synops: float


def fit(recipe: HrsnnRecipe, data: Dataset, run: Path) -> EvaluationResult:
    """Train by a recipe, evaluate on the test samples, and write the results to a folder.

    Files: `network.pumice`, the quantized network; `readout.npz`, the read-out of its spikes with
    `weights` (classes, features), `offsets` (classes,), `bins`, and `first_step`, the timestep from
    which on spikes are read; `result.json`, the evaluation.

    Args:
        recipe: Network, learning and read-out.
        data: Training and test samples.
        run: Folder of the results; made if missing.

    Raises:
        EngineError: Activity runs away.
        FileError: `run` cannot be written or is used by another process.
    """
    with lock_run(run):
        return _fit(recipe, data, run)


def _fit(recipe: HrsnnRecipe, data: Dataset, run: Path) -> EvaluationResult:
    untrained = build_recurrent_network(recipe.hrsnn, data.input_shape)
    network = train_stdp(untrained, data.train.events, device=recipe.device)
    controls = {
        "untrained": untrained,
        "thresholds_only": train_stdp(
            untrained, data.train.events, plastic=False, device=recipe.device
        ),
    }
    result, readout = evaluate(network, controls, recipe, data.train, data.test)
    provenance = {"recipe": recipe.model_dump(mode="json"), "data": data.digest}
    write_network(run / "network.pumice", to_network(network, provenance))
    weights, offsets = readout.linear_parameters()
    with atomic_write(run / "readout.npz") as temporary, temporary.open("wb") as file:
        first = first_step(data.timesteps, recipe.readout.start)
        np.savez(file, weights=weights, offsets=offsets, bins=recipe.readout.bins, first_step=first)
    with atomic_write(run / "result.json") as temporary:
        temporary.write_text(json.dumps(provenance | asdict(result), indent=1), encoding="utf-8")
    return result


def evaluate(
    network: RecurrentNetwork,
    controls: Mapping[str, RecurrentNetwork],
    recipe: HrsnnRecipe,
    train: FrameSet,
    test: FrameSet,
) -> tuple[EvaluationResult, LinearReadout]:
    """Evaluate a trained network, its raw input and controls, "untrained" and "thresholds_only".

    Returns the result, and the read-out fitted to the training samples.
    """
    kind, bins, start = recipe.readout.kind, recipe.readout.bins, recipe.readout.start

    def fit_and_score(fitted: EventArray, scored: EventArray) -> tuple[float, LinearReadout]:
        readout = fit_readout(extract_features(fitted, bins, start), train.labels, kind)
        return readout.accuracy(extract_features(scored, bins, start), test.labels), readout

    response = simulate(network, test.events, recipe.device)
    training_spikes = simulate(network, train.events, recipe.device).spikes
    accuracy, readout = fit_and_score(training_spikes, response.spikes)
    raw, _ = fit_and_score(train.events, test.events)
    scores = {
        name: fit_and_score(
            *(simulate(control, part.events, recipe.device).spikes for part in (train, test))
        )[0]
        for name, control in controls.items()
    }
    result = EvaluationResult(
        accuracy=accuracy,
        raw=raw,
        **scores,
        floor_fraction=floor_fraction(network.threshold),
        spikes=response.spikes_per_sample,
        synops=float(response.synops.mean()),
    )
    return result, readout


class SearchObjective:
    """Validation accuracy and spikes per sample of a set of options, for a search."""

    def __init__(self, recipe: HrsnnRecipe, data: Dataset) -> None:
        self.readout, self.device = recipe.readout, recipe.device
        self.train, self.validation = hold_out(data.train, recipe.validation, seed=0)

    def __call__(self, options: HrsnnOptions) -> Outcome:
        """Train with `options`; returns validation accuracy and spikes per sample."""
        events, (bins, start) = self.train.events, (self.readout.bins, self.readout.start)
        untrained = build_recurrent_network(options, self.train.sample_shape)
        network = train_stdp(untrained, events, device=self.device)
        features = extract_features(simulate(network, events, self.device).spikes, bins, start)
        readout = fit_readout(features, self.train.labels, self.readout.kind)
        response = simulate(network, self.validation.events, self.device)
        features = extract_features(response.spikes, bins, start)
        return readout.accuracy(features, self.validation.labels), response.spikes_per_sample


def search_recipe(
    recipe: HrsnnRecipe, data: Dataset, run: Path, worker: int = 0
) -> tuple[Path, list[TrialResult]]:
    """Search the parameters of `recipe`; continues the study in the folder `run`.

    Args:
        recipe: The recipe; its table `[search]` holds the ranges.
        data: The dataset, of which training samples are held out for validation.
        run: The folder of the study.
        worker: Index of this process in a parallel search.

    Returns:
        The file of the study, and all completed trials.
    """
    run.mkdir(parents=True, exist_ok=True)
    study = run / "search.journal"
    objective = SearchObjective(recipe, data)
    return study, search(recipe.hrsnn, recipe.search, objective, study, worker)
