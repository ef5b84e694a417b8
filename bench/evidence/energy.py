"""Energy and latency at few timesteps, beside an 8-bit ANN of equal size: the part `energy`.

A network is trained with prefix distillation on one dataset of each kind and stopped after 1, 2,
... timesteps. Its energy and latency are those of `pumice.profile` on two chips, at 45 nm without a
chip, and on an emulated Cortex-M4. The ANN has the same layers with ReLU instead of spikes, weights
and activations of 8 bits, and is trained on the same samples for as many epochs. Of events it sees
the mean frame once; of spectra it sees every timestep, and its logits are added up.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.evidence.ann import train_ann
from bench.evidence.beds import BEDS, make_settings, prepare
from bench.evidence.cells import DONE, Cell, CellResult, Context, Page, Part, Results
from bench.evidence.low_timesteps import LOSSES, is_correct, measure_exit
from bench.results import Cell as Value
from bench.results import Claim, Table
from pumice.deploy.profile import profile
from pumice.runtime import Network, Trace
from pumice.runtime.engines import cpu
from pumice.runtime.engines.run import run
from pumice.runtime.errors import MissingPackage
from pumice.train import convert, run_logits, train_recipe

NAME = "energy"
CHIPS = ("loihi1", "loihi2")
OPERATIONS, MICROCONTROLLER = "cmos45", "cortex-m4"
PRICES = "int8"  # of a target that has several lists of prices
SAMPLES = 64  # whose mean energy is taken
SEEDS = 3
# Of an int8 CNN in plain C on a Cortex-M4: 5.51 million for 632,064 MACs (`bench.firmware`).
INSTRUCTIONS_PER_MAC = 8.72
KINDS = {"fashion-events": "mean", "N-MNIST": "mean", "spoken digits, 6 steps": "steps"}


def list_cells(context: Context, results: Results) -> list[Cell]:
    """List a cell for each kind of data and seed."""
    cells: list[Cell] = []
    for seed in range(1 if context.quick else SEEDS):
        for bed, frames in KINDS.items():
            if context.has(BEDS[bed].folder) and not (context.quick and cells):
                regime = next(iter(BEDS[bed].regimes))
                settings = make_settings(bed, regime, LOSSES["PKD"]) | {"frames": frames}
                cells.append(Cell(NAME, bed, settings, seed))
    return cells


def measure(cell: Cell, context: Context) -> dict[str, Any]:
    """Train both networks; measure accuracy and energy after each timestep."""
    torch.set_num_threads(1)
    recipe, data = prepare(cell.settings, cell.seed, context)
    with tempfile.TemporaryDirectory() as folder:
        network = convert(train_recipe(recipe, data, Path(folder)))
    logits = run_logits(network, data.test, cpu.run)
    stride = max(len(data.test) // SAMPLES, 1)
    events = data.test[::stride].events[:, : 4 if context.quick else SAMPLES]
    trace = run(network, events, record="all")
    ann = train_ann(recipe, data, cell.settings["frames"])
    profiles = {name: profile_on(network, trace, name) for name in (*CHIPS, OPERATIONS)}
    return {
        "accuracy": is_correct(logits, data.test.labels).mean(axis=1).tolist(),
        "exit": measure_exit(network, logits, data) if data.validation else None,
        "targets": profiles | profile_microcontroller(network, trace),
        "ann": {"accuracy": ann.accuracy, "macs": ann.macs},
    }


def profile_on(network: Network, trace: Trace, target: str) -> dict[str, Any]:
    """Energy in joules of an inference that stops after each timestep, and seconds of a timestep.

    Ranges (min, max). `ann` is the energy of one pass of an ANN by the same prices; chips have no
    price of its multiplications.
    """
    found = profile(network, trace, target)
    names = list(found.cost.energy_by_step)
    model = PRICES if PRICES in names else next(iter(names), None)
    energies = {each.model: each.ann_energy for each in found.cost.energies}
    latency = found.cost.latencies[0].mean_step if found.cost.latencies else None
    return {
        "energy": found.cost.energy_by_step[model] if model else None,
        "ann": energies[PRICES] if model == PRICES else None,
        "step": latency,
        "error": found.placement_error,
    }


def profile_microcontroller(network: Network, trace: Trace) -> dict[str, Any]:
    """Energy, seconds and instructions on the microcontroller; nothing without its compiler."""
    try:
        firmware = profile(network, trace, MICROCONTROLLER).firmware
    except MissingPackage:
        return {}
    assert firmware is not None
    values = {
        "energy": firmware.energy,
        "time": firmware.time,
        "instructions": firmware.instructions,
        "error": firmware.error,
    }
    return {MICROCONTROLLER: values}


def report(results: Sequence[CellResult], folder: Path) -> Page:
    """A table for each kind of data, and where the spiking network needs less energy."""
    tables, claims = [], []
    for bed in KINDS:
        group = [each for each in results if each.status == DONE and each.cell.name == bed]
        if group:
            tables.append(make_table(bed, group))
            claims.append(compare_with_ann(bed, group))
    return Page(tables, claims)


def make_table(bed: str, group: Sequence[CellResult]) -> Table:
    """Accuracy, energy and latency by timestep; means over seeds, and ranges of the estimates."""
    names = [name for name in (*CHIPS, OPERATIONS, MICROCONTROLLER) if has_energy(group, name)]
    columns = ["timesteps", "accuracy, %", *(f"{name}, µJ" for name in names)]
    columns += [f"{name}, µs" for name in CHIPS if mean_step(group, name)]
    rows: list[list[Value]] = []
    for t in range(len(group[0].values["accuracy"])):
        accuracy = 100 * float(np.mean([each.values["accuracy"][t] for each in group]))
        energies = [format_range(mean_energy(group, name)[t] * 1e6) for name in names]
        steps = [mean_step(group, name) for name in CHIPS]
        times = [format_range(np.array(step) * (t + 1) * 1e6) for step in steps if step]
        rows.append([str(t + 1), accuracy, *energies, *times])
    ann = 100 * float(np.mean([each.values["ann"]["accuracy"] for each in group]))
    passes = ann_passes(group)
    prices = ann_energies(group)
    energies = [f"{prices[n] * passes * 1e6:.3g}" if n in prices else "" for n in names]
    rows.append(["8-bit ANN", ann, *energies, *[""] * (len(columns) - 2 - len(names))])
    exits = [each.values["exit"] for each in group if each.values["exit"]]
    note = f"{len(group)} seeds. Energies are estimates (min to max), without static power; "
    note += f"{OPERATIONS} is arithmetic alone, without memory and neurons. "
    note += "The energy of the ANN on the microcontroller is the maximum."
    if exits:
        steps_run, lost = (np.mean([each[name] for each in exits]) for name in ("steps", "lost"))
        note += f" With early exit {steps_run:.2f} timesteps, {100 * lost:.2f} points lost."
    return Table(f"{bed}: accuracy, energy and latency after T timesteps", columns, rows, note)


def compare_with_ann(bed: str, group: Sequence[CellResult]) -> Claim:
    """Number of timesteps up to which the spiking network needs less energy than the ANN."""
    passes, parts, wins = ann_passes(group), [], []
    for name, ann in ann_energies(group).items():
        cheaper = [high < passes * ann for _, high in mean_energy(group, name)]
        steps = cheaper.index(False) if False in cheaper else len(cheaper)
        parts.append(f"{name}: up to T = {steps}" if steps else f"{name}: at no T")
        wins.append(steps > 0)
    accuracy = np.mean([each.values["accuracy"] for each in group], axis=0)
    ann_accuracy = float(np.mean([each.values["ann"]["accuracy"] for each in group]))
    figure = "; ".join(parts)
    figure += f". Accuracy {100 * accuracy[0]:.1f} to {100 * accuracy[-1]:.1f} % (T = 1 to "
    figure += f"{len(accuracy)}), ANN {100 * ann_accuracy:.1f} %"
    claim = "A spiking network needs less energy per inference than an 8-bit ANN of equal size"
    verdict = "reproduced" if all(wins) else "not reproduced"
    return Claim("common claim", claim, verdict, figure, f"{bed}, {len(group)} seeds")


def ann_energies(group: Sequence[CellResult]) -> Mapping[str, float]:
    """Energy of a pass of the ANN: by MACs at 45 nm, by instructions on the microcontroller."""
    values = group[0].values
    found = {OPERATIONS: values["targets"][OPERATIONS]["ann"]}
    controller = values["targets"].get(MICROCONTROLLER)
    if controller and controller["energy"]:
        joules = controller["energy"][-1][1] / controller["instructions"][-1]
        found[MICROCONTROLLER] = joules * INSTRUCTIONS_PER_MAC * values["ann"]["macs"]
    return found


def ann_passes(group: Sequence[CellResult]) -> int:
    """Passes of the ANN for a sample: one, or one for each timestep."""
    steps = group[0].cell.settings["frames"] == "steps"
    return len(group[0].values["accuracy"]) if steps else 1


def has_energy(group: Sequence[CellResult], target: str) -> bool:
    """True where the energy on a target is known."""
    return all(bool(each.values["targets"].get(target, {}).get("energy")) for each in group)


def mean_energy(group: Sequence[CellResult], target: str) -> Any:
    """Energy by timestep, float64 (timesteps, 2), joules, mean over seeds."""
    return np.mean([each.values["targets"][target]["energy"] for each in group], axis=0)


def mean_step(group: Sequence[CellResult], target: str) -> list[float] | None:
    """Seconds of a timestep (min, max), mean over seeds; None where they are not known."""
    found = [each.values["targets"][target]["step"] for each in group]
    return np.mean(found, axis=0).tolist() if all(found) else None


def format_range(values: Any) -> str:
    """Format (min, max)."""
    low, high = values
    return f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g}"


PART = Part(
    NAME,
    list_cells,
    measure,
    report,
    (
        "bench/evidence/beds.py",
        "bench/evidence/ann.py",
        "train/losses/*.py",
        "deploy/cost/*.py",
        "deploy/c/profile.py",
    ),
)
