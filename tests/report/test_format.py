import pytest

from pumice.report import format as words
from pumice.runtime.divergence import Divergence
from pumice.runtime.verify import EngineResult, VerificationReport


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234567, "1,234,567"), (12.34, "12.3"), (0.004321, "0.00432"), (1999.6, "2,000")],
)
def test_a_number_keeps_three_figures_and_its_thousands(value: float, text: str) -> None:
    assert words.format_count(value) == text


@pytest.mark.parametrize(
    ("largest", "value", "text"),
    [
        (1e6, 2e5, "0.2 M"),
        (10000, 5000, "5 k"),
        (10000, 0, "0"),
        (8000, -2000, "\u22122,000"),
        (1, 0.25, "0.25"),
    ],
)
def test_ticks_of_an_axis_share_a_unit(largest: float, value: float, text: str) -> None:
    assert words.axis_formatter(largest)(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 J"),
        (1.234e-6, "1.23 µJ"),
        (12.34e-9, "12.3 nJ"),
        (123.4e-12, "123 pJ"),
        (9.996e-6, "10.0 µJ"),
        (4e-13, "0.40 pJ"),
        (2.0, "2.00 J"),
        (1e-3, "1.00 mJ"),
    ],
)
def test_an_energy_has_three_figures_and_a_prefix(value: float, text: str) -> None:
    assert words.format_energy(value) == text


@pytest.mark.parametrize(
    ("value", "figures", "text"),
    [
        (1.23456e-6, 4, "1.235 µs"),
        (9.9996e-7, 4, "1.000 µs"),
        (999.6e-9, 3, "1.00 µs"),
        (123.45e-9, 4, "123.5 ns"),
        (1e-3, 3, "1.00 ms"),
        (0.0, 3, "0 s"),
    ],
)
def test_a_time_has_as_many_figures_as_asked(value: float, figures: int, text: str) -> None:
    assert words.format_si(value, "s", figures) == text


def test_a_range_of_equal_ends_is_one_value() -> None:
    assert words.format_range((1e-6, 1e-6)) == "1.00 µJ"
    assert words.format_range((1e-6, 2e-6)) == "1.00 µJ to 2.00 µJ"


@pytest.mark.parametrize(
    ("given", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (list("abc"), "a, b and c")],
)
def test_words_are_joined_as_an_enumeration(given: list[str], text: str) -> None:
    assert words.join_words(given) == text


def test_verification_passes_only_where_all_engines_are_equal() -> None:
    wrong = Divergence("lava", 0, 0, "out", 0, "spike", 0, 1)
    good, bad = EngineResult("cpu", 90, 10), EngineResult("lava", 90, 10, wrong)
    proven = VerificationReport("", "", 5, 2, "reference", (good,), {})
    assert words.verification_sentence(proven) == (
        "Engine cpu equals the reference engine bit for bit: 100 values compared, no difference."
    )
    failed = VerificationReport("", "", 5, 2, "reference", (good, bad), {})
    assert (
        words.verification_sentence(failed)
        == "Not every engine equals the reference engine: see lava."
    )
