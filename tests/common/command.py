"""Run `pumice VERB OPTION ...` in this process, and a small network with inputs for it."""

import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np

from pumice.cli.app import run_command
from pumice.runtime import Conv, Dense, Network, Population, Projection

NETWORK = Network(
    (
        Population("in", (2, 6, 6), kind="input"),
        Population("conv", (3, 3, 3), threshold=40, voltage_decay=512),
        Population("out", (4,), kind="integrator", current_decay=2048),
    ),
    (
        Projection("first", "in", "conv", Conv(np.full((3, 2, 3, 3), 20), (2, 2), (1, 1))),
        Projection("second", "conv", "out", Dense(2 * (np.arange(108).reshape(4, 27) % 25 - 10))),
    ),
)
EVENTS = np.random.default_rng(6).integers(0, 2, (5, 7, 2, 6, 6)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 3, 0, 1, 2])


@dataclass(frozen=True)
class CommandResult:
    """Exit code, standard output and standard error of a command."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, parsed as one JSON document."""
        return json.loads(self.out)


def pumice(*arguments: object) -> CommandResult:
    """Run `pumice` with `arguments` in this process."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        status = run_command([str(argument) for argument in arguments])
    return CommandResult(status, out.getvalue(), err.getvalue())
