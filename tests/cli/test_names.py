"""Names that are not UTF-8, or that hold control characters, end in one plain line."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK, pumice

from pumice.runtime import read_network, write_network

COMMAND = [sys.executable, "-c", "from pumice.cli import main; main()"]
BYTES = b"\xff\xfe"  # no UTF-8
NAME = os.fsdecode(BYTES)


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, env=os.environ)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_network(tmp_path / f"{NAME}.pumice", NETWORK)
    np.savez(tmp_path / f"{NAME}.npz", events=EVENTS, labels=LABELS)
    (tmp_path / f"{NAME}.csv").write_text("0,1,1,1\n9000,2,2,1\n")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", f"{NAME}.pumice", "--events", f"{NAME}.npz"),
        ("run", f"{NAME}.pumice", "--events", f"{NAME}.npz", "--json"),
        ("verify", f"{NAME}.pumice", "--engines", "reference,cpu"),
        ("stream", f"{NAME}.pumice", f"{NAME}.csv", "--no-real-time"),
        ("export", f"{NAME}.pumice", "--to", "onnx", "-o", f"{NAME}.onnx"),
        ("export", f"{NAME}.pumice", "--to", "nir", "-o", f"{NAME}.nir"),
        ("export", f"{NAME}.pumice", "--to", "c", "-o", NAME),
        ("report", f"{NAME}.pumice", "--events", f"{NAME}.npz", "-o", f"{NAME}.report"),
        ("run", "absent" + NAME),
        ("train", f"{NAME}.toml"),
        ("check", f"{NAME}.net"),
        ("evaluate", NAME),
    ],
    ids=lambda arguments: ascii(" ".join(arguments)),
)
def test_a_name_that_is_not_utf8_works_or_is_one_line(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    done = run(folder, *arguments)
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    if done.returncode:
        assert done.returncode == 2 and done.stderr.count(b"\n") == 1
        assert done.stderr.startswith(b"pumice: ")


def test_an_exported_network_with_such_a_name_is_read_again(folder: Path) -> None:
    assert (
        run(folder, "export", f"{NAME}.pumice", "--to", "nir", "-o", f"{NAME}.nir").returncode == 0
    )
    done = run(folder, "convert", f"{NAME}.nir", "-o", "again.pumice")
    assert done.returncode == 0, done.stderr
    assert read_network(folder / "again.pumice").projections == NETWORK.projections


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    result = pumice("run", "a\x1b[31m\x07b.pumice")
    assert result.err == "pumice: a\\x1b[31m\\x07b.pumice: no such file\n"


def test_a_long_message_is_shortened() -> None:
    result = pumice("run", "a" * 100_000)
    assert result.status == 2 and len(result.err) < 3000 and result.err.endswith("no such file\n")
