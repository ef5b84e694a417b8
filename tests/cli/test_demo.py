from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK, pumice

from pumice.cli.demo_report import write_demo_report
from pumice.report import read_report
from pumice.runtime import accuracy_over_time, network_digest, read_network
from pumice.runtime.engines import reference
from pumice.runtime.engines.registry import Engine, available_engines
from pumice.train import data as datasets
from pumice.train.data import Dataset, FrameSet, inputs, video_sources
from pumice.train.data.inputs import Inputs
from pumice.train.data.videos import Videos


@pytest.fixture(autouse=True)
def reference_as_every_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "load", lambda engine: reference.run)


def test_the_demo_reports_float_integer_and_lava_on_the_same_samples(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noise = Inputs({"in": EVENTS}, LABELS, "noise")
    monkeypatch.setattr(inputs, "dataset_inputs", lambda *_: noise)
    write_demo_report(NETWORK, [0.0, 0.2, 0.4, 0.6, 0.8], tmp_path, [], as_json=False)
    report = read_report(tmp_path / "report.json")
    assert [curve.name for curve in report.curves] == ["float", "integer", "Lava"]
    expected = accuracy_over_time(NETWORK, reference.run(NETWORK, EVENTS), LABELS)
    for curve in report.curves[1:]:
        assert curve.accuracy == pytest.approx(expected)
    assert report.verification and report.verification.samples == 7
    compared = [each.engine for each in report.verification.results]
    assert compared[:3] == ["cpu", "onnx", "lava"]
    assert compared == list(available_engines()[1:])
    assert len(report.placements) == 2 and report.title == "noise: from training to the chip"


@pytest.mark.usefixtures("bars")
def test_the_demo_trains_converts_and_reports_and_repeats_nothing(tmp_path: Path) -> None:
    settings = (
        "network.channels=[3]",
        "network.kernels=[3]",
        "network.strides=[2]",
        "network.hidden=[8]",
        "training.batch_size=8",
        "training.epochs=2",
        "training.qat_epochs=1",
    )
    overrides = [option for setting in settings for option in ("--set", setting)]
    result = pumice("demo", "-o", tmp_path / "run", *overrides, "--json")
    assert result.status == 0 and "training for 2 epochs" in result.err
    assert (tmp_path / "run" / "model.onnx").stat().st_size > 1000
    network = read_network(tmp_path / "run" / "model.pumice")
    assert result.document["network"] == network_digest(network)
    assert [curve["name"] for curve in result.document["curves"]] == ["float", "integer", "Lava"]
    again = pumice("demo", "-o", tmp_path / "run", *overrides)
    assert again.status == 0
    assert again.out.splitlines()[-1] == str(tmp_path / "run" / "report.html")
    assert "accuracy at timestep" in again.out and "synaptic operations" in again.out
    assert (tmp_path / "run" / "report.json").read_text() == result.out


@pytest.mark.parametrize("name", ["digit-motions", "fashion-motions"])
def test_the_prednext_demo_reports_its_baselines(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    labels = np.arange(240) % 2
    frames = np.random.default_rng(0).integers(0, 60, (240, 16, 1, 8, 8), np.uint8)
    frames[labels == 1, :, :, :4] += 150
    samples = FrameSet(frames.swapaxes(0, 1), labels)
    train, test = samples[:200], samples[200:]
    data = Dataset(name, train, test, 2, "", {"options": {"name": name}})

    def load(*names: str, **options: Any) -> Dataset:
        assert {*names, options.get("name", name)} == {name}
        return data

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.setattr(video_sources, "load_videos", lambda *_: Videos(frames[:200], {}))
    settings = (
        "training.epochs=1",
        "network.channels=[4]",
        "network.kernels=[3]",
        "network.strides=[2]",
    )
    overrides = [option for setting in settings for option in ("--set", setting)]
    if name == "fashion-motions":
        overrides += ["--folder", str(tmp_path)]
    result = pumice("demo", "--prednext", "-o", tmp_path / "run", *overrides, "--json")
    assert result.status == 0 and result.document["verification"]["samples"] == 32
    assert "raw pixels 100.0%" in result.err and "an untrained network" in result.err
    assert read_network(tmp_path / "run" / "model.pumice").populations[0].value_bits == 8


def test_a_folder_without_prednext_is_an_error(tmp_path: Path) -> None:
    result = pumice("demo", "--folder", tmp_path, "-o", tmp_path / "run")
    assert result.status == 2 and "add --prednext" in result.err
