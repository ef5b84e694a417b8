"""What `bench.low_timesteps` found, as tables, verdicts on its targets, and a picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pumice.runtime.files import atomic_write

Cells = dict[tuple[str, str, int], dict[str, Any]]
BASELINE = "cross-entropy"
MIN_EARLY_GAIN, MAX_FULL_LOSS, MAX_QUANTIZATION_GAP, MIN_STEPS_SAVED, MAX_EXIT_LOSS = (
    10.0,
    0.5,
    1.0,
    40.0,
    0.5,
)  # points, points, ...


def unique_keys(cells: Cells, place: int) -> list[Any]:
    """Return the sets (0), the objectives (1) or the seeds (2), in their order."""
    return list(dict.fromkeys(name[place] for name in cells))


def accuracy_curves(cells: Cells, which: str, objective: str, what: str) -> NDArray[np.float64]:
    """Return the accuracy in percent, (seeds, timesteps)."""
    found = [cell[what] for (a, b, _), cell in cells.items() if (a, b) == (which, objective)]
    return 100 * np.array(found)


def exit_metric(cells: Cells, which: str, objective: str, what: str) -> NDArray[np.float64]:
    """Return what early stops gave, (seeds,)."""
    found = [c["exit"][what] for (a, b, _), c in cells.items() if (a, b) == (which, objective)]
    return np.array(found)


def format_table(cells: Cells, which: str) -> Iterator[str]:
    """Yield the lines of a data set's table: means and standard deviations over seeds."""
    objectives = [
        o for o in unique_keys(cells, 1) if accuracy_curves(cells, which, o, "float").size
    ]
    steps = accuracy_curves(cells, which, objectives[0], "float").shape[1]
    shown = sorted({1, 2, (steps + 1) // 2, steps})
    heads = "".join(f"{f'T = {t}':>14}" for t in shown)
    yield f"{which}: accuracy of the integers in %, truncated; mean steps and loss of early stops"
    yield f"{'':22}{heads}{'int - float':>13}{'steps':>14}{'lost':>12}"
    for objective in objectives:
        integers = accuracy_curves(cells, which, objective, "integers")
        gap = np.abs(
            (integers - accuracy_curves(cells, which, objective, "float")).mean(axis=0)
        ).max()
        parts = "".join(f"{_mean_std(integers[:, t - 1]):>14}" for t in shown)
        ran, lost = (exit_metric(cells, which, objective, k) for k in ("steps", "lost"))
        yield (
            f"{objective:22}{parts}{gap:>13.2f}{_mean_std(ran, 2):>14}{_mean_std(100 * lost):>12}"
        )


def check_targets(cells: Cells) -> Iterator[str]:
    """Yield each target, what was measured, and whether it was met."""
    for which in unique_keys(cells, 0):
        plain = accuracy_curves(cells, which, BASELINE, "integers")
        if plain.size:
            room = (plain[:, -1] - plain[:, 0]).mean()
            yield f"        {which}: cross-entropy at full T is {room:.2f} above its T = 1"
        for objective in ("ETC", "TCL"):
            found = accuracy_curves(cells, which, objective, "integers")
            if not (plain.size and found.size):
                continue
            first = found[:, 0].mean() - plain[:, 0].mean()
            full = found[:, -1].mean() - plain[:, -1].mean()
            yield _format_verdict(
                which, f"{objective} at T = 1 against cross-entropy", first, MIN_EARLY_GAIN, 1
            )
            yield _format_verdict(
                which, f"{objective} at full T against cross-entropy", full, -MAX_FULL_LOSS, 1
            )
        for objective in unique_keys(cells, 1):
            real = accuracy_curves(cells, which, objective, "float")
            if not real.size:
                continue
            gap = np.abs(
                (accuracy_curves(cells, which, objective, "integers") - real).mean(axis=0)
            ).max()
            yield _format_verdict(
                which,
                f"{objective}: integers against floats, at worst",
                gap,
                MAX_QUANTIZATION_GAP,
                -1,
            )
            steps = real.shape[1]
            saved = 100 * (1 - exit_metric(cells, which, objective, "steps").mean() / steps)
            lost = 100 * exit_metric(cells, which, objective, "lost").mean()
            yield _format_verdict(
                which,
                f"{objective}: share of steps saved by early stops",
                saved,
                MIN_STEPS_SAVED,
                1,
            )
            yield _format_verdict(
                which, f"{objective}: accuracy lost by early stops", lost, MAX_EXIT_LOSS, -1
            )
    for (which, objective, seed), cell in cells.items():
        for engine, same in cell["exit"]["same_in"].items():
            if not same:
                yield f"MISSED  {which}, {objective}, seed {seed}: {engine} stops elsewhere"
    engines = sorted({name for cell in cells.values() for name in cell["exit"]["same_in"]})
    yield f"compared with the reference, exits and every value: {', '.join(engines)}"


def plot_curves(path: Path, cells: Cells) -> None:
    """Draw accuracy against timesteps, a panel a data set, and write it as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sets = unique_keys(cells, 0)
    figure, panels = pyplot.subplots(1, len(sets), figsize=(5 * len(sets), 4), squeeze=False)
    for panel, which in zip(panels[0], sets, strict=True):
        for number, objective in enumerate(unique_keys(cells, 1)):
            found = accuracy_curves(cells, which, objective, "integers")
            if not found.size:
                continue
            mean, spread, at = found.mean(axis=0), found.std(axis=0), range(1, found.shape[1] + 1)
            panel.plot(at, mean, label=objective, color=f"C{number}")
            panel.fill_between(at, mean - spread, mean + spread, alpha=0.15, color=f"C{number}")
            ran = exit_metric(cells, which, objective, "steps").mean()
            stopped = mean[-1] - 100 * exit_metric(cells, which, objective, "lost").mean()
            panel.plot(ran, stopped, "o", color=f"C{number}")
        panel.set(title=which, xlabel="timesteps", ylabel="accuracy, %")
    panels[0][0].legend(fontsize="small", loc="lower right")
    figure.suptitle("Integers stopped after each timestep; dots: each sample stopped early")
    figure.tight_layout()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    pyplot.close(figure)


def _mean_std(values: NDArray[np.float64], digits: int = 1) -> str:
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


def _format_verdict(which: str, what: str, found: float, target: float, sense: int) -> str:
    met = sense * round(found - target, 6) >= 0
    sign = ">=" if sense > 0 else "<="
    return f"{'met   ' if met else 'MISSED'}  {which}, {what}: {found:.2f} ({sign} {target:g})"
