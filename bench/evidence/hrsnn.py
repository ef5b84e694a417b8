"""Part `hrsnn` of `bench.evidence`: what carries an effect in a heterogeneous recurrent network.

Neurons and synapses are homogeneous or heterogeneous (HoN, HeN; HoS, HeS), with the same seeds.
Each row is measured with settings that trials had found on other speakers ("proposed"), and with
those of a search on validation samples ("searched"), which has as many trials for each of the four
cells as for the networks whose thresholds alone adapt. Each trained network has two controls at its
own settings, untrained and with thresholds only; the raw input has the same read-out.

Tasks: `pairs`, two spoken digits in turn, answered by the first, read in the second half; `digits`,
single spoken digits; `drawn digits`, digits drawn in the air with a phone. Test samples are
recordings 0 to 4 of the same speakers, a speaker that was never heard, and drawings later in time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.evidence.cells import DONE, Cell, CellResult, Context, Page, Part, Results, pack_bits
from bench.evidence.hrsnn_data import TASKS, Readout, Task, load_task

SEEDS = (0, 1, 2)
VARIANTS = ("HoN/HoS", "HeN/HoS", "HoN/HeS", "HeN/HeS")
SETTLED = ("HoN, thresholds only", "HeN, thresholds only")
PLASTIC_INPUT = "HoN/HoS, plastic input"
ROWS = (SETTLED[0], *VARIANTS, SETTLED[1], PLASTIC_INPUT)
RAW, ONE_TARGET, NO_RECURRENCE = "raw input", "one target rate", "without recurrence"
TRIALS, SEARCH_SEED = 12, 100
VALIDATION_PER_CLASS = {"pairs": 40, "digits": 40, "drawn digits": 6}
NETWORK: dict[str, Any] = {
    "excitatory": 240,
    "inhibitory": 60,
    "in_degree": 9,
    "input_degree": 12,
    "length_scale": 0.5,
    "input_length_scale": 0.17,
    "learning_rate": 0.05,
    "homeostasis_rate": 0.1,
    "epochs": 2,
}
# Lowest and highest mean of each distribution; time constants cover the 50 to 64 timesteps.
MEANS = {
    "tau_mem_excitatory": (3.0, 60.0),
    "tau_mem_inhibitory": (1.5, 30.0),
    "depression": (0.5, 4.0),
    "tau_plus": (2.0, 20.0),
    "tau_minus": (3.0, 30.0),
}
# Constants found in trials on speakers that were left out of the training samples.
SHORT = {"tau_mem_excitatory": 6.0, "tau_mem_inhibitory": 3.0, "depression": 1.0, "tau_plus": 6.0,
         "tau_minus": 10.0}  # fmt: skip
LONG = SHORT | {"tau_mem_excitatory": 30.0, "tau_mem_inhibitory": 15.0}
PROPOSED = {"pairs": (LONG, (1.0, 0.5)), "digits": (SHORT, (0.8, 0.5)),
            "drawn digits": (SHORT, (0.8, 0.5))}  # fmt: skip
SPREADS = {"neurons": (0.2, 1.2), "synapses": (0.1, 0.8)}
SYNAPSES = ("potentiation", "depression", "tau_plus", "tau_minus")
QUICK = {"excitatory": 24, "inhibitory": 6, "epochs": 1}


def list_cells(context: Context, results: Results) -> Sequence[Cell]:
    """List the cells with proposed settings, the searches, and the cells with what these found."""
    rows, seeds = (SETTLED[:1], SEEDS[:1]) if context.quick else (ROWS, SEEDS)
    tasks = {name: task for name, task in TASKS.items() if context.has(task.folder)}
    proposed, searches, searched = [], [], []
    for name, task in tasks.items():
        splits = task.splits[:1] if context.quick else task.splits
        for split in splits:
            proposed.append(_cell(name, split, RAW, 0, "proposed", None))
            for seed in seeds:
                for row in rows:
                    settings = _settings(row, task, *PROPOSED[name])
                    settings |= QUICK if context.quick else {}
                    proposed.append(_cell(name, split, row, seed, "proposed", settings))
        for row in rows:
            asked = {"task": name, "row": row, "search": TRIALS}
            search = Cell("hrsnn", f"search: {name}, {row}", asked)
            searches.append(search)
            found = results.get(search.key)
            if found and found.status == DONE:
                settings = found.values["settings"]
                searched += [_cell(name, split, row, seed, "searched", settings)
                             for split in splits for seed in seeds]  # fmt: skip
    return [*proposed, *searches, *searched]


def _cell(task: str, split: str, row: str, seed: int, source: str, settings: Any) -> Cell:
    name = f"{task}, {split}: {row}, {source}"
    chosen = {"task": task, "split": split, "row": row, "source": source, "network": settings}
    return Cell("hrsnn", name, chosen, seed)


def measure(cell: Cell, context: Context) -> dict[str, Any]:
    """Search the settings of a row, or measure it with those that were found."""
    name, row = cell.settings["task"], cell.settings["row"]
    if "search" in cell.settings:
        return _search(name, row, context)
    task = TASKS[name]
    train, test = load_task(name, cell.settings["split"], context.data)
    if context.quick:
        train, test = _spread(train, 60), _spread(test, 40)
    if row == RAW:
        return {"raw input": _score(train.events, test.events, train, test, task)}
    settings = {**cell.settings["network"], "seed": cell.seed}
    return {
        mode: _measure_network(network, train, test, task)
        for mode, network in _make_networks(row, settings, train).items()
    }


def _search(name: str, row: str, context: Context) -> dict[str, Any]:
    """Best of random settings by the first read-out, on held-out training samples."""
    from pumice.train.data import hold_out

    task = TASKS[name]
    samples, _ = load_task(name, task.splits[0], context.data)
    train, validation = hold_out(samples, VALIDATION_PER_CLASS[name], seed=0)
    if context.quick:
        train, validation = _spread(train, 60), _spread(validation, 40)
    generator = np.random.default_rng(SEARCH_SEED)
    draws = generator.random((2 if context.quick else TRIALS, len(MEANS) + len(SPREADS)))
    readout = next(iter(task.readouts.values()))
    trials = []
    for draw in draws:
        settings = _settings(row, task, *_draw_constants(draw.tolist()))
        settings |= QUICK if context.quick else {}
        network = _make_networks(row, {**settings, "seed": SEARCH_SEED}, train)["trained"]
        correct = _correct(network, train, validation, readout)
        trials.append((float(correct.mean()), settings))
    accuracy, settings = max(trials, key=lambda trial: trial[0])
    return {"accuracy": accuracy, "settings": settings, "all": [trial[0] for trial in trials]}


def _spread(samples: Any, count: int) -> Any:
    """Some samples of all classes, which are in order."""
    return samples[np.linspace(0, len(samples) - 1, count).astype(np.int64)]


def _draw_constants(draw: Sequence[float]) -> tuple[dict[str, float], tuple[float, float]]:
    """Means and spreads (of neurons, of synapses) at a point of the search, 0 to 1 on each axis."""
    means = {
        name: float(f"{low * (high / low) ** fraction:.3g}")
        for fraction, (name, (low, high)) in zip(draw, MEANS.items(), strict=False)
    }
    neurons, synapses = (
        round(low + fraction * (high - low), 2)
        for fraction, (low, high) in zip(draw[len(MEANS) :], SPREADS.values(), strict=True)
    )
    return means, (neurons, synapses)


def _settings(
    row: str, task: Task, means: Mapping[str, float], spreads: tuple[float, float]
) -> dict[str, Any]:
    """Options of the network of a row, with constants of which homogeneous rows have no spread."""
    neurons, synapses = spreads[0] * ("HeN" in row), spreads[1] * ("HeS" in row)
    laws = {
        name: {"mean": mean, "cv": synapses if name in SYNAPSES else neurons}
        for name, mean in {**means, "potentiation": 1.0}.items()
    }
    plastic = ["input", "ee", "ei"] if row == PLASTIC_INPUT else ["ee", "ei"]
    return {**NETWORK, **laws, "strengths": task.strengths, "plastic": plastic}


def _make_networks(row: str, settings: Mapping[str, Any], train: Any) -> dict[str, Any]:
    """The network of a row, and its controls at the same settings."""
    from pumice.train.hrsnn import HrsnnOptions, build_recurrent_network, simulate, train_stdp

    options = HrsnnOptions.model_validate(settings)
    untrained = build_recurrent_network(options, train.sample_shape)
    settled = train_stdp(untrained, train.events, plastic=False)
    if row in SETTLED:
        rate = float(simulate(untrained, train.events[:, :256]).spikes.mean())
        one = {"target_excitatory": rate, "target_inhibitory": rate}
        common = untrained.replace(options=options.model_copy(update=one))
        weak = {name: 1e-6 for name in ("ee", "ei", "ie", "ii")}
        alone = {**settings, "strengths": {**settings["strengths"], **weak}}
        silent = build_recurrent_network(HrsnnOptions.model_validate(alone), train.sample_shape)
        return {
            "trained": settled,
            "untrained": untrained,
            ONE_TARGET: train_stdp(common, train.events, plastic=False),
            NO_RECURRENCE: train_stdp(silent, train.events, plastic=False),
        }
    trained = train_stdp(untrained, train.events)
    return {"trained": trained, "thresholds only": settled, "untrained": untrained}


def _measure_network(network: Any, train: Any, test: Any, task: Task) -> dict[str, Any]:
    from pumice.train.hrsnn import simulate
    from pumice.train.hrsnn.homeostasis import floor_fraction
    from pumice.train.hrsnn.metrics import memory_capacity

    fitted, response = simulate(network, train.events), simulate(network, test.events)
    excitatory = network.options.excitatory
    return {
        "correct": _score(fitted.spikes, response.spikes, train, test, task),
        "spikes": response.spikes_per_sample,
        "rates": [float(response.spikes[:, :, part].mean())
                  for part in (slice(excitatory), slice(excitatory, None))],
        "floor": floor_fraction(network.threshold),
        "memory_capacity": memory_capacity(network),
    }  # fmt: skip


def _score(fitted: Any, scored: Any, train: Any, test: Any, task: Task) -> dict[str, Any]:
    """Correctness of each test sample by each read-out."""
    from pumice.train.hrsnn import extract_features, fit_readout

    values = {}
    for name, readout in task.readouts.items():
        features, others = (
            extract_features(spikes, readout.bins, readout.start) for spikes in (fitted, scored)
        )
        fit = fit_readout(features, train.labels)
        values[name] = pack_bits(fit.classifier.predict(others) == test.labels)
    return values


def _correct(network: Any, train: Any, test: Any, readout: Readout) -> Any:
    from pumice.train.hrsnn import extract_features, fit_readout, simulate

    features, others = (
        extract_features(simulate(network, part.events).spikes, readout.bins, readout.start)
        for part in (train, test)
    )
    return fit_readout(features, train.labels).classifier.predict(others) == test.labels


def report(results: Sequence[CellResult], folder: Path) -> Page:
    """Tables and claims of the results."""
    from bench.evidence.hrsnn_report import make_page

    return make_page(results)


PART = Part(
    "hrsnn",
    list_cells,
    measure,
    report,
    ("bench/evidence/hrsnn.py", "bench/evidence/hrsnn_data.py", "train/data/spoken_digits.py",
     "train/hrsnn/*.py"),
)  # fmt: skip
