"""A campaign of damaged inputs, kills, full disks and signals against the command.

    PYTHONPATH=.:tests/common python tests/campaign/campaign.py nightly

Prints a JSON document of what was run, and every finding: a traceback, an abort, a hang, more than
1 GB of memory, a file half-written, or a process or file left behind. Exits with 1 where there is
one. `ci` is a sample of it that takes less than a minute.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interruptions import run_full_disks, run_kills, run_signals
from mutants import run_mutants

Part = Callable[[Path, int, int], dict[str, Any]]
PARTS: dict[str, Part] = {
    "mutants": run_mutants,
    "kills": run_kills,
    "full_disks": run_full_disks,
    "signals": run_signals,
}
SIZES = {
    "nightly": {"mutants": 10_000, "kills": 60, "full_disks": 200, "signals": 100},
    "ci": {"mutants": 100, "kills": 1, "full_disks": 5, "signals": 4},
}


def run_campaign(sizes: dict[str, int], seed: int) -> dict[str, Any]:
    """Run the parts of these sizes; returns counts, seconds and findings by part."""
    result = {}
    for name, size in sizes.items():
        if not size:
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
            result[name] = PARTS[name](Path(folder), size, seed)
        result[name]["seconds"] = round(time.monotonic() - start, 1)
        print(name, json.dumps(result[name]), file=sys.stderr, flush=True)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--part", choices=PARTS, help="Only this part.")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sizes = SIZES[options.size]
    if options.part:
        sizes = {options.part: sizes[options.part]}
    result = run_campaign(sizes, options.seed)
    print(json.dumps(result, indent=2))
    return 1 if any(part["findings"] for part in result.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
