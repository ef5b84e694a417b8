"""Mutated inputs through the command's own entry, in a process that may die.

The process that runs the commands is another, so that an abort or a hang is a finding and not the
end; there they run in one interpreter, since starting each anew would take most of the time.
"""

import contextlib
import io
import json
import os
import re
import resource
import select
import shutil
import subprocess
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent)]

from mutate import forge, mutate
from seeds import Seed, make_seeds

from pumice.cli.app import run_command

CPU_SECONDS = 10.0  # of a refusal; a mutant that is valid may ask for more work
HANG_SECONDS = 180.0  # of wall-clock time, on a busy machine
MAX_MEGABYTES = 1024
BAD_OUTPUT = re.compile(r"Traceback|Exception ignored|panicked|Error in |core dumped")
FORGED = "pumice"  # seeds of which every fourth mutant has a right digest


def run_mutants(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Run `count` mutants of all formats; returns their statuses and the findings."""
    seeds = make_seeds(_make(folder / "seeds"))
    (folder / "seeds.json").write_text(
        json.dumps([asdict(each) | {"path": str(each.path)} for each in seeds])
    )
    statuses: dict[str, int] = {}
    findings: list[Any] = []
    first = 0
    while first < count:
        first = _run_worker(folder, first, count, seed, statuses, findings)
    return {"mutants": count, "formats": len(seeds), "statuses": statuses, "findings": findings}


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _run_worker(
    folder: Path, first: int, count: int, seed: int, statuses: dict[str, int], findings: list[Any]
) -> int:
    """Run a worker until it ends, dies or hangs; returns the number of the next mutant."""
    temporary = folder / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    environment = os.environ | {"TMPDIR": str(_make(temporary)), "OMP_NUM_THREADS": "1"}
    environment |= {"XDG_CACHE_HOME": str(folder / "cache"), "MPLCONFIGDIR": str(folder / "mpl")}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, __file__, str(folder), str(first), str(count), str(seed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        errors="replace",
    ) as worker:
        assert worker.stdout is not None and worker.stderr is not None
        current = first - 1
        while select.select([worker.stdout], [], [], HANG_SECONDS)[0]:
            line = worker.stdout.readline()
            if not line:
                break
            message = json.loads(line)
            if "start" in message:
                current = message["start"]
                continue
            statuses[str(message["status"])] = statuses.get(str(message["status"]), 0) + 1
            if message["findings"]:
                findings.append(message)
            if message["restart"]:
                worker.kill()
                return current + 1
        else:
            worker.kill()
            findings.append({"mutant": current, "findings": [f"no end in {HANG_SECONDS} s"]})
            return current + 1
        status = worker.wait()
        if status:
            last = worker.stderr.read()[-600:]
            findings.append({"mutant": current, "findings": [f"ended with {status}: {last}"]})
            return current + 1
        return count


def work(folder: Path, first: int, count: int, seed: int) -> None:
    """Run mutants `first` to `count`, writing what came of each to standard output."""
    seeds = [
        Seed(**{**each, "path": Path(each["path"]), "arguments": tuple(each["arguments"])})
        for each in json.loads((folder / "seeds.json").read_text())
    ]
    output = os.fdopen(os.dup(1), "w")
    weights = np.array([each.weight for each in seeds], np.float64)
    for number in range(first, count):
        print(json.dumps({"start": number}), file=output, flush=True)
        random = np.random.default_rng((seed, number))
        chosen = seeds[random.choice(len(seeds), p=weights / weights.sum())]
        arguments = prepare(chosen, folder, random)
        message = {"mutant": number, "seed": chosen.name, **run_one(arguments, folder)}
        print(json.dumps(message), file=output, flush=True)


def prepare(seed: Seed, folder: Path, random: np.random.Generator) -> list[str]:
    """Write a mutant of `seed` below `folder`; returns the arguments that read it."""
    place = folder / "mutant"
    shutil.rmtree(place, ignore_errors=True)
    content = seed.path.read_bytes()
    if seed.name.startswith(FORGED) and random.random() < 0.25:
        mutant = forge(content, random, str(folder / "scratch"))
    else:
        mutant = mutate(content, random)
    data = place / "data"
    if "{run}" in seed.arguments:
        shutil.copytree(seed.path.parent, place / "run")
        path = place / "run" / seed.path.name
    elif any("{data}" in each for each in seed.arguments) and seed.path.suffix != ".npz":
        for name in ("low", "high"):
            (data / name).mkdir(parents=True)
            for k in range(4):
                shutil.copy(seed.path, data / name / f"{k}{seed.path.suffix}")
        path = data / "low" / f"1{seed.path.suffix}"
    else:
        place.mkdir()
        path = place / seed.path.name
    path.write_bytes(mutant)
    words = {"{}": str(path), "@": str(place / "out"), "{run}": str(place / "run")}
    words["{data}"] = str(data if data.exists() else path)
    (place / "out").mkdir()
    arguments = []
    for argument in seed.arguments:
        for word, value in words.items():
            argument = argument.replace(word, value) if word in argument else argument
        arguments.append(argument)
    return arguments


def run_one(arguments: list[str], folder: Path) -> dict[str, Any]:
    """Run a command in this process; returns its status and findings."""
    findings = []
    before, start = time.process_time(), set(os.listdir(folder / "tmp"))
    errors = io.StringIO()
    status: Any = None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            status = run_command(arguments)
        except BaseException as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{last.filename}:{last.lineno}"
            findings.append(f"{type(error).__name__} at {place}: {str(error)[:300]}")
    text = errors.getvalue()
    lines = [line for line in text.splitlines() if line.startswith("pumice: ")]
    errors_said = [line for line in lines if not line.startswith("pumice: warning: ")]
    if status == 2 and len(errors_said) != 1:
        findings.append(f"{len(errors_said)} lines of error: {text[-300:]}")
    if status not in (0, 1, 2, None):
        findings.append(f"status {status}")
    if BAD_OUTPUT.search(text):
        findings.append(f"printed {text[-300:]}")
    if status == 2 and time.process_time() - before > CPU_SECONDS:
        findings.append(f"took {time.process_time() - before:.1f} s")
    left = set(os.listdir(folder / "tmp")) - start
    left |= {p.name for p in (folder / "mutant").rglob("*") if p.name.startswith(".")}
    if left:
        findings.append(f"left {sorted(left)}")
    used = max(_peaks())
    if used > MAX_MEGABYTES:
        findings.append(f"took {used} MB")
    shown = [each.replace(str(folder), "") for each in arguments] if findings else []
    return {
        "status": status,
        "findings": findings,
        "arguments": shown,
        "restart": used > MAX_MEGABYTES,
    }


def _peaks() -> tuple[int, int]:
    """Megabytes of this process and of its children at their peaks.

    Not by `RUSAGE_SELF`, which counts what the parent had before this program was executed.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = re.search(r"VmHWM:\s+(\d+) kB", status)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return int(own[1]) // 1024 if own else 0, children // 1024


if __name__ == "__main__":
    work(Path(sys.argv[1]), *map(int, sys.argv[2:]))
