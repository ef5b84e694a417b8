"""A regression from files: trained, evaluated, converted, verified, run and reported."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import CommandResult, pumice
from media import write_jpegs

RECIPE = """
[data]
name = "folder"
path = "{path}"
targets = "angles.csv"
timesteps = 3
size = 8
value_bits = 4
[network]
channels = [4]
hidden = []
[loss]
mse = {{}}
[training]
epochs = 20
qat_epochs = 4
batch_size = 8
validation_per_class = 6
select_epoch = "validation"
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    folder, lines = tmp_path / "drive", ["file,angle"]
    for k in range(40):
        angle = float(random.uniform(-1, 1))
        image = np.full((1, 8, 8, 3), int(120 + 100 * angle), np.uint8)
        write_jpegs([folder / "frames" / f"{k}.jpg"], image)
        lines.append(f"frames/{k}.jpg,{angle:.4f}")
    (folder / "angles.csv").write_text("\n".join(lines))
    file = tmp_path / "drive.toml"
    file.write_text(RECIPE.format(path=folder))
    return file


def succeed(*arguments: object) -> CommandResult:
    result = pumice(*arguments)
    assert result.status == 0, result.err
    return result


def test_a_regression_runs_end_to_end(recipe: Path, tmp_path: Path) -> None:
    run, network = tmp_path / "run", tmp_path / "run" / "network.pumice"
    trained = succeed("train", recipe, "-o", run, "--json").document
    errors = trained["test"]["integer_errors"]
    assert trained["test"]["accuracy"] is None and errors["mae"][-1] < 0.5
    evaluated = succeed("evaluate", run, "--quantized", "--json").document
    assert evaluated["errors"] == errors
    assert "mean absolute error" in succeed("evaluate", run).out
    succeed("convert", run, "--calibrate")
    succeed("verify", network, "--samples", 2, "--engines", "reference,cpu")
    succeed("convert", run)
    result = succeed("run", network, "--json").document
    assert result["accuracy"] is None
    assert np.allclose(result["mae"], errors["mae"], rtol=1e-4)
    assert np.allclose(result["rmse"], errors["rmse"], rtol=1e-4)
    assert "root mean squared error" in succeed("run", network).out
    succeed("report", network, "-o", tmp_path / "report", "--engines", "reference,cpu")
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert np.isclose(report["neurobench"]["MeanAbsoluteError"], errors["mae"][-1], rtol=1e-4)
    assert np.allclose(report["errors"]["mean_absolute"], errors["mae"], rtol=1e-4)
    assert np.allclose(report["errors"]["root_mean_squared"], errors["rmse"], rtol=1e-4)
    low, high = report["errors"]["interval"]
    assert low < errors["mae"][-1] < high
    assert report["sample"]["task"] == "regression" and float(report["sample"]["label"])
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<dt>mean absolute error, integers</dt>" in page.partition("</header>")[0]
    assert "Error and cost over time" in page and "whose target is" in page
    assert "error,integer,mean_absolute,3" in (tmp_path / "report" / "report.csv").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "frames/0.jpg,x\nframes/1.jpg,y",
            "angles.csv: the line of 'frames/1.jpg' has no 1 finite",
        ),
        ("frames/0.jpg,1\nframes/1.jpg,1,2", "the line of 'frames/1.jpg' has no 1 finite"),
        ("frames/0.jpg,1\nframes/99.jpg,1", "names 'frames/99.jpg', which is no file"),
        ("frames/0.jpg,1\nframes/0.jpg,2", "names 'frames/0.jpg' twice"),
        ("", "names no file"),
    ],
)
def test_a_table_that_does_not_fit_is_an_error(
    recipe: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "drive" / "angles.csv").write_text(text)
    result = pumice("train", recipe, "-o", tmp_path / "run")
    assert result.status == 2 and message in result.err
