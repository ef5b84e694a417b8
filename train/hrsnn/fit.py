"""A recipe from data to a network on disk, beside its two controls; and its judge in a search."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...runtime.files import write_network, written
from ..data import Data, FrameSet, split_off
from .learn import Response, learned, response
from .lowered import lowered
from .network import RecurrentNetwork, built
from .options import HrsnnOptions
from .readout import ReadOut, features, read_out
from .recipe import HrsnnRecipe
from .search import Outcome

Spikes = NDArray[np.uint8]


@dataclass(frozen=True)
class Judged:
    """Accuracies (0 to 1) of a trained network and its controls, and what an answer takes.

    `raw`: the same read-out on the input itself; `untrained`: on the network as it was drawn.
    `spikes` and `synops` are means a sample.
    """

    accuracy: float
    raw: float
    untrained: float
    spikes: float
    synops: float


def fit(recipe: HrsnnRecipe, data: Data, run: Path) -> Judged:
    """Train by `recipe`, judge on the test samples, and write what came of it to the folder `run`.

    `network.pumice` is the network in the chip's integers, `readout.npz` the read-out on its
    spikes, `weights` (classes, features) and `offsets` (classes,), and `result.json` the judgement.
    Raises `EngineError` where rates run away.
    """
    first = built(recipe.hrsnn, data.train.frames.shape[2:])
    network = learned(first, data.train.frames, device=recipe.device)
    found, classifier = judged(network, first, recipe, data.train, data.test)
    run.mkdir(parents=True, exist_ok=True)
    told = {"recipe": recipe.model_dump(mode="json"), "data": data.digest}
    write_network(run / "network.pumice", lowered(network, told))
    weights, offsets = classifier.linear()
    with written(run / "readout.npz") as temporary, temporary.open("wb") as file:
        np.savez(file, weights=weights, offsets=offsets, bins=recipe.readout.bins)
    with written(run / "result.json") as temporary:
        temporary.write_text(json.dumps(told | asdict(found), indent=1), encoding="utf-8")
    return found


def judged(
    network: RecurrentNetwork,
    first: RecurrentNetwork,
    recipe: HrsnnRecipe,
    train: FrameSet,
    test: FrameSet,
) -> tuple[Judged, ReadOut]:
    """Return what `network` and its controls are worth, and its read-out."""
    kind, bins = recipe.readout.kind, recipe.readout.bins

    def worth(fitted: Spikes, other: Spikes) -> tuple[float, ReadOut]:
        classifier = read_out(features(fitted, bins), train.labels, kind)
        return classifier.accuracy(features(other, bins), test.labels), classifier

    def answer(of: RecurrentNetwork, part: FrameSet) -> Response:
        return response(of, part.frames, recipe.device)

    after = answer(network, test)
    accuracy, classifier = worth(answer(network, train).spikes, after.spikes)
    raw, _ = worth(train.frames, test.frames)
    untrained, _ = worth(*(answer(first, part).spikes for part in (train, test)))
    synops = float(after.synops.mean())
    return Judged(accuracy, raw, untrained, after.per_sample, synops), classifier


class Judge:
    """Accuracy and spikes of a set of options on validation samples, for a search."""

    def __init__(self, recipe: HrsnnRecipe, data: Data) -> None:
        self.readout, self.device = recipe.readout, recipe.device
        self.train, self.validation = split_off(data.train, recipe.validation, seed=0)

    def __call__(self, options: HrsnnOptions) -> Outcome:
        """Train with `options` and return accuracy and spikes a sample."""
        frames = self.train.frames
        network = learned(built(options, frames.shape[2:]), frames, device=self.device)
        bins = self.readout.bins
        given = features(response(network, frames, self.device).spikes, bins)
        classifier = read_out(given, self.train.labels, self.readout.kind)
        found = response(network, self.validation.frames, self.device)
        accuracy = classifier.accuracy(features(found.spikes, bins), self.validation.labels)
        return accuracy, found.per_sample
