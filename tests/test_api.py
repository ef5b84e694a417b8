"""The public API: the notebook example as written, laziness, and equality with the command line."""

import copy
import importlib
import inspect
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import EVENTS, NETWORK, pumice

import pumice as pm
from pumice.runtime import Sparse
from pumice.train.data.inputs import to_inputs

NOTEBOOK = """
import pumice as pm

data  = pm.datasets.load("digits-events", timesteps=8)
model = pm.models.ConvNet(data.input_shape, data.classes, channels=[16, 32], hidden=[128])
pm.train(model, data, epochs=18, loss="prefix_distillation")
pm.evaluate(model, data.test)
net   = pm.convert(model, weight_bits=8, calibrate=data.train)
net.summary()
trace = pm.run(net, data.test, engine="cpu")
trace.accuracy(data.test.labels)
pm.verify(net, data.test[:8])
prog  = pm.place(net, "loihi2")
pm.profile(prog, trace)
net.save("model.pumice"); net.to_onnx("model.onnx"); net.to_nir("model.nir"); net.to_c("firmware/")
"""
CHECKS = """
import json
report = pm.verify(net, data.test[:8])
print(json.dumps({
    "float": pm.evaluate(model, data.test).tolist(),
    "integer": trace.accuracy(data.test.labels).tolist(),
    "passed": report.passed,
    "engines": [each.engine for each in report.results],
    "summary": str(net.summary()),
    "repr": repr(net),
    "html": net._repr_html_(),
    "reads": pm.load("model.pumice") == net,
}))
"""


def run_python(code: str, cwd: Path) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=cwd, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_notebook_example_runs_as_written(tmp_path: Path) -> None:
    facts = json.loads(run_python(NOTEBOOK + CHECKS, tmp_path).splitlines()[-1])
    assert facts["passed"] and facts["reads"]
    assert {"cpu", "onnx"} <= set(facts["engines"])
    assert len(facts["float"]) == len(facts["integer"]) == 8
    assert facts["float"][-1] > 0.95 and facts["integer"][-1] > 0.95
    assert {file.name for file in tmp_path.iterdir()} >= {"model.pumice", "model.onnx", "model.nir"}


def test_importing_the_package_is_quick_and_loads_no_numpy_or_torch(tmp_path: Path) -> None:
    code = "import sys, pumice\nprint(sorted({n.split('.')[0] for n in sys.modules}))"
    assert not {"numpy", "torch"} & set(eval(run_python(code, tmp_path)))


def test_every_public_name_resolves_and_is_documented() -> None:
    for name in pm.EXPORTS:
        value = getattr(pm, name)
        assert inspect.getdoc(value), name
        assert name in dir(pm)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        pm.trian  # noqa: B018


def test_subpackages_named_like_functions_are_both() -> None:
    losses = importlib.import_module("pumice.train.losses")
    package: Any = pm.train
    assert "epochs" in inspect.signature(package).parameters
    assert package.losses is losses
    assert package is sys.modules["pumice.train"]


def test_networks_and_traces_survive_copies_and_process_pools() -> None:
    copied, pickled = copy.deepcopy(NETWORK), pickle.loads(pickle.dumps(NETWORK))
    assert copied == pickled == NETWORK
    expected = pm.run(NETWORK, EVENTS).logits
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        trace = pool.submit(pm.run, NETWORK, EVENTS).result()
    assert np.array_equal(trace.logits, expected)


@pytest.fixture(scope="module")
def pruned_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run whose dense layers were pruned afterwards, so that it converts to sparse."""
    import torch

    from pumice.train import read_trained_model, write_trained_model

    folder = tmp_path_factory.mktemp("runs") / "digits"
    settings = ("--set", "training.epochs=1", "--set", "training.qat_epochs=0")
    result = pumice("train", "digits-events", *settings, "-o", folder)
    assert result.status == 0, result.err
    trained = read_trained_model(folder)
    with torch.no_grad():
        for weights in trained.network.parameters():
            if weights.ndim == 2:
                weights[torch.rand_like(weights) < 0.95] = 0
    write_trained_model(folder / "model.safetensors", trained)
    return folder


def test_the_command_line_and_the_api_write_identical_files(
    pruned_run: Path, tmp_path: Path
) -> None:
    data = pm.datasets.load("digits-events")
    made = {name: tmp_path / name for name in ("cli.pumice", "api.pumice")}
    command = pumice(
        "convert", pruned_run, "--calibrate", "--per-channel", "-o", made["cli.pumice"]
    )
    assert command.status == 0, command.err
    network = pm.convert(str(pruned_run), per_channel=True, calibrate=data)
    network.save(made["api.pumice"])
    assert any(isinstance(p.connection, Sparse) for p in network.projections)
    assert made["cli.pumice"].read_bytes() == made["api.pumice"].read_bytes()
    for kind in ("onnx", "nir"):
        exported = tmp_path / f"cli.{kind}"
        assert pumice("export", made["cli.pumice"], "--to", kind, "-o", exported).status == 0
        getattr(network, f"to_{kind}")(tmp_path / f"api.{kind}")
        assert exported.read_bytes() == (tmp_path / f"api.{kind}").read_bytes()
    options = (
        "--samples",
        20,
        "--title",
        "digits",
        "--engines",
        "cpu,onnx",
        "-o",
        tmp_path / "cli",
    )
    assert pumice("report", made["cli.pumice"], *options).status == 0
    named = to_inputs(network, data.test[:20], data.name)
    report = pm.build_report(network, named, "digits", engines="cpu,onnx")
    pm.write_report(tmp_path / "api", report)
    for name in ("report.json", "report.csv", "report.html"):
        assert (tmp_path / "cli" / name).read_bytes() == (tmp_path / "api" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("convert", "absent.nir"), lambda: pm.convert("absent.nir")),
        (("run", "absent.pumice"), lambda: pm.load("absent.pumice")),
        (("train", "absent"), lambda: pm.train("absent")),
        (("verify", "net.pumice", "--engines", "gpu"), lambda: pm.verify(NETWORK, EVENTS, "gpu")),
        (("profile", "net.pumice", "--target", "loihi9"), lambda: pm.place(NETWORK, "loihi9")),
        (("train", "digits-events", "--set", "data.name=x"), lambda: pm.datasets.load("x")),
        (
            ("convert", "net.pumice", "--weight-bits", "4", "-o", "out.pumice"),
            lambda: pm.convert(NETWORK, 4),
        ),
    ],
)
def test_bad_input_gives_the_same_line_through_both(
    arguments: tuple[str, ...],
    call: Callable[[], object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    NETWORK.save("net.pumice")
    with pytest.raises(pm.PumiceError) as raised:
        call()
    command = pumice(*arguments)
    assert command.status == 2
    assert command.err == f"pumice: {' '.join(str(raised.value).split())}\n"
