"""Tables, targets and plots of the results of `bench.low_timesteps`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pumice.runtime.files import atomic_write

Cells = dict[tuple[str, str, int], dict[str, Any]]
BASELINE = "cross-entropy"
# Targets, in percentage points; MIN_STEPS_SAVED in percent.
MIN_EARLY_GAIN = 10.0
MAX_FULL_LOSS = 0.5
MAX_QUANTIZATION_GAP = 1.0
MIN_STEPS_SAVED = 40.0
MAX_EXIT_LOSS = 0.5


def unique_keys(cells: Cells, index: int) -> list[Any]:
    """Unique datasets (index 0), losses (1) or seeds (2), in order."""
    return list(dict.fromkeys(name[index] for name in cells))


def accuracy_curves(cells: Cells, dataset: str, objective: str, metric: str) -> NDArray[np.float64]:
    """Accuracy in percent, (seeds, timesteps)."""
    curves = [cell[metric] for (a, b, _), cell in cells.items() if (a, b) == (dataset, objective)]
    return 100 * np.array(curves)


def exit_metric(cells: Cells, dataset: str, objective: str, metric: str) -> NDArray[np.float64]:
    """A metric of early exit, (seeds,)."""
    values = [c["exit"][metric] for (a, b, _), c in cells.items() if (a, b) == (dataset, objective)]
    return np.array(values)


def format_table(cells: Cells, dataset: str) -> Iterator[str]:
    """Yield the lines of the table of a dataset: means and standard deviations over seeds."""
    objectives = [
        o for o in unique_keys(cells, 1) if accuracy_curves(cells, dataset, o, "float").size
    ]
    steps = accuracy_curves(cells, dataset, objectives[0], "float").shape[1]
    columns = sorted({1, 2, (steps + 1) // 2, steps})
    heads = "".join(f"{f'T = {t}':>14}" for t in columns)
    yield f"{dataset}: accuracy of the integer network in %; mean steps and loss of early exit"
    yield f"{'':22}{heads}{'int - float':>13}{'steps':>14}{'lost':>12}"
    for objective in objectives:
        integers = accuracy_curves(cells, dataset, objective, "integer")
        gap = np.abs(
            (integers - accuracy_curves(cells, dataset, objective, "float")).mean(axis=0)
        ).max()
        parts = "".join(f"{_mean_std(integers[:, t - 1]):>14}" for t in columns)
        steps_run, lost = (exit_metric(cells, dataset, objective, k) for k in ("steps", "lost"))
        exits = f"{_mean_std(steps_run, 2):>14}{_mean_std(100 * lost):>12}"
        yield f"{objective:22}{parts}{gap:>13.2f}{exits}"


def check_targets(cells: Cells) -> Iterator[str]:
    """Yield each target, its measured value, and whether it was met."""
    for dataset in unique_keys(cells, 0):
        yield from _check_baseline(cells, dataset)
        for objective in unique_keys(cells, 1):
            yield from _check_objective(cells, dataset, objective)
    for (dataset, objective, seed), cell in cells.items():
        for engine, passed in cell["exit"]["passed"].items():
            if not passed:
                yield f"MISSED  {dataset}, {objective}, seed {seed}: {engine} differs"
    engines = sorted({name for cell in cells.values() for name in cell["exit"]["passed"]})
    yield f"verified against the reference, exits and all values: {', '.join(engines)}"


def _check_baseline(cells: Cells, dataset: str) -> Iterator[str]:
    """Compare ETC and TCL with cross-entropy."""
    baseline = accuracy_curves(cells, dataset, BASELINE, "integer")
    if not baseline.size:
        return
    gain = (baseline[:, -1] - baseline[:, 0]).mean()
    yield f"        {dataset}: cross-entropy gains {gain:.2f} from T = 1 to full T"
    for objective in ("ETC", "TCL"):
        curves = accuracy_curves(cells, dataset, objective, "integer")
        if curves.size:
            first, full = (curves[:, t].mean() - baseline[:, t].mean() for t in (0, -1))
            early, late = (f"{objective} at {t} against cross-entropy" for t in ("T = 1", "full T"))
            yield _format_verdict(f"{dataset}, {early}", first, minimum=MIN_EARLY_GAIN)
            yield _format_verdict(f"{dataset}, {late}", full, minimum=-MAX_FULL_LOSS)


def _check_objective(cells: Cells, dataset: str, objective: str) -> Iterator[str]:
    """Check quantization and early exit of one loss."""
    floats = accuracy_curves(cells, dataset, objective, "float")
    if not floats.size:
        return
    name = f"{dataset}, {objective}"
    integers = accuracy_curves(cells, dataset, objective, "integer")
    gap = np.abs((integers - floats).mean(axis=0)).max()
    saved = 100 * (1 - exit_metric(cells, dataset, objective, "steps").mean() / floats.shape[1])
    lost = 100 * exit_metric(cells, dataset, objective, "lost").mean()
    title = "integer against float, maximum"
    yield _format_verdict(f"{name}: {title}", gap, maximum=MAX_QUANTIZATION_GAP)
    title = "percentage of steps saved by early exit"
    yield _format_verdict(f"{name}: {title}", saved, minimum=MIN_STEPS_SAVED)
    yield _format_verdict(f"{name}: accuracy lost by early exit", lost, maximum=MAX_EXIT_LOSS)


def plot_curves(path: Path, cells: Cells) -> None:
    """Plot accuracy against timesteps, one panel per dataset, and write it as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    datasets = unique_keys(cells, 0)
    size = (5 * len(datasets), 4)
    figure, panels = pyplot.subplots(1, len(datasets), figsize=size, squeeze=False)
    for panel, dataset in zip(panels[0], datasets, strict=True):
        for number, objective in enumerate(unique_keys(cells, 1)):
            curves = accuracy_curves(cells, dataset, objective, "integer")
            if not curves.size:
                continue
            mean, std, steps = (
                curves.mean(axis=0),
                curves.std(axis=0),
                range(1, curves.shape[1] + 1),
            )
            panel.plot(steps, mean, label=objective, color=f"C{number}")
            panel.fill_between(steps, mean - std, mean + std, alpha=0.15, color=f"C{number}")
            exit_steps = exit_metric(cells, dataset, objective, "steps").mean()
            lost = 100 * exit_metric(cells, dataset, objective, "lost").mean()
            panel.plot(exit_steps, mean[-1] - lost, "o", color=f"C{number}")
        panel.set(title=dataset, xlabel="timesteps", ylabel="accuracy, %")
    panels[0][0].legend(fontsize="small", loc="lower right")
    figure.suptitle("Integer networks stopped after each timestep; dots: early exit")
    figure.tight_layout()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    pyplot.close(figure)


def _mean_std(values: NDArray[np.float64], digits: int = 1) -> str:
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


def _format_verdict(
    title: str, value: float, minimum: float | None = None, maximum: float | None = None
) -> str:
    margin = value - minimum if minimum is not None else (maximum or 0.0) - value
    verdict = "met   " if round(margin, 6) >= 0 else "MISSED"
    bound = f">= {minimum:g}" if minimum is not None else f"<= {maximum:g}"
    return f"{verdict}  {title}: {value:.2f} ({bound})"
