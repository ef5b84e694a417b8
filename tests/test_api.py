"""The public API: the notebook example as written, laziness, and equality with the command line."""

import copy
import inspect
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pumice as pm

ROOT = Path(__file__).parent.parent
NOTEBOOK = """
import pumice as pm

data  = pm.datasets.load("digits-events", timesteps=8)
model = pm.models.ConvNet(data.input_shape, data.classes, channels=[16, 32], hidden=[128])
pm.train(model, data, epochs=18, loss="etc")
pm.evaluate(model, data.test)
net   = pm.convert(model, weight_bits=8, calibrate=data.train)
net.summary()
trace = pm.run(net, data.test, engine="cpu")
trace.accuracy(data.test.labels)
pm.verify(net, data.test[:8])
prog  = pm.place(net, "loihi2")
pm.profile(prog, trace)
net.save("model.pumice"); net.to_onnx("model.onnx"); net.to_nir("model.nir")
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
    import pumice.train.losses

    assert pm.train is sys.modules["pumice.train"]
    assert "epochs" in inspect.signature(pm.train).parameters
    assert pumice.train.losses.__name__ == "pumice.train.losses"
