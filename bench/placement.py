"""Placement and cost against published figures: `python -m bench.placement`, about two minutes.

Prints Markdown tables: resources of pumice's model on the published strips of Loihi 2, its own
placements, and the fraction of a measured step that each price list explains.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench import published, shapes
from bench.published import Row
from bench.results import Cell, Table, add_json_option, print_table, write_result
from pumice.deploy.cost.energy import Range
from pumice.deploy.cost.estimate import Cost, estimate_cost
from pumice.deploy.placement.packing import first_fit_decreasing
from pumice.deploy.placement.partition import Partition, index_fan_out
from pumice.deploy.placement.place import build_program, solve_placement
from pumice.deploy.placement.problem import RESOURCES, PlacementProblem, make_problem
from pumice.deploy.placement.resources import slice_resources
from pumice.deploy.placement.tiling import feasible_tilings, tile
from pumice.deploy.targets.target import Target, read_target
from pumice.runtime import Network, Program, Trace

COLUMNS = ("axons_in", "neurons", "synapse_words", "axons_out", "routes")
RATES = (0.0, 0.02, 0.05, 0.1, 0.2)
OLD_COMPILER_WORDS = 12_000  # words of synaptic memory that the compiler of PilotNet and Oxford has


def with_synaptic_memory(target: Target, words: int) -> Target:
    """Copy `target` with `words` words of synaptic memory per core."""
    assert target.core
    memory = target.core.synaptic_memory.model_copy(update={"value": 64 * words})
    core = target.core.model_copy(update={"synaptic_memory": memory})
    return target.model_copy(update={"core": core})


def published_partition(problem: PlacementProblem, rows: Sequence[Row]) -> Partition:
    """Partition the network into the published strips, each on a core of its own."""
    populations = problem.network.topological_order
    strips = {row.population: row.strip for row in rows}
    parts = {p.name: tile(p, strips[p.name]) for p in populations}
    demands = {}
    for population in populations:
        fan_out = index_fan_out(problem, population, parts)
        demands[population.name] = np.stack(
            [slice_resources(problem, part, fan_out) for part in parts[population.name]]
        )
    firsts = np.cumsum([0, *(len(parts[name]) for name in parts)])
    cores = {
        name: np.arange(first, first + len(parts[name]))
        for name, first in zip(parts, firsts[:-1], strict=True)
    }
    return Partition(parts, demands, cores)


def unshared_cores(problem: PlacementProblem, program: Program) -> dict[str, int]:
    """Count the cores of each population if it shares none with others."""
    populations = problem.network.topological_order
    parts = {p.name: tuple(part for _, part in program.slices(p.name)) for p in populations}
    cores = {}
    for population in populations:
        fan_out = index_fan_out(problem, population, parts)
        _, demands = next(feasible_tilings(problem, population, fan_out))
        cores[population.name] = 1 + int(first_fit_decreasing(demands, problem.limits).max())
    return cores


def compare(
    title: str, network: Network, target: Target, rows: Sequence[Row], maximum: bool = False
) -> Table:
    """Tabulate the published rows, pumice's model on the same strips, and its own placement.

    Compares the mean over strips, or their `maximum`.
    """
    solution = solve_placement(make_problem(network, target))
    problem, program = solution.problem, solution.program
    strips, unshared = published_partition(problem, rows), unshared_cores(problem, program)
    lines: list[list[Cell]] = []
    for row in rows:
        demands = strips.demands[row.population]
        resources = demands.max(axis=0) if maximum else demands.mean(axis=0)
        by_name = dict(zip(RESOURCES, resources, strict=True))
        placed = list(program.slices(row.population))
        largest = max((part for _, part in placed), key=lambda part: part.neurons)
        lines.append(
            [
                row.population,
                "x".join(map(str, row.strip[::-1])),
                *(f"{getattr(row, key):.0f} / {by_name[key]:.0f}" for key in COLUMNS),
                f"{row.cores} / {len(strips.parts[row.population])}",
                "x".join(map(str, largest.shape[::-1])),
                unshared[row.population],
                len({core for core, _ in placed}),
            ]
        )
    heads = [f"{key.replace('_', ' ')} (published / pumice)" for key in (*COLUMNS, "cores")]
    columns = ("layer", "strip", *heads, "pumice's largest slice", "unshared cores", "cores")
    note = (
        f"Cores: {sum(row.cores for row in rows)} published, "
        f"{sum(map(len, strips.parts.values()))} by pumice's model of the same strips, "
        f"{sum(unshared.values())} with slices of any size, {len(program.cores)} if layers also "
        f"share cores; the lower bound is {solution.lower_bound}."
    )
    return Table(title, columns, lines, note)


def random_trace(network: Network, rate: float, timesteps: int = 2) -> Trace:
    """Make a trace in which every neuron sends with probability `rate` in each step."""
    random = np.random.default_rng(0)
    spikes = {
        p.name: (random.random((timesteps, 1, *p.shape)) < rate).astype(np.uint8)
        for p in network.populations
        if p.kind != "integrator"
    }
    counts = {name: each.sum(axis=0, dtype=np.int32) for name, each in spikes.items()}
    return Trace(timesteps, 1, spikes, counts, {})


def tabulate_step_cost(network: Network, target: Target) -> Table:
    """Tabulate the cost of a step of PilotNet in the published strips, at assumed spike rates."""
    problem = make_problem(network, target)
    program = build_program(problem, published_partition(problem, published.PILOTNET))
    note = (
        f"Measured: {published.MICROJOULES_PER_STEP} µJ (dynamic) and "
        f"{published.MICROSECONDS_PER_STEP} µs. Spike rates were not published. {COST_NOTES}"
    )
    lines: list[list[Cell]] = []
    for rate in RATES:
        cost = estimate_cost(network, random_trace(network, rate), target, program)
        for quantity, measured, estimates in (
            ("energy, µJ", published.MICROJOULES_PER_STEP, microjoules_per_step(cost)),
            ("time, µs", published.MICROSECONDS_PER_STEP, microseconds_per_step(cost)),
        ):
            for model, (low, high) in estimates.items():
                fraction = f"{low / measured:.0%} to {high / measured:.0%}"
                lines.append([f"{rate:.0%}", quantity, model, f"{low:.1f} to {high:.1f}", fraction])
    return Table(
        f"A step of PilotNet on {len(program.cores)} cores",
        ("spike rate", "quantity", "price list", "per step", "fraction of measured"),
        sorted(lines, key=lambda line: (line[1], line[2])),
        note,
    )


def microjoules_per_step(cost: Cost) -> dict[str, Range]:
    """Energy per step by each price list, in microjoules."""
    steps = cost.workload.timesteps
    return {
        each.model: (each.total[0] * 1e6 / steps, each.total[1] * 1e6 / steps)
        for each in cost.energies
    }


def microseconds_per_step(cost: Cost) -> dict[str, Range]:
    """Latency per step by each price list, in microseconds."""
    return {
        each.model: (each.mean_step[0] * 1e6, each.mean_step[1] * 1e6) for each in cost.latencies
    }


def tabulate_lower_bounds() -> Table:
    """Tabulate the number of cores of known networks against the lower bound."""
    networks = {
        "digits-events": shapes.conv_net((2, 16, 16), (1, 2), 128),
        "nmnist": shapes.conv_net((2, 34, 34), (2, 2), 512),
        "PilotNet": shapes.pilotnet(),
        "SEW-ResNet-18, 128 x 128": shapes.sew_resnet18(),
    }
    lines: list[list[Cell]] = []
    for title, network in networks.items():
        for name in ("loihi1", "loihi2", "generic8"):
            start = time.process_time()
            solution = solve_placement(make_problem(network, read_target(name)))
            seconds = time.process_time() - start
            cores = len(solution.program.cores)
            lines.append(
                [
                    title,
                    sum(p.neurons for p in network.topological_order),
                    name,
                    cores,
                    solution.lower_bound,
                    f"{cores / solution.lower_bound:.3f}",
                    solution.program.chips,
                    f"{seconds:.1f}",
                ]
            )
    columns = (
        "network",
        "neurons",
        "target",
        "cores",
        "lower bound",
        "ratio",
        "chips",
        "processor seconds",
    )
    return Table("Cores and their lower bound", columns, lines)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_json_option(parser)
    path = parser.parse_args().json
    loihi2 = read_target("loihi2")
    old_loihi2 = with_synaptic_memory(loihi2, OLD_COMPILER_WORDS)
    pilotnet = shapes.pilotnet()
    oxford = shapes.dense_net(200, 256, 200)
    mnist = shapes.dense_net(784, 128, 64, 10)
    last = compare("Oxford, 12,000 words per core", oxford, old_loihi2, published.OXFORD)
    tables = [
        compare("PilotNet LIF, 12,000 words per core", pilotnet, old_loihi2, published.PILOTNET),
        compare("MNIST", mnist, loihi2, published.MNIST, maximum=True),
        replace(last, note=f"{last.note}\n\n{RESOURCE_NOTES}"),
        tabulate_step_cost(pilotnet, loihi2),
        tabulate_lower_bounds(),
    ]
    for table in tables:
        print_table(table)
    write_result(path, "placement", tables)


RESOURCE_NOTES = """Reasons for the differences:

- axons in: pumice counts one list per shared kernel; the compiler prints 2 for the three layers
  with stride 2 along both axes, and 1 for the input, which has no incoming projection. Of 16,000,
  neither matters.
- neurons: the compiler prints those of a full strip for convolutions, pumice the mean.
- synapse words: equal in every row of PilotNet and MNIST, with the bits per weight that these rows
  imply. For Oxford the compiler prints the words of the entire layer divided by its cores
  (16,200 / 3 and 16,128 / 2); lists that are split are rounded up to words once more.
- axons out: equal except for the three layers with stride 2, where the compiler prints two per
  pixel.
- routes: pumice counts one per pixel and block of target channels; the compiler prints fewer, by a
  rule that is not public. None of its rows has more.
- cores: the compiler divides in powers of two along the width, one strip per core; pumice divides
  in any size along any axis, and lets layers share a core (at most 8 groups of neurons)."""
COST_NOTES = """No price list describes Loihi 2. Energies are those of Loihi 1, in another process
technology; times are those of Loihi 1 divided by the speed-ups that Intel states. The input layer
adds a current to each of its 39,600 neurons in every step, which counts as idle here. Waiting for
links and the embedded processors that run the loop are in no list. The spike rates are assumed:
none was published."""

if __name__ == "__main__":
    main()
