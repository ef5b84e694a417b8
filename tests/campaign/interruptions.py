"""Kills with resume, disks that fill up, and signals, each against processes of the command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from seeds import RECIPE, make_seeds

from pumice.runtime import network_digest, read_network
from pumice.runtime.errors import PumiceError

COMMAND = [sys.executable, "-c", "from pumice.cli import main; main()"]
BAD_OUTPUT = re.compile(r"Traceback|Exception ignored|Fatal Python error|panicked|core dumped")
HANG_SECONDS = 600  # of wall-clock time, on a busy machine
WRITTEN = (".onnx", ".html", ".csv", ".nir", ".netx", ".h", ".c")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PRETRAIN = """
[data]
name = "digit-motions"
[clips]
timesteps = 3
gap = 2
[network]
channels = [3]
kernels = [3]
strides = [4]
hidden = []
[objective]
name = "byol"
projector = [8, 6]
[training]
epochs = 2
batch_size = 256
"""


class Verb:
    """A long verb: how it begins and goes on, and what of its folder a run determines."""

    def __init__(self, folder: Path, name: str) -> None:
        self.start: tuple[str, ...]
        recipe = folder / f"{name}.toml"
        arrays = folder / "seeds" / "arrays.npz"
        table = 'format = "arrays"'
        if name == "pretrain":
            recipe.write_text(PRETRAIN)
            self.start = ("pretrain", str(recipe), "--resume", "-o", "@")
            self.result = "encoder.safetensors"
        else:
            text = RECIPE.format(path=arrays, table=table, epochs=5)
            recipe.write_text(text + ("validation_per_class = 2\n" if name == "sweep" else ""))
            self.start = ("train", str(recipe), "--resume", "-o", "@")
            self.result = "model.safetensors"
        if name == "sweep":
            values = ("--param", "training.lr=0.01,0.1", "--trials", "3")
            self.start = ("sweep", str(recipe), *values, "-o", "@", "--json")
            self.result = ""
        if name == "demo":
            self.start, self.result = ("demo", "-o", "@"), "network.pumice"


def command(verb: Verb, run: Path) -> list[str]:
    return [*COMMAND, *(each.replace("@", str(run)) for each in verb.start)]


def environment(folder: Path) -> dict[str, str]:
    """That of this process, with caches and temporary files below `folder`."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return os.environ | {
        "TMPDIR": str(folder / "tmp"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "MPLCONFIGDIR": str(folder / "mpl"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }


def run_kills(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Kill long verbs at random moments and resume them; their results equal unbroken ones."""
    make_seeds(_make(folder / "seeds"))
    random = np.random.default_rng(seed)
    names = ("train", "sweep", "pretrain") if count > 9 else ("train",)
    kills = {name: 0 for name in names}
    findings: list[str] = []
    for name in names:
        verb = Verb(folder, name)
        started = time.monotonic()
        expected = finish(verb, folder / f"{name}-whole", folder, findings)
        seconds = time.monotonic() - started
        attempt = 0
        while kills[name] < -(-count // len(names)):
            attempt += 1
            run = folder / f"{name}-{attempt}"
            for _ in range(3):
                kills[name] += kill_once(verb, run, folder, random.uniform(0.05, 0.9) * seconds)
            result = finish(verb, run, folder, findings)
            if result != expected:
                findings.append(f"{name} {attempt}: another result than an unbroken run")
            findings += [f"{name} {attempt}: {each}" for each in half_written(run)]
    return {"kills": kills, "findings": findings + processes_left(folder)}


def kill_once(verb: Verb, run: Path, folder: Path, seconds: float) -> int:
    """Start a verb and kill its process group after some seconds; 1 if it still ran."""
    process = subprocess.Popen(
        command(verb, run),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(folder),
        start_new_session=True,
    )
    try:
        process.wait(seconds)
        return 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return 1


def finish(verb: Verb, run: Path, folder: Path, findings: list[str]) -> str:
    """Run a verb to its end; returns its result."""
    done = subprocess.run(
        command(verb, run), capture_output=True, text=True, env=environment(folder)
    )
    if done.returncode:
        findings.append(f"{verb.start[0]}: status {done.returncode}: {done.stderr[-400:]}")
    if not verb.result:
        return "" if done.returncode else str(len(json.loads(done.stdout)["trials"]))
    path = run / verb.result
    return path.read_bytes().hex() if path.exists() else "absent"


def run_full_disks(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Run verbs on disks of random sizes: one line and nothing half-written, or success."""
    make_seeds(_make(folder / "seeds"))
    random = np.random.default_rng(seed)
    findings: list[str] = []
    statuses: dict[str, int] = {}
    verbs = list(writing_verbs(folder / "seeds"))
    for number in range(count):
        arguments = verbs[random.integers(len(verbs))] if count > 9 else verbs[number % len(verbs)]
        kilobytes = int(4 ** random.uniform(1, 6))
        disk = folder / "disk"
        disk.mkdir(exist_ok=True)
        limited = ["sh", "-c", FULL_DISK, "sh", str(disk), f"{kilobytes}k", str(folder / "after")]
        words = [each.replace("@", str(disk)) for each in arguments]
        done = subprocess.run(
            ["unshare", "-rm", *limited, *COMMAND, *words],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment(folder),
            timeout=HANG_SECONDS,
        )
        statuses[str(done.returncode)] = statuses.get(str(done.returncode), 0) + 1
        where = f"{' '.join(arguments[:4])} on {kilobytes} kB"
        if done.returncode not in (0, 1, 2) or BAD_OUTPUT.search(done.stderr):
            findings.append(f"{where}: status {done.returncode}: {done.stderr[-500:]}")
        findings += [f"{where}: {each}" for each in half_written(folder / "after")]
        _remove(folder / "after")
    return {"runs": count, "statuses": statuses, "findings": findings + processes_left(folder)}


# Mounts the disk where only this process sees it, runs the command, and copies what it left.
FULL_DISK = """
disk=$1; size=$2; after=$3; shift 3
mount -t tmpfs -o size=$size tmpfs "$disk" || exit 77
"$@"
status=$?
cp -r "$disk" "$after"
exit $status
"""


def writing_verbs(seeds: Path) -> Iterator[tuple[str, ...]]:
    """Arguments of verbs that write below `@`."""
    network, data = str(seeds / "net.pumice"), ("--events", str(seeds / "events.npz"))
    for form in ("onnx", "nir", "netx", "c"):
        yield ("export", network, "--to", form, "-o", f"@/net.{form}")
    yield ("convert", str(seeds / "net.nir"), "-o", "@/net.pumice")
    yield ("report", network, *data, "-o", "@/report")
    yield ("profile", network, *data, "--target", "loihi2", "--csv", "@/profile.csv")
    yield ("profile", network, *data, "--target", "loihi2", "--html", "@/profile.html")
    yield ("train", str(seeds / "run.toml"), "-o", "@/run")
    yield ("train", str(seeds / "run.toml"), "-o", "@/run", "--set", "training.tensorboard=true")


def run_signals(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Send signals at random moments: the status is theirs, and nothing is left."""
    for each in SIGNALS:
        if signal.getsignal(each) == signal.SIG_IGN:  # under nohup, commands would ignore it too
            signal.signal(each, signal.SIG_DFL)
    make_seeds(_make(folder / "seeds"))
    random = np.random.default_rng(seed)
    findings: list[str] = []
    statuses: dict[str, int] = {}
    seeds = folder / "seeds"
    verbs = [
        *writing_verbs(seeds),
        ("stream", str(seeds / "net.pumice"), "-"),
        ("stream", str(seeds / "net.pumice"), "udp://127.0.0.1:0"),
        ("verify", str(seeds / "net.pumice")),
        ("verify", str(seeds / "net.pumice"), "--engines", "reference,lava,c"),
        ("sweep", str(seeds / "run.toml"), "--param", "training.lr=0.01,0.1", "--set",
         "training.validation_per_class=2", "-o", "@/sweep"),
    ]  # fmt: skip
    for number in range(count):
        verb = verbs[random.integers(len(verbs))]
        out = folder / f"out{number}"
        out.mkdir()
        sent = SIGNALS[random.integers(len(SIGNALS))]
        outcome = send_signal([each.replace("@", str(out)) for each in verb], folder, sent, random)
        statuses[outcome[0]] = statuses.get(outcome[0], 0) + 1
        where = f"{' '.join(verb[:4])} at {sent.name}"
        findings += [f"{where}: {each}" for each in (*outcome[1:], *half_written(out))]
        left = sorted(p.name for p in (folder / "tmp").iterdir())
        if left:
            findings.append(f"{where}: left {left}")
            _remove(folder / "tmp")
    return {"signals": count, "statuses": statuses, "findings": findings + processes_left(folder)}


def send_signal(
    arguments: list[str], folder: Path, sent: signal.Signals, random: np.random.Generator
) -> list[str]:
    """Send a signal to the command after a random time; returns its status, then findings."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(folder),
        text=True,
        errors="replace",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for_handler(process)
    time.sleep(float(random.exponential(1.5)))
    process.send_signal(sent)
    try:
        _, errors = process.communicate(timeout=HANG_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return ["hang", f"no end in {HANG_SECONDS} s"]
    found = [str(process.returncode)]
    if BAD_OUTPUT.search(errors):
        found.append(f"printed {errors[-500:]}")
    if process.returncode not in (0, 1, 2, 128 + sent):
        found.append(f"status {process.returncode}: {errors[-300:]}")
    return found


def wait_for_handler(process: "subprocess.Popen[str]") -> None:
    """Wait until the process catches SIGTERM; before, Python itself starts."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        text = status.read_text(encoding="utf-8") if status.exists() else ""
        caught = re.search(r"SigCgt:\s*(\w+)", text)
        if caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.001)


def half_written(folder: Path) -> list[str]:
    """Partial or unreadable files below `folder`."""
    found = []
    for path in folder.rglob("*") if folder.exists() else ():
        if not path.is_file():
            continue
        if path.name.startswith(".") or path.name.endswith((".part", ".tmp")):
            found.append(f"left {path.name}")
        try:
            if path.suffix == ".pumice":
                network_digest(read_network(path))
            elif path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix in WRITTEN and not path.stat().st_size:
                found.append(f"{path.name} is empty")
        except (PumiceError, ValueError) as error:
            found.append(f"{path.name}: {error}")
    return found


def processes_left(folder: Path) -> list[str]:
    """Processes whose command line names a file below `folder`."""
    time.sleep(1)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(f"left process {entry.name}: {line[:200]}")
    return found


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    if folder.name == "tmp":
        folder.mkdir()
