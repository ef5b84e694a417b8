"""Format numbers, ranges and results as text."""

from collections.abc import Callable, Sequence
from math import log10

from ..runtime.verify import VerificationReport
from .model import AccuracyCurve, Report

PREFIXES = ("p", "n", "µ", "m", "")
MINUS = "\u2212"


def format_count(value: float) -> str:
    """Format a count: 1,234,568, 12.3 or 0.00432."""
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def format_error(value: float) -> str:
    """Format an error with three digits: 0.330, 1.25, 12.5 or 1,250."""
    return f"{value:,.0f}" if abs(value) >= 100 or not value else f"{value:#.3g}"


def axis_formatter(max_value: float) -> Callable[[float], str]:
    """Make the formatter of the ticks of an axis up to `max_value`: 0, 5 k, 10 k."""
    divisor, unit = (
        (1e6, " M") if max_value >= 1e6 else (1e3, " k") if max_value >= 1e4 else (1, "")
    )

    def format_tick(value: float) -> str:
        text = f"{value / divisor:.3g}" if unit or value != round(value) else f"{value:,.0f}"
        return f"{text.replace('-', MINUS)}{unit if value else ''}"

    return format_tick


def energy_axis_formatter(max_value: float) -> Callable[[float], str]:
    """Make the formatter of the ticks of an axis of joules: 0, 5 µJ, 10 µJ."""
    step = min(max(int((log10(max(max_value, 1e-12)) + 12 + 1e-9) // 3), 0), len(PREFIXES) - 1)

    def format_tick(value: float) -> str:
        return f"{value / 10 ** (3 * step - 12):.3g} {PREFIXES[step]}J" if value else "0"

    return format_tick


def format_si(value: float, unit: str, figures: int = 3) -> str:
    """Format a value with an SI prefix and significant figures: 1.23 µJ, 45.0 ns.

    The smallest prefix is pico: 0.40 pJ.
    """
    if value <= 0:
        return f"0 {unit}"
    rounded = float(f"{value:.{figures - 1}e}")
    step = min(max(int((log10(rounded) + 12 + 1e-9) // 3), 0), len(PREFIXES) - 1)
    scaled = rounded / 10 ** (3 * step - 12)
    digits = max(figures - 1 - max(int(log10(scaled) + 1e-9), 0), 0)
    return f"{scaled:.{digits}f} {PREFIXES[step]}{unit}"


def format_energy(value: float) -> str:
    """Format joules: 1.23 µJ."""
    return format_si(value, "J")


def format_time(value: float) -> str:
    """Format seconds: 1.23 µs."""
    return format_si(value, "s")


def format_range(
    bounds: tuple[float, float], formatter: Callable[[float], str] = format_energy
) -> str:
    """Format a range: "1.23 µJ to 2.34 µJ", or one value where both ends agree."""
    low, high = map(formatter, bounds)
    return low if low == high else f"{low} to {high}"


def format_short_range(bounds: tuple[float, float], formatter: Callable[[float], str]) -> str:
    """Format a range with its unit once, where both ends have the same: "1.23 to 2.34 µJ"."""
    low, high = map(formatter, bounds)
    value, _, unit = low.rpartition(" ")
    if low != high and unit == high.rpartition(" ")[2]:
        return f"{value} to {high}"
    return low if low == high else f"{low} to {high}"


def format_time_range(bounds: tuple[float, float]) -> str:
    """Format a range of seconds."""
    return format_range(bounds, format_time)


def format_percent(fraction: float) -> str:
    """Format a fraction in percent, with one decimal."""
    return f"{100 * fraction:.1f} %"


def join_words(words: Sequence[str]) -> str:
    """Join words to an enumeration: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def main_curve(report: Report) -> AccuracyCurve | None:
    """Select the curve of the integer network, or else the last one."""
    integer = [curve for curve in report.curves if curve.name == "integer"]
    return next(iter((*integer, *report.curves[-1:])), None)


def summarize(report: Report) -> str:
    """Summarize a report in two or three sentences."""
    samples, timesteps = format_count(report.samples), format_count(report.timesteps)
    text = f"{samples} samples were run for {timesteps} timesteps each."
    if report.curves:
        accuracies = [f"{format_percent(c.accuracy[-1])} ({c.name})" for c in report.curves]
        text = (
            f"The accuracy after {timesteps} timesteps is {join_words(accuracies)}, "
            f"on {samples} samples."
        )
    if report.errors:
        text = (
            f"The mean absolute error after {timesteps} timesteps is "
            f"{format_error(report.errors.mean_absolute[-1])} in units of the targets, on "
            f"{samples} samples."
        )
    text += (
        f" One inference sends {format_count(round(report.events))} events, which cause "
        f"{format_count(round(report.cumulative_operations[-1]))} synaptic operations."
    )
    if report.cost_samples:
        first = format_count(report.cost_samples)
        text += f" Operations and costs are means over the first {first} samples."
    return f"{text} {verification_sentence(report.verification)}" if report.verification else text


def verification_sentence(verification: VerificationReport) -> str:
    """Summarize a verification in one sentence."""
    results, reference = verification.results, verification.reference
    compared = sum(result.spikes + result.values for result in results)
    if verification.passed:
        names = join_words([result.engine for result in results])
        subject = f"Engine {names} equals" if len(results) == 1 else f"Engines {names} equal"
        return (
            f"{subject} the {reference} engine bit for bit: "
            f"{format_count(compared)} values compared, no difference."
        )
    failed = join_words([result.engine for result in results if not result.passed])
    return f"Not every engine equals the {reference} engine: see {failed}."
