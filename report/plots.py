"""Plots of reports as plain matplotlib figures, for notebooks and papers.

Every function takes a `Report` (of `build_report` or `read_report`) and draws into `ax`, or makes a
figure of its own; it returns the figure. Series differ in line style and marker as well as color.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..runtime.errors import DataError
from ..runtime.figures import COLORS, LINE_STYLES, MARKERS, new_figure
from .format import axis_formatter, energy_axis_formatter, main_curve
from .headline import chosen_target, energies_of
from .model import Energy, Report
from .pareto import OperatingPoint, operating_points
from .profiles import UNITS
from .render import layer_rows

Quantity = Literal["spikes", "operations", "energy"]
Cost = Literal["timesteps", "operations", "energy"]
HATCHES = ("", "////", "....")
MAX_NUMBERED = 24  # classes up to which cells show their counts


def plot_accuracy(report: Report, ax: Any = None) -> Any:
    """Plot accuracy against timesteps, one line for each accuracy curve.

    Args:
        report: The report.
        ax: A `matplotlib.axes.Axes` to draw into.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        DataError: The report has no accuracy, since the true classes were not known.
        MissingPackage: matplotlib is not installed (extra `plot`).
    """
    if not report.curves:
        raise DataError(_without_labels("plot_accuracy"))
    panel = ax or _new_panel("plot_accuracy")
    steps = range(1, report.timesteps + 1)
    for number, curve in enumerate(report.curves):
        panel.plot(steps, _percent(curve.accuracy), label=curve.name, **_style(number))
    panel.set(xlabel="timestep", ylabel="accuracy (%)")
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.legend()
    return panel.figure


def plot_pareto(report: Report, target: str = "", ax: Any = None) -> Any:
    """Plot accuracy against energy at each timestep; Pareto-optimal timesteps are filled.

    Args:
        report: The report.
        target: Title of the target, such as "Loihi 2"; that of the key figures by default.
        ax: A `matplotlib.axes.Axes` to draw into.

    Returns:
        The `matplotlib.figure.Figure`. Bars are the range of the energy by the first energy model
        of the target.

    Raises:
        DataError: The report has no accuracy, or no energy of this target by timestep.
        MissingPackage: matplotlib is not installed (extra `plot`).
    """
    energy, points = _operating_points(report, target)
    panel = ax or _new_panel("plot_pareto")
    means = [point.mean_energy for point in points]
    accuracy = _percent([point.accuracy for point in points])
    spread = np.array([[p.mean_energy - p.energy[0], p.energy[1] - p.mean_energy] for p in points])
    panel.plot(means, accuracy, color="0.7", linewidth=1, zorder=1)
    panel.errorbar(means, accuracy, xerr=spread.T, fmt="none", ecolor="0.6", zorder=2)
    for optimal, fill, label in (
        (True, COLORS[0], "Pareto-optimal"),
        (False, "white", "dominated"),
    ):
        chosen = [k for k, point in enumerate(points) if point.optimal == optimal]
        if chosen:
            x, y = [means[k] for k in chosen], [accuracy[k] for k in chosen]
            panel.scatter(x, y, facecolor=fill, edgecolor=COLORS[0], label=label, zorder=3)
    for point, *place in zip(points, means, accuracy, strict=True):
        offset = {"xytext": (0, -13), "textcoords": "offset points", "ha": "center"}
        panel.annotate(str(point.timestep), place, fontsize="small", **offset)
    panel.set(ylabel="accuracy (%)", title=energy.model)
    panel.margins(y=0.12)  # room for the labels
    _label_energy(panel, max(point.energy[1] for point in points))
    panel.legend(loc="lower right")
    return panel.figure


def plot_confusion_matrix(report: Report, ax: Any = None) -> Any:
    """Plot the confusion matrix after the last timestep, true classes in rows.

    Args:
        report: The report.
        ax: A `matplotlib.axes.Axes` to draw into.

    Returns:
        The `matplotlib.figure.Figure`. Colors are square roots of the fractions of a row; up to 24
        classes the cells show their counts.

    Raises:
        DataError: The report has no confusion matrix, since the true classes were not known.
        MissingPackage: matplotlib is not installed (extra `plot`).
    """
    if not report.confusion:
        raise DataError(_without_labels("plot_confusion_matrix"))
    panel = ax or _new_panel("plot_confusion_matrix", (5.0, 5.0))
    counts = np.array(report.confusion)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    panel.imshow(np.sqrt(fractions), cmap="Blues", vmin=0, vmax=1)  # few mistakes are seen, too
    if len(counts) <= MAX_NUMBERED:
        for row, column in zip(*counts.nonzero(), strict=True):
            color = "white" if fractions[row, column] > 0.3 else "black"
            panel.text(column, row, counts[row, column], ha="center", va="center", color=color)
        turned = 90 if max(map(len, report.classes)) > 3 else 0
        panel.set_xticks(range(len(counts)), report.classes, rotation=turned)
        panel.set_yticks(range(len(counts)), report.classes)
    panel.set(xlabel="predicted class", ylabel="true class")
    return panel.figure


def plot_layers(report: Report, quantity: Quantity = "spikes", ax: Any = None) -> Any:
    """Plot spikes, synaptic operations or energy per inference, one bar for each layer.

    Args:
        report: The report.
        quantity: "spikes", "operations" (of the synapses that lead to a layer) or "energy" (on the
            target of the key figures, the middle of its range).
        ax: A `matplotlib.axes.Axes` to draw into.

    Returns:
        The `matplotlib.figure.Figure`. Energy is stacked by unit of work.

    Raises:
        DataError: Another quantity, or the report has no energy by layer.
        MissingPackage: matplotlib is not installed (extra `plot`).
    """
    if quantity not in ("spikes", "operations", "energy"):
        raise DataError(f"plot_layers: quantity {quantity!r}, needs spikes, operations or energy")
    rows = layer_rows(report, None)
    names = [row.activity.name for row in rows]
    energy = next(iter(energies_of(report, chosen_target(report))), None)
    if quantity == "energy" and not (energy and energy.populations):
        raise DataError("plot_layers: the report has no energy by layer; report on a chip target")
    panel = ax or _new_panel("plot_layers", (5.0, 1.2 + 0.35 * len(rows)))
    if quantity == "energy" and energy:
        _stack_energy(panel, names, energy)
    else:
        values = [row.activity.events if quantity == "spikes" else row.operations for row in rows]
        panel.barh(names, values, color=COLORS[0])
        format_tick = axis_formatter(max(values))
        panel.xaxis.set_major_formatter(lambda value, _: format_tick(value))
        kind = "spikes" if quantity == "spikes" else "synaptic operations"
        panel.set_xlabel(f"{kind} per inference")
    panel.invert_yaxis()
    return panel.figure


def plot_comparison(reports: Sequence[Report], cost: Cost = "energy", ax: Any = None) -> Any:
    """Plot the accuracy of several reports against timesteps, operations or energy.

    Args:
        reports: The reports; energies are those on the target of the key figures of the first.
        cost: "timesteps", "operations" or "energy".
        ax: A `matplotlib.axes.Axes` to draw into.

    Returns:
        The `matplotlib.figure.Figure`; each point is an inference that stops after 1, 2, ...
        timesteps.

    Raises:
        DataError: There is no report, another cost, or a report lacks accuracy or energy.
        MissingPackage: matplotlib is not installed (extra `plot`).
    """
    if not reports or cost not in ("timesteps", "operations", "energy"):
        raise DataError(
            f"plot_comparison: {len(reports)} reports, cost {cost!r}; needs one report or more, "
            "and timesteps, operations or energy"
        )
    series = [_cost_by_step(report, cost, chosen_target(reports[0])) for report in reports]
    panel = ax or _new_panel("plot_comparison")
    for number, (report, (costs, accuracy)) in enumerate(zip(reports, series, strict=True)):
        panel.plot(costs, _percent(accuracy), label=report.title, **_style(number))
    panel.set_ylabel("accuracy (%)")
    if cost == "energy":
        _label_energy(panel, max(max(costs) for costs, _ in series))
    else:
        format_tick = axis_formatter(max(max(costs) for costs, _ in series))
        panel.xaxis.set_major_formatter(lambda value, _: format_tick(value))
        unit = "timesteps" if cost == "timesteps" else "synaptic operations per inference"
        panel.set_xlabel(unit)
    panel.legend()
    return panel.figure


def _operating_points(report: Report, target: str) -> tuple[Energy, tuple[OperatingPoint, ...]]:
    curve, name = main_curve(report), target or chosen_target(report)
    if curve is None:
        raise DataError(_without_labels("plot_pareto"))
    for energy in energies_of(report, name):
        if points := operating_points(curve, energy):
            return energy, points
    known = ", ".join(dict.fromkeys(each.target for each in report.energies)) or "none"
    raise DataError(f"plot_pareto: no energy of target {name!r} by timestep (there are: {known})")


def _cost_by_step(
    report: Report, cost: Cost, target: str
) -> tuple[Sequence[float], Sequence[float]]:
    """Cost and accuracy of an inference that stops after 1, 2, ... timesteps."""
    if cost == "energy":
        _, points = _operating_points(report, target)
        return [p.mean_energy for p in points], [p.accuracy for p in points]
    curve = main_curve(report)
    if curve is None:
        raise DataError(_without_labels("plot_comparison"))
    steps = range(1, report.timesteps + 1)
    return (steps if cost == "timesteps" else report.cumulative_operations), curve.accuracy


def _stack_energy(panel: Any, names: Sequence[str], energy: Energy) -> None:
    left = np.zeros(len(names))
    kinds = [*UNITS.values(), "messages"]
    for kind, color, hatch in zip(kinds, (COLORS[0], COLORS[2], COLORS[3]), HATCHES, strict=True):
        parts = (energy.populations.get(name, {}).get(kind, (0.0, 0.0)) for name in names)
        values = np.array([sum(bounds) / 2 for bounds in parts])
        style = {"color": color, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
        panel.barh(names, values, left=left, label=kind, **style)
        left += values
    panel.set_title(energy.model)
    _label_energy(panel, left.max())
    panel.legend()


def _new_panel(user: str, size: tuple[float, float] = (5.0, 3.5)) -> Any:
    return new_figure(user, size).subplots()


def _style(number: int) -> dict[str, Any]:
    """Color, line style and marker of a series."""
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": LINE_STYLES[number % len(LINE_STYLES)],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 4,
    }


def _label_energy(panel: Any, largest: float) -> None:
    format_tick = energy_axis_formatter(largest)
    panel.xaxis.set_major_formatter(lambda value, _: format_tick(value))
    panel.set_xlabel("energy per inference")
    panel.set_xlim(left=0)


def _percent(values: Sequence[float]) -> list[float]:
    return [100 * value for value in values]


def _without_labels(user: str) -> str:
    return f"{user}: the report has no accuracy; build it on samples whose classes are known"
