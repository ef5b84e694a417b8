"""Placement and cost beside what is published: `python -m bench.placement`, about two minutes.

Prints in Markdown, pumice's rules on the published strips of Loihi 2, its own placements, and the
share of a measured step that each price list explains.
"""

import time
from collections.abc import Sequence

import numpy as np

from bench import published, shapes
from bench.published import Row
from pumice.deploy.cost.estimate import Cost, estimate_cost
from pumice.deploy.placement.lower_bound import min_cores
from pumice.deploy.placement.packing import first_fit_decreasing
from pumice.deploy.placement.partition import Partition, index_fan_out
from pumice.deploy.placement.place import build_program, place
from pumice.deploy.placement.problem import RESOURCES, PlacementProblem, make_problem
from pumice.deploy.placement.resources import slice_resources
from pumice.deploy.placement.tiling import feasible_tilings, tile
from pumice.deploy.targets.target import Target, read_target
from pumice.runtime import Network, Program, Trace

SHOWN = ("axons_in", "neurons", "synapse_words", "axons_out", "routes")
RATES = (0.0, 0.02, 0.05, 0.1, 0.2)
OLDER = 12_000  # words of synaptic memory that the compiler of PilotNet and Oxford printed


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print()


def with_words(target: Target, words: int) -> Target:
    """Return `target` with so many words of synaptic memory a core."""
    assert target.core
    memory = target.core.synaptic_memory.model_copy(update={"value": 64 * words})
    core = target.core.model_copy(update={"synaptic_memory": memory})
    return target.model_copy(update={"core": core})


def in_strips(work: PlacementProblem, rows: Sequence[Row]) -> Partition:
    """Return the network cut into the published strips, each on a core of its own."""
    strips = {row.population: row.strip for row in rows}
    parts = {p.name: tile(p, strips[p.name]) for p in work.network.topological_order}
    demands = {
        p.name: np.stack(
            [slice_resources(work, part, index_fan_out(work, p, parts)) for part in parts[p.name]]
        )
        for p in work.network.topological_order
    }
    firsts = np.cumsum([0, *(len(parts[name]) for name in parts)])
    cores = {
        name: np.arange(first, first + len(parts[name]))
        for name, first in zip(parts, firsts[:-1], strict=True)
    }
    return Partition(parts, demands, cores)


def alone(work: PlacementProblem, program: Program) -> dict[str, int]:
    """Return how many cores each population needs where it shares none with others."""
    parts = {
        p.name: tuple(part for _, part in program.slices(p.name))
        for p in work.network.topological_order
    }
    found = {}
    for population in work.network.topological_order:
        _, demands = next(
            feasible_tilings(work, population, index_fan_out(work, population, parts))
        )
        found[population.name] = 1 + int(first_fit_decreasing(demands, work.limits).max())
    return found


def compare(
    title: str, network: Network, target: Target, rows: Sequence[Row], largest: bool = False
) -> None:
    """Print the published rows beside pumice's rules on the same strips, and its own placement.

    What strips take is compared as a mean, or for the `largest`.
    """
    work, program = make_problem(network, target), place(network, target)
    strips, single = in_strips(work, rows), alone(work, program)
    print(f"## {title}\n")
    lines = []
    for row in rows:
        demands = strips.demands[row.population]
        taken = demands.max(axis=0) if largest else demands.mean(axis=0)
        means = dict(zip(RESOURCES, taken, strict=True))
        own = list(program.slices(row.population))
        widest = max((part for _, part in own), key=lambda part: part.neurons)
        lines.append(
            [
                row.population,
                "x".join(map(str, row.strip[::-1])),
                *(f"{getattr(row, key):.0f} / {means[key]:.0f}" for key in SHOWN),
                f"{row.cores} / {len(strips.parts[row.population])}",
                "x".join(map(str, widest.shape[::-1])),
                single[row.population],
                len({core for core, _ in own}),
            ]
        )
    heads = [f"{key.replace('_', ' ')} (published / pumice)" for key in (*SHOWN, "cores")]
    table(["layer", "strip", *heads, "pumice's largest strip", "alone", "in the end"], lines)
    print(
        f"Cores: {sum(row.cores for row in rows)} published, "
        f"{sum(map(len, strips.parts.values()))} by pumice's rules in the same strips, "
        f"{sum(single.values())} with strips of any size, {len(program.cores)} where layers share "
        f"cores as well, {min_cores(work)} the lower bound.\n"
    )


def drawn(network: Network, rate: float, timesteps: int = 2) -> Trace:
    """Return a trace in which every neuron sends with probability `rate` in each step."""
    random = np.random.default_rng(0)
    spikes = {
        p.name: (random.random((timesteps, 1, *p.shape)) < rate).astype(np.uint8)
        for p in network.populations
        if p.kind != "integrator"
    }
    counts = {name: each.sum(axis=0, dtype=np.int32) for name, each in spikes.items()}
    return Trace(timesteps, 1, spikes, counts, {})


def explained(network: Network, target: Target) -> None:
    """Print what a step of PilotNet costs in the published strips, at rates nobody published."""
    program = build_program(
        make_problem(network, target), in_strips(make_problem(network, target), published.PILOTNET)
    )
    print(f"## A step of PilotNet on {len(program.cores)} cores\n")
    print(
        f"Measured: {published.MICROJOULES_PER_STEP} uJ (dynamic) and "
        f"{published.MICROSECONDS_PER_STEP} us. How often neurons spiked was not published.\n"
    )
    lines = []
    for rate in RATES:
        cost = estimate_cost(network, drawn(network, rate), target, program)
        for kind, measured, figures in (
            ("energy, uJ", published.MICROJOULES_PER_STEP, energies(cost)),
            ("time, us", published.MICROSECONDS_PER_STEP, times(cost)),
        ):
            for model, (least, most) in figures.items():
                share = f"{least / measured:.0%} to {most / measured:.0%}"
                lines.append([f"{rate:.0%}", kind, model, f"{least:.1f} to {most:.1f}", share])
    table(
        ["neurons that spike", "what", "list", "a step", "of the measured"],
        sorted(lines, key=lambda line: (line[1], line[2])),
    )


def energies(cost: Cost) -> dict[str, tuple[float, float]]:
    """Return microjoules a step by each list."""
    steps = cost.workload.timesteps
    return {b.model: (b.total[0] * 1e6 / steps, b.total[1] * 1e6 / steps) for b in cost.energies}


def times(cost: Cost) -> dict[str, tuple[float, float]]:
    """Return microseconds a step by each list."""
    return {
        each.model: (each.mean_step[0] * 1e6, each.mean_step[1] * 1e6) for each in cost.latencies
    }


def known() -> None:
    """Print how close the placements of known networks come to the lower bound."""
    print("## Cores and their lower bound\n")
    networks = {
        "digits-events": shapes.conv_net((2, 16, 16), (1, 2), 128),
        "nmnist": shapes.conv_net((2, 34, 34), (2, 2), 512),
        "PilotNet": shapes.pilotnet(),
        "SEW-ResNet-18, 128 x 128": shapes.sew_resnet18(),
    }
    lines = []
    for title, network in networks.items():
        for name in ("loihi1", "loihi2", "generic8"):
            target = read_target(name)
            start = time.perf_counter()
            program = place(network, target)
            seconds = time.perf_counter() - start
            bound = min_cores(make_problem(network, target))
            neurons = sum(p.neurons for p in network.topological_order)
            ratio = f"{len(program.cores) / bound:.3f}"
            lines.append(
                [
                    title,
                    neurons,
                    name,
                    len(program.cores),
                    bound,
                    ratio,
                    program.chips,
                    f"{seconds:.1f}",
                ]
            )
    table(["network", "neurons", "target", "cores", "at least", "ratio", "chips", "seconds"], lines)


def main() -> None:
    """Print everything."""
    loihi2 = read_target("loihi2")
    older = with_words(loihi2, OLDER)
    pilotnet = shapes.pilotnet()
    compare("PilotNet LIF, 12,000 words a core", pilotnet, older, published.PILOTNET)
    mnist = shapes.dense_net(784, 128, 64, 10)
    compare("MNIST", mnist, loihi2, published.MNIST, largest=True)
    compare("Oxford, 12,000 words a core", shapes.dense_net(200, 256, 200), older, published.OXFORD)
    print(NOTES)
    explained(pilotnet, loihi2)
    print(SHARES)
    known()


NOTES = """Why they differ:

- axons in: pumice counts one list a shared kernel; the compiler prints 2 for the three layers with
  stride 2 both ways, and 1 for the input, to which nothing projects. Of 16,000, neither matters.
- neurons: the compiler prints those of a full strip for convolutions, pumice the mean.
- synapse words: equal in every row of PilotNet and MNIST, with the bits a weight that these rows
  imply. For Oxford the compiler prints the whole layer's words over its cores (16,200 / 3 and
  16,128 / 2); lists that are cut round up to whole words once more.
- axons out: equal but for the three layers with stride 2, where the compiler prints two a pixel.
- routes: pumice counts one a pixel and block of target channels; the compiler prints fewer, by a
  rule that is not public. None of its rows has more.
- cores: the compiler cuts in powers of two along the width, one strip a core; pumice cuts in any
  size along any axis, and lets layers share a core (at most 8 groups of neurons).
"""
SHARES = """What is missing: no list knows Loihi 2. Energies are those of Loihi 1, in another
process; times are those of Loihi 1 over the gains that Intel names. The input layer adds a current
to each of its 39,600 neurons in every step, which counts as idle here. Waiting for links and the
embedded processors that run the loop are in no list. The rates are assumed: none was published.
"""

if __name__ == "__main__":
    main()
