"""A recipe from data to a network on disk, beside its two controls; and its judge in a search."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...runtime.files import atomic_write, write_network
from ..data import Dataset, FrameSet, hold_out
from .learn import Response, simulate, train_stdp
from .network import RecurrentNetwork, build_recurrent_network
from .options import HrsnnOptions
from .quantize import to_network
from .readout import LinearReadout, extract_features, fit_readout
from .recipe import HrsnnRecipe
from .search import Outcome

Spikes = NDArray[np.uint8]


@dataclass(frozen=True)
class EvaluationResult:
    """Accuracies (0 to 1) of a trained network and its controls, and what an answer takes.

    `raw`: the same read-out on the input itself; `untrained`: on the network as it was drawn.
    `spikes` and `synops` are means a sample.
    """

    accuracy: float
    raw: float
    untrained: float
    spikes: float
    synops: float


def fit(recipe: HrsnnRecipe, data: Dataset, run: Path) -> EvaluationResult:
    """Train by `recipe`, judge on the test samples, and write what came of it to the folder `run`.

    `network.pumice` is the network in the chip's integers, `readout.npz` the read-out on its
    spikes, `weights` (classes, features) and `offsets` (classes,), and `result.json` the judgement.
    Raises `EngineError` where rates run away.
    """
    first = build_recurrent_network(recipe.hrsnn, data.input_shape)
    network = train_stdp(first, data.train.events, device=recipe.device)
    found, classifier = evaluate(network, first, recipe, data.train, data.test)
    run.mkdir(parents=True, exist_ok=True)
    told = {"recipe": recipe.model_dump(mode="json"), "data": data.digest}
    write_network(run / "network.pumice", to_network(network, told))
    weights, offsets = classifier.linear_parameters()
    with atomic_write(run / "readout.npz") as temporary, temporary.open("wb") as file:
        np.savez(file, weights=weights, offsets=offsets, bins=recipe.readout.bins)
    with atomic_write(run / "result.json") as temporary:
        temporary.write_text(json.dumps(told | asdict(found), indent=1), encoding="utf-8")
    return found


def evaluate(
    network: RecurrentNetwork,
    first: RecurrentNetwork,
    recipe: HrsnnRecipe,
    train: FrameSet,
    test: FrameSet,
) -> tuple[EvaluationResult, LinearReadout]:
    """Return what `network` and its controls are worth, and its read-out."""
    kind, bins = recipe.readout.kind, recipe.readout.bins

    def worth(fitted: Spikes, other: Spikes) -> tuple[float, LinearReadout]:
        classifier = fit_readout(extract_features(fitted, bins), train.labels, kind)
        return classifier.accuracy(extract_features(other, bins), test.labels), classifier

    def answer(of: RecurrentNetwork, part: FrameSet) -> Response:
        return simulate(of, part.events, recipe.device)

    after = answer(network, test)
    accuracy, classifier = worth(answer(network, train).spikes, after.spikes)
    raw, _ = worth(train.events, test.events)
    untrained, _ = worth(*(answer(first, part).spikes for part in (train, test)))
    synops = float(after.synops.mean())
    return EvaluationResult(accuracy, raw, untrained, after.spikes_per_sample, synops), classifier


class SearchObjective:
    """Accuracy and spikes of a set of options on validation samples, for a search."""

    def __init__(self, recipe: HrsnnRecipe, data: Dataset) -> None:
        self.readout, self.device = recipe.readout, recipe.device
        self.train, self.validation = hold_out(data.train, recipe.validation, seed=0)

    def __call__(self, options: HrsnnOptions) -> Outcome:
        """Train with `options` and return accuracy and spikes a sample."""
        events = self.train.events
        network = train_stdp(
            build_recurrent_network(options, self.train.sample_shape), events, device=self.device
        )
        bins = self.readout.bins
        given = extract_features(simulate(network, events, self.device).spikes, bins)
        classifier = fit_readout(given, self.train.labels, self.readout.kind)
        found = simulate(network, self.validation.events, self.device)
        accuracy = classifier.accuracy(extract_features(found.spikes, bins), self.validation.labels)
        return accuracy, found.spikes_per_sample
