"""The key figures: accuracy, latency, energy and cores on the chosen target, with certainty."""

from dataclasses import replace

import pytest
from reports import BARE, ENERGY, FULL, OTHER_ENERGY, PLACED

from pumice.report import HostTiming, Placement, key_figures
from pumice.report.headline import chosen_target, wilson_interval
from pumice.report.model import RegressionErrors
from pumice.runtime.errors import DataError

REPORT = replace(
    FULL, samples=100, placements=(PLACED,), energies=(*FULL.energies, ENERGY, OTHER_ENERGY)
)


def test_the_figures_are_those_of_the_first_target_each_with_its_certainty() -> None:
    accuracy, latency, energy, cores = key_figures(REPORT)
    assert (accuracy.name, accuracy.value) == ("accuracy, integers", "62.5 %")
    assert accuracy.certainty == "measured on 100 samples: 52.7 to 71.4 % with 95 % confidence"
    assert (latency.name, latency.value) == ("latency per inference, Small chip", "1.00 to 2.00 ms")
    assert latency.certainty == "estimate by assumed times (measured once)"
    assert (energy.name, energy.value) == ("energy per inference, Small chip", "1.00 to 2.00 nJ")
    assert energy.certainty == ("estimate by derived energies (a list); 5.00 nJ (another list)")
    assert (cores.name, cores.value) == ("cores, Small chip", "2")
    assert "no placement takes fewer than 1" in cores.certainty


def test_a_regression_has_its_error_instead_of_an_accuracy() -> None:
    errors = RegressionErrors((0.5, 0.25), (0.75, 0.3125), (0.2, 0.3), 1.5)
    first, *_ = key_figures(replace(REPORT, curves=(), errors=errors))
    assert (first.name, first.value) == ("mean absolute error, integers", "0.250")
    assert first.certainty == (
        "measured on 100 samples: 0.200 to 0.300 with 95 % confidence; root mean squared error "
        "0.312, of the mean of all targets 1.50"
    )
    with pytest.raises(DataError, match="errors: 2 values, but there are 3 timesteps"):
        replace(BARE, timesteps=3, errors=errors)


def test_a_network_that_does_not_fit_is_told_by_its_reason() -> None:
    report = replace(REPORT, placements=(Placement("Tiny", error="out: 5 neurons too many"),))
    last = key_figures(report)[-1]
    assert (last.name, last.value, last.certainty) == (
        "cores, Tiny",
        "does not fit",
        "out: 5 neurons too many",
    )
    assert [each.name for each in key_figures(report)] == ["accuracy, integers", "cores, Tiny"]


def test_a_microcontroller_has_memory_instead_of_cores() -> None:
    memory = {"flash": (65536, 1 << 20), "RAM": (1024, 4096)}
    placed = replace(PLACED, cores=(), memory=memory)
    last = key_figures(replace(REPORT, placements=(placed,)))[-1]
    assert (last.name, last.value) == ("memory, Small chip", "64.0 KiB flash, 1.0 KiB RAM")
    assert last.certainty.endswith("6.2 % of 1,024 KiB and 25.0 % of 4 KiB")


def test_without_a_chip_the_latency_is_that_of_this_machine() -> None:
    host = HostTiming("cpu", "a processor", 9, (1e-4,) * 3, (1e-3, 2e-3, 3e-3), 0.01)
    _, latency, energy = key_figures(replace(FULL, host=host))
    assert (latency.name, latency.value) == ("latency per inference, this machine", "1.00 ms")
    assert latency.certainty == "measured: median of 9 single samples on a processor"
    assert energy.name == "energy per inference, chip"


def test_a_report_without_labels_or_targets_has_no_key_figures() -> None:
    assert key_figures(BARE) == () and chosen_target(BARE) == ""


@pytest.mark.parametrize(
    ("fraction", "samples", "interval"),
    [(0.5, 10, (0.2366, 0.7634)), (0.0, 20, (0.0, 0.1611)), (1.0, 1, (0.2065, 1.0))],
)
def test_confidence_intervals_are_those_of_wilson(
    fraction: float, samples: int, interval: tuple[float, float]
) -> None:
    assert wilson_interval(fraction, samples) == pytest.approx(interval, abs=1e-4)
