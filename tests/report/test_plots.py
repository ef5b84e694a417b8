"""Plots of reports: what they draw, and one-line errors for what a report lacks."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from reports import BARE, ENERGY, FULL, OTHER_ENERGY

import pumice as pm
from pumice.report import Report, plots
from pumice.runtime.errors import DataError

PARTS = {"in": {"messages": (1e-9, 1e-9)}, "out": {"neuron updates": (2e-9, 4e-9)}}
BY_STEP = ((1e-9, 3e-9), (3e-9, 5e-9))
REPORT = replace(
    FULL,
    energies=(
        replace(ENERGY, by_step=BY_STEP, populations=PARTS, target="Small chip"),
        replace(OTHER_ENERGY, by_step=BY_STEP, target="Other"),
    ),
    classes=("cat", "dog"),
    confusion=((1, 1), (0, 1)),
)
WRONG: Any = "joules"


def panel_of(figure: Any) -> Any:
    (panel,) = figure.axes
    return panel


def test_accuracy_has_a_line_for_each_curve_with_its_own_style() -> None:
    lines = panel_of(plots.plot_accuracy(REPORT)).lines
    assert [list(line.get_ydata()) for line in lines] == [[50, 75], [50, 62.5], [50, 62.5]]
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 3


def test_pareto_marks_dominated_timesteps() -> None:
    report = replace(REPORT, curves=(replace(FULL.curves[0], accuracy=(0.75, 0.5)),))
    panel = panel_of(plots.plot_pareto(report))
    labels = panel.get_legend_handles_labels()[1]
    assert labels == ["Pareto-optimal", "dominated"]
    assert panel.get_title() == "Small chip, a list"
    assert panel_of(plots.plot_pareto(report, "Other")).get_title() == OTHER_ENERGY.model


def test_a_confusion_matrix_shows_counts_and_classes() -> None:
    panel = panel_of(plots.plot_confusion_matrix(REPORT))
    assert [text.get_text() for text in panel.texts] == ["1", "1", "1"]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("quantity", "widths"),
    [("spikes", [1.5, 2.0]), ("operations", [0.0, 15.0]), ("energy", [0, 0, 0, 3e-9, 1e-9, 0])],
)
def test_layers_have_a_bar_each(quantity: plots.Quantity, widths: list[float]) -> None:
    panel = panel_of(plots.plot_layers(REPORT, quantity))
    assert [bar.get_width() for bar in panel.patches] == pytest.approx(widths)
    assert [label.get_text() for label in panel.get_yticklabels()] == ["in", "out"]


@pytest.mark.parametrize(
    ("cost", "x"), [("timesteps", [1, 2]), ("operations", [5, 15]), ("energy", [2e-9, 4e-9])]
)
def test_a_comparison_has_a_line_for_each_report(cost: plots.Cost, x: list[float]) -> None:
    panel = panel_of(plots.plot_comparison([REPORT, replace(REPORT, title="two")], cost))
    assert [list(line.get_xdata()) for line in panel.lines] == [pytest.approx(x)] * 2
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["one <network>", "two"]


def test_plots_draw_into_given_axes() -> None:
    figure = plots.plot_accuracy(REPORT)
    assert plots.plot_pareto(REPORT, ax=figure.subplots()) is figure


@pytest.mark.parametrize(
    ("plot", "report", "message"),
    [
        (plots.plot_accuracy, BARE, "no accuracy"),
        (plots.plot_confusion_matrix, BARE, "classes are known"),
        (plots.plot_pareto, BARE, "no accuracy"),
        (lambda report: plots.plot_pareto(report, "Loihi 9"), REPORT, "'Loihi 9'.*Small chip, Oth"),
        (
            lambda report: plots.plot_layers(report, WRONG),
            REPORT,
            "needs spikes, operations",
        ),
        (lambda report: plots.plot_layers(report, "energy"), BARE, "no energy by layer"),
        (
            lambda report: plots.plot_comparison([report], WRONG),
            REPORT,
            "needs one report",
        ),
    ],
)
def test_what_a_report_lacks_is_one_line(
    plot: Callable[[Report], Any], report: Report, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        plot(report)


def test_figures_show_in_a_notebook_that_never_imported_pyplot() -> None:
    code = (
        "import sys, numpy as np, pumice as pm\n"
        "from pumice.runtime.trace_plots import draw_accuracy\n"
        "png = draw_accuracy(np.array([0.5, 0.75]))._repr_png_()\n"
        "print(png[:4] == b'\\x89PNG', 'matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "True False\n"


def test_the_public_name_is_pm_plots() -> None:
    assert pm.plots is plots
