"""No verb opens a connection, looks up a name or leaves another program's files at home."""

import os
import sys
from pathlib import Path

import numpy as np
import offline
import pytest

pytestmark = pytest.mark.skipif(not offline.can_run(), reason="no network namespaces here")
RECIPE = """
[data]
name = "folder"
path = "data.npz"
format = "arrays"
timesteps = 4
[network]
channels = [3]
kernels = [3]
strides = [2]
hidden = []
[training]
epochs = 1
qat_epochs = 1
batch_size = 8
"""
VERBS = """
train recipe.toml -o run
evaluate run --quantized
convert run
check run
run run/network.pumice --engine onnx --samples 4
verify run/network.pumice --engines reference,cpu,onnx --samples 2
profile run/network.pumice --samples 2
report run/network.pumice --samples 2 -o report
export run/network.pumice --to onnx -o net.onnx
export run/network.pumice --to nir -o net.nir
check net.nir
stream run/network.pumice events.csv --no-real-time
doctor
"""
DRIVER = f"""
import sys
from pumice.cli.app import run_command
for line in {VERBS.strip().splitlines()!r}:
    status = run_command(line.split())
    assert status == 0, (line, status)
"""
SMALL = (
    "network.channels=[3]",
    "network.kernels=[3]",
    "network.strides=[2]",
    "network.hidden=[8]",
    "training.batch_size=8",
    "training.epochs=2",
    "training.qat_epochs=1",
)
DEMO = f"""
from pumice.cli.app import run_command
settings = [option for setting in {SMALL} for option in ("--set", setting)]
assert run_command(["demo", "-o", "run", *settings]) == 0
"""
CONTROL = """
import socket
try:
    socket.getaddrinfo("example.org", 443)
except OSError:
    pass
with socket.socket() as sock:
    sock.settimeout(0.1)
    try:
        sock.connect(("203.0.113.9", 443))
    except OSError:
        pass
"""


def write_inputs(folder: Path) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = random.integers(0, 100, (40, 1, 8, 8)) + 100 * labels[:, None, None, None]
    np.savez(folder / "data.npz", x=images, y=labels)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "events.csv").write_text("".join(f"{900 * k},{k % 8},3,1\n" for k in range(60)))


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "ORT_"))}
    return kept | {"HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_name_look_up_and_a_foreign_address_are_seen(tmp_path: Path) -> None:
    _, sent = offline.find_connections([sys.executable, "-c", CONTROL], environment(tmp_path))
    assert sent == ["127.0.0.1 port 53", "203.0.113.9 port 443"]


def test_no_verb_opens_a_connection_or_looks_up_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    done, sent = offline.find_connections([sys.executable, "-c", DRIVER], environment(home))
    assert done.returncode == 0, done.stderr[-2000:]
    assert sent == []
    written = {path.relative_to(home).parts[:2] for path in home.rglob("*") if path.is_file()}
    assert {parts[0] for parts in written} <= {".cache", ".config"}, written
    assert (".cache", "Microsoft") not in written  # where ONNX Runtime would keep a device id


@pytest.mark.slow
def test_the_demo_and_all_engines_open_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among the engines are Lava and the exported firmware, where they are installed."""
    monkeypatch.chdir(tmp_path)
    done, sent = offline.find_connections([sys.executable, "-c", DEMO], environment(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert sent == []
    assert (tmp_path / "run" / "report.html").stat().st_size > 1000
