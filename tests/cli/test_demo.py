from pathlib import Path

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK, pumice

from pumice.cli import demo, engines
from pumice.train.data.inputs import Inputs
from pumice.runtime import accuracy_over_time, network_digest, read_network
from pumice.runtime.engines import reference
from pumice.train import data as pumice_data
from pumice.train.data import Dataset, FrameSet, video_sources
from pumice.train.data.videos import Videos


def test_the_demo_reports_float_integers_and_lava_on_the_same_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "get_engine", lambda name: reference.run)
    inputs = Inputs({"in": EVENTS}, LABELS, "noise")
    report = demo.build_demo_report(NETWORK, inputs, [0.0, 0.2, 0.4, 0.6, 0.8])
    assert [curve.name for curve in report.curves] == ["float", "integers", "Lava"]
    expected = accuracy_over_time(NETWORK, reference.run(NETWORK, EVENTS), LABELS)
    for curve in report.curves[1:]:
        assert curve.accuracy == pytest.approx(expected)
    assert report.verification and report.verification.samples == 7
    assert [v.engine for v in report.verification.results] == ["cpu", "onnx", "lava"]
    assert len(report.placements) == 2 and report.title == "noise: from training to the chip"


@pytest.mark.usefixtures("bars")
def test_the_demo_goes_the_whole_way_and_does_nothing_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engines, "get_engine", lambda name: reference.run)
    small = ("network.channels=[3]", "network.kernels=[3]", "network.strides=[2]")
    short = (
        "network.hidden=[8]",
        "training.batch_size=8",
        "training.epochs=2",
        "training.qat_epochs=1",
    )
    changes = [option for change in (*small, *short) for option in ("--set", change)]
    result = pumice("demo", "-o", tmp_path / "run", *changes, "--json")
    assert result.status == 0 and "training 2 epochs" in result.err
    assert (tmp_path / "run" / "model.onnx").stat().st_size > 1000
    network = read_network(tmp_path / "run" / "model.pumice")
    assert result.document["network"] == network_digest(network)
    assert [curve["name"] for curve in result.document["curves"]] == ["float", "integers", "Lava"]
    again = pumice("demo", "-o", tmp_path / "run", *changes)
    assert again.status == 0
    assert again.out.splitlines()[-1] == str(tmp_path / "run" / "report.html")
    for said in ("accuracy stopped at timestep", "synaptic operations", "none differs"):
        assert said in again.out
    assert (tmp_path / "run" / "report.json").read_text() == result.out


def test_the_demo_without_labels_tells_its_controls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    labels = np.arange(240) % 2
    frames = np.random.default_rng(0).integers(0, 60, (240, 16, 1, 8, 8), np.uint8)
    frames[labels == 1, :, :, :4] += 150
    whole = FrameSet(frames.swapaxes(0, 1), labels)
    train, test = whole[:200], whole[200:]
    data = Dataset("digit-motions", train, test, 2, "", {"options": {"name": "digit-motions"}})
    monkeypatch.setattr(engines, "get_engine", lambda name: reference.run)
    monkeypatch.setattr(pumice_data, "load", lambda *_, **__: data)
    monkeypatch.setattr(video_sources, "load_videos", lambda *_: Videos(frames[:200], {}))
    small = (
        "training.epochs=1",
        "network.channels=[4]",
        "network.kernels=[3]",
        "network.strides=[2]",
    )
    changes = [option for change in small for option in ("--set", change)]
    said = pumice("demo", "--prednext", "-o", tmp_path / "run", *changes, "--json")
    assert said.status == 0 and said.document["certificate"]["samples"] == 32
    assert "100.0% with the images themselves" in said.err and "as it was drawn" in said.err
    assert read_network(tmp_path / "run" / "model.pumice").populations[0].value_bits == 8
