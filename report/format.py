"""Numbers and outcomes as a reader says them."""

from collections.abc import Callable, Sequence
from math import log10

from ..runtime.verify import VerificationReport
from .model import AccuracyCurve, Report

PREFIXES = ("p", "n", "µ", "m", "")
MINUS = "\u2212"


def format_count(value: float) -> str:
    """Return a count as text: 1,234,568, 12.3 or 0.00432."""
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def axis_formatter(largest: float) -> Callable[[float], str]:
    """Return what writes the marks of an axis that reaches `largest`: 0, 5 k, 10 k."""
    divisor, unit = (1e6, " M") if largest >= 1e6 else (1e3, " k") if largest >= 1e4 else (1, "")

    def written(value: float) -> str:
        text = f"{value / divisor:.3g}" if unit or value != round(value) else f"{value:,.0f}"
        return f"{text.replace('-', MINUS)}{unit if value else ''}"

    return written


def format_si(value: float, unit: str, figures: int = 3) -> str:
    """Return a value of `unit` with so many figures and a prefix: 1.23 µJ, 45.0 ns.

    Nothing is smaller than a 1e-12 of the unit: 0.40 pJ.
    """
    if value <= 0:
        return f"0 {unit}"
    shown = float(f"{value:.{figures - 1}e}")
    step = min(max(int((log10(shown) + 12 + 1e-9) // 3), 0), len(PREFIXES) - 1)
    text = shown / 10 ** (3 * step - 12)
    digits = max(figures - 1 - max(int(log10(text) + 1e-9), 0), 0)
    return f"{text:.{digits}f} {PREFIXES[step]}{unit}"


def format_energy(value: float) -> str:
    """Return an energy with three figures and a prefix: 1.23 µJ."""
    return format_si(value, "J")


def format_time(value: float) -> str:
    """Return a time with three figures and a prefix: 1.23 µs."""
    return format_si(value, "s")


def format_range(bounds: tuple[float, float], told: Callable[[float], str] = format_energy) -> str:
    """Return a value with a least and a most: "1.23 µJ to 2.34 µJ", or one where they agree."""
    least, most = map(told, bounds)
    return least if least == most else f"{least} to {most}"


def format_time_range(bounds: tuple[float, float]) -> str:
    """Return a time with a least and a most."""
    return format_range(bounds, format_time)


def format_percent(share: float) -> str:
    """Return a share of 1 in percent, with one decimal."""
    return f"{100 * share:.1f} %"


def join_words(words: Sequence[str]) -> str:
    """Return words as a sentence has them: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def main_curve(report: Report) -> AccuracyCurve | None:
    """Return the curve of the integer network, or the last there is."""
    integer = [curve for curve in report.curves if curve.name == "integer"]
    return next(iter((*integer, *report.curves[-1:])), None)


def summarize(report: Report) -> str:
    """Return what the report comes to, in two or three sentences."""
    said = f"It ran {format_count(report.samples)} samples for {format_count(report.timesteps)} timesteps each."
    if report.curves:
        shares = [
            f"{format_percent(curve.accuracy[-1])} in {curve.name}" for curve in report.curves
        ]
        said = (
            f"After {format_count(report.timesteps)} timesteps the answer is right for {join_words(shares)}, "
            f"on {format_count(report.samples)} samples."
        )
    said += (
        f" One inference sends {format_count(round(report.events))} events, which take "
        f"{format_count(round(report.cumulative_operations[-1]))} synaptic operations."
    )
    return f"{said} {verification_sentence(report.verification)}" if report.verification else said


def verification_sentence(certificate: VerificationReport) -> str:
    """Return in one sentence whether the engines agreed, or how many did not."""
    verdicts = certificate.results
    compared = sum(verdict.spikes + verdict.values for verdict in verdicts)
    names = join_words([verdict.engine for verdict in verdicts])
    if certificate.passed:
        give = "gives" if len(verdicts) == 1 else "give"
        return (
            f"{names[:1].upper()}{names[1:]} {give} bit for bit what the {certificate.reference} "
            f"engine gives: {format_count(compared)} values compared, none differs."
        )
    wrong = [verdict.engine for verdict in verdicts if not verdict.passed]
    return (
        f"Not every engine agrees with the {certificate.reference} engine: see {join_words(wrong)}."
    )
