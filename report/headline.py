"""Key figures of a report, each with its certainty, on the chosen target."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from .format import (
    format_count,
    format_energy,
    format_error,
    format_percent,
    format_range,
    format_short_range,
    format_time,
    format_time_range,
    join_words,
    main_curve,
)
from .model import AccuracyCurve, Energy, Report
from .placement import Placement

NORMAL_QUANTILE = 1.959964  # of 97.5 %


@dataclass(frozen=True)
class KeyFigure:
    """One figure: its `name`, its `value` with a unit, and its `certainty`."""

    name: str
    value: str
    certainty: str


def key_figures(report: Report) -> tuple[KeyFigure, ...]:
    """Select accuracy or error, latency, energy and cores on the chosen target, if known."""
    target = chosen_target(report)
    placement = next((each for each in report.placements if each.target == target), None)
    figures = (
        _accuracy(report),
        _error(report),
        _latency(report, placement),
        _energy(report, target),
        _resources(placement),
    )
    return tuple(figure for figure in figures if figure)


def chosen_target(report: Report) -> str:
    """Title of the target of the key figures: the first that was asked for, else empty."""
    titles = [each.target for each in report.placements[:1]]
    titles += [target_of(each) for each in report.energies[:1]]
    return titles[0] if titles else ""


def target_of(energy: Energy) -> str:
    """Title of the target of an energy estimate."""
    return energy.target or energy.model.partition(",")[0]


def energies_of(report: Report, target: str) -> tuple[Energy, ...]:
    """Energy estimates of one target, by its title."""
    return tuple(each for each in report.energies if target_of(each) == target)


def wilson_interval(fraction: float, samples: int) -> tuple[float, float]:
    """Compute the 95 % confidence interval of a fraction of independent samples.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of
    the American Statistical Association 22(158):209-212, 1927.

    >>> tuple(round(end, 3) for end in wilson_interval(0.9, 10))
    (0.596, 0.982)
    """
    square = NORMAL_QUANTILE**2 / samples
    center = (fraction + square / 2) / (1 + square)
    spread = sqrt(square * (fraction * (1 - fraction) + square / 4)) / (1 + square)
    return max(center - spread, 0.0), min(center + spread, 1.0)


def accuracy_name(curve: AccuracyCurve) -> str:
    """Name the accuracy of a curve: that of the integer network, or of another way to run it."""
    return f"accuracy, {'integers' if curve.name == 'integer' else curve.name}"


def _accuracy(report: Report) -> KeyFigure | None:
    curve = main_curve(report)
    if curve is None:
        return None
    low, high = wilson_interval(curve.accuracy[-1], report.samples)
    return KeyFigure(
        accuracy_name(curve),
        format_percent(curve.accuracy[-1]),
        f"measured on {format_count(report.samples)} samples: {100 * low:.1f} to "
        f"{format_percent(high)} with 95 % confidence",
    )


def _error(report: Report) -> KeyFigure | None:
    """Mean absolute error of a regression, in units of its targets."""
    errors = report.errors
    if errors is None:
        return None
    certainty = f"measured on {format_count(report.samples)} samples"
    if errors.interval:
        low, high = (format_error(end) for end in errors.interval)
        certainty += f": {low} to {high} with 95 % confidence"
    certainty += (
        f"; root mean squared error {format_error(errors.root_mean_squared[-1])}, of the mean of "
        f"all targets {format_error(errors.target_deviation)}"
    )
    value = format_error(errors.mean_absolute[-1])
    return KeyFigure("mean absolute error, integers", value, certainty)


def _latency(report: Report, placement: Placement | None) -> KeyFigure | None:
    """Latency by the first list of times of the target, or else as measured on this machine."""
    if placement and placement.timings:
        timing, *others = placement.timings
        return KeyFigure(
            f"latency per inference, {placement.target}",
            format_short_range(timing.inference, format_time),
            _certainty(
                timing.certainty,
                "times",
                _about(timing.model, placement.target),
                {_about(t.model, placement.target): format_time_range(t.inference) for t in others},
            ),
        )
    if report.host and report.host.inference:
        return KeyFigure(
            "latency per inference, this machine",
            format_time(report.host.inference[0]),
            f"measured: median of {format_count(report.host.runs)} single samples on "
            f"{report.host.processor}",
        )
    return None


def _energy(report: Report, target: str) -> KeyFigure | None:
    energies = energies_of(report, target)
    if not energies:
        return None
    first, *others = energies
    return KeyFigure(
        f"energy per inference, {target}",
        format_short_range(first.total, format_energy),
        _certainty(
            first.certainty,
            "energies",
            _about(first.model, target),
            {_about(each.model, target): format_range(each.total) for each in others},
        ),
    )


def _certainty(certainty: str, constants: str, about: str, others: Mapping[str, str]) -> str:
    """Describe an estimate: certainty of its constants, its model, and what other models give."""
    text = f"estimate by {certainty} {constants}".replace("  ", " ")
    text += f" ({about})" if about else ""
    return "; ".join([text, *(f"{value} ({name})" for name, value in others.items())])


def _about(model: str, target: str) -> str:
    return model.removeprefix(target).removeprefix(", ")


def _resources(placement: Placement | None) -> KeyFigure | None:
    if placement is None:
        return None
    name = f"cores, {placement.target}"
    if placement.error:
        return KeyFigure(name, "does not fit", placement.error)
    if placement.memory:
        used = [f"{size / 1024:.1f} KiB {kind}" for kind, (size, _) in placement.memory.items()]
        shares = [
            f"{format_percent(size / limit)} of {limit / 1024:,.0f} KiB"
            for size, limit in placement.memory.values()
        ]
        text = f"exact, by compiler and linker: {join_words(shares)}"
        return KeyFigure(f"memory, {placement.target}", ", ".join(used), text)
    if not placement.cores:
        return None
    return KeyFigure(
        name,
        format_count(len(placement.cores)),
        f"exact, by placement; no placement takes fewer than {format_count(placement.min_cores)}",
    )
