import os
import subprocess
import sys

import pytest


def complete(line: str) -> list[str]:
    """Completions of the last word of `line` in bash."""
    words = line.split(" ")
    environment = {
        "_PUMICE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    code = "import sys; sys.argv[0] = 'pumice'; from pumice.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("pumice tr", ["train", "train-hrsnn"]),
        ("pumice train nmn", ["nmnist"]),
        ("pumice run net.pumice --data cifar", ["cifar10", "cifar100"]),
        ("pumice profile net.pumice --target loi", ["loihi1", "loihi2"]),
        ("pumice run net.pumice --engine ref", ["reference"]),
        ("pumice train --seed", ["--seeds"]),
    ],
)
def test_verbs_options_and_names_are_completed(line: str, completions: list[str]) -> None:
    assert complete(line) == completions
