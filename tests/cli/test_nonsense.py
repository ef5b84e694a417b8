"""Results that mean nothing are said to, in a warning of one line and by the exit code."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK, pumice

from pumice.runtime import write_network
from pumice.runtime.errors import PumiceWarning

pytestmark = pytest.mark.filterwarnings("default::pumice.runtime.errors.PumiceWarning")
LAYERS = """
import torch
from torch import nn

class IFNode(nn.Module):
    v_threshold, v_reset = 1.0, 0.0

def net():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(72, 9), IFNode(), nn.Linear(9, 4))
    with torch.no_grad():
        {change}
    return layers
"""


@pytest.mark.parametrize(
    ("labels", "verb", "status"),
    [
        ([0, 1, 2, 3, 0, 1, 4], "run", 2),
        ([0, 1, 2, 3, 0, 1, -1], "run", 2),
        ([9] * 7, "report", 2),
        (LABELS, "run", 0),
    ],
)
def test_labels_outside_the_classes_are_an_error(
    network: Path, tmp_path: Path, labels: list[int], verb: str, status: int
) -> None:
    np.savez(tmp_path / "other.npz", events=EVENTS, labels=np.array(labels))
    result = pumice(verb, network, "--events", tmp_path / "other.npz", *OUTPUT.get(verb, ()))
    assert result.status == status
    if status:
        assert "but the network has 4 classes, 0 to 3" in result.err and result.err.count("\n") == 1


OUTPUT = {"report": ("-o", "unwritten")}


@pytest.mark.parametrize(
    ("options", "trained", "warned"),
    [
        ((), {"timesteps": 8, "classes": 4}, True),
        ((), {"timesteps": 4, "classes": 4}, True),
        ((), {"timesteps": 5, "classes": 4}, False),
        (("--timesteps", 3), {"timesteps": 8, "classes": 4}, False),  # as asked for
        ((), {}, False),
    ],
)
def test_events_of_other_timesteps_than_those_of_the_training_are_a_warning(
    tmp_path: Path,
    events: Path,
    options: tuple[object, ...],
    trained: dict[str, int],
    warned: bool,
) -> None:
    path = tmp_path / "trained.pumice"
    write_network(path, replace(NETWORK, provenance={"data": trained} if trained else {}))
    result = pumice("run", path, "--events", events, *options)
    assert result.status == 0
    expected = (
        f"events.npz has 5 timesteps, but the network was trained on {trained.get('timesteps')}"
    )
    assert (f"pumice: warning: {expected}" in result.err) == warned
    assert warned or not result.err


@pytest.mark.usefixtures("bars")
@pytest.mark.parametrize(("classes", "warned"), [(4, True), (3, True), (2, False)])
def test_data_of_other_classes_than_those_of_the_training_are_a_warning(
    tmp_path: Path, classes: int, warned: bool
) -> None:
    path = tmp_path / "trained.pumice"
    write_network(path, replace(NETWORK, provenance={"data": {"timesteps": 4, "classes": classes}}))
    result = pumice("run", path, "--data", "digits-events")
    assert result.status == 0
    assert ("digits-events has 2 classes, but the network was" in result.err) == warned


@pytest.mark.parametrize(
    ("columns", "status", "warned"),
    [((90, 91, 92, 93), 1, True), ((90, 91, 92, 3), 0, True), ((90, 1, 2, 3), 0, False)],
)
def test_a_recording_off_the_sensor_is_a_warning_and_wholly_off_it_a_failure(
    network: Path, tmp_path: Path, columns: tuple[int, ...], status: int, warned: bool
) -> None:
    recording = tmp_path / "far.csv"
    recording.write_text("".join(f"{1000 * k},{x},2,1\n" for k, x in enumerate(columns)))
    result = pumice("stream", network, recording, "--no-real-time")
    assert result.status == status
    assert ("of 4 events are off the sensor; set --sensor" in result.err) == warned
    assert json.loads(result.err.splitlines()[0])["off_sensor"] == sum(x > 5 for x in columns)


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (
            "layers[1].bias[2] = 1e4",
            1,
            "input-ifnode2: 100.0 % of its weights become zero, since a bias",
        ),
        (
            "layers[3].bias[2] = -1e5",
            1,
            "ifnode2-output: 100.0 % of its weights become zero, since a bias",
        ),
        ("layers[1].weight[0, 0] = 900", 1, "of its weights become zero, since one is larger"),
        ("layers[1].bias[2] = 0.5", 0, ""),
    ],
)
def test_a_conversion_that_cannot_hold_the_model_fails(
    tmp_path: Path, change: str, status: int, message: str
) -> None:
    (tmp_path / "layers.py").write_text(LAYERS.format(change=change))
    model, output = f"{tmp_path / 'layers.py'}:net", ("-o", tmp_path / "net.pumice")
    result = pumice("convert", model, "--input-shape", "2,6,6", *output)
    assert result.status == status, result.err
    assert message in result.err and (message or not result.err)
    assert (tmp_path / "net.pumice").exists()
    result = pumice("convert", model, "--input-shape", "2,6,6", *output, "--json")
    assert result.status == status and bool(result.document["warnings"]) == bool(status)


def test_the_api_warns_in_its_own_category(tmp_path: Path, events: Path) -> None:
    from pumice.train.data.inputs import read_inputs

    network = replace(NETWORK, provenance={"data": {"timesteps": 8}})
    with pytest.warns(PumiceWarning, match="5 timesteps"):
        read_inputs(network, events=events)
