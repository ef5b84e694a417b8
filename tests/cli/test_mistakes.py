"""Ordinary mistakes give one line with a remedy and exit code 2, without loading torch."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK

from pumice.runtime import write_network

DIGITS = "9" * 5000  # more than Python converts
# Arguments, and a pattern of the message. No command here needs torch to find the mistake.
MISTAKES = [
    ("trian digits-events", "No such command 'trian'. Did you mean 'train'"),
    ("nonsense", "No such command 'nonsense' .see 'pumice --help'"),
    ("run", "Missing argument 'FILE' .see 'pumice run --help'"),
    ("run net.pumice --sampels 3", "No such option: --sampels .*--samples"),
    ("run net.pumice --samples three", "'--samples': Input should be a valid integer"),
    ("run net.pumice --engine cup", "'cup' is not one of .*; did you mean 'cpu'"),
    ("run absent.pumice", "absent.pumice: no such file"),
    ("run folder", "folder: is a folder; name a file in it"),
    ("run pipe", "pipe: is no regular file; name one"),
    ("run net.pumice --events pipe", "pipe: is no regular file; name one"),
    ("run net.pumice --events /dev/null", "/dev/null: is no regular file; name one"),
    ("stream net.pumice pipe", "pipe: is no regular file; needs a recording"),
    ("export net.pumice --to c -o pipe", "pipe: is a file; name a folder"),
    ("export net.pumice --to onnx -o /dev/full", "/dev/full: cannot be written: No space left"),
    ("export net.pumice --to onnx -o /proc/net.onnx", "/proc/net.onnx: cannot be written"),
    ("profile net.pumice --events events.npz --csv /dev/full", "cannot be written: No space left"),
    ("report net.pumice -o /dev/null", "/dev/null: is a file; name a folder"),
    ("train digits-events -o pipe", "pipe: is a file; name a folder"),
    ("run text.pumice", "text.pumice: is truncated or no .pumice file .*; write it again"),
    ("run net.pumice --events absent.npz", "absent.npz: cannot be read: No such file"),
    ("run net.pumice --events wrong.npz", "in: events are .* needs integers"),
    ("run net.pumice --data nmist", "no dataset 'nmist'; did you mean 'nmnist'"),
    ("run net.pumice --data nmnist --folder moved", "no folder moved; .* --folder PATH"),
    ("verify net.pumice --engines cup", "no engine 'cup'; did you mean 'cpu'"),
    ("profile net.pumice --events events.npz --target loihi3", "did you mean 'loihi2'"),
    ("targets loihi", "did you mean 'loihi"),
    ("export net.pumice --to onxx", "'onxx' is not one of .*; did you mean 'onnx'"),
    ("convert absent.nir", "absent.nir: no such file"),
    ("convert folder", "folder: holds no model.safetensors; train first"),
    ("convert net.pumice", "is already an integer network; name another with --output"),
    ("check net.pumice --target loihi3", "did you mean 'loihi2'"),
    ("evaluate folder", "folder: holds no model.safetensors; train first"),
    ("train", "RECIPE is missing: name one .see 'pumice recipes'"),
    ("train digit-events", "did you mean 'digits-events'"),
    ("train absent.toml", "no such file or shipped training recipe; known are"),
    ("train bad.toml", "bad.toml: is not TOML"),
    ("train key.toml", "key.toml: line 4: training.epoch: unknown key; did you mean 'epochs'"),
    ("train digits-events --set training.epoch=3", "did you mean 'epochs'"),
    ("train digits-events --set training.epochs=many", "should be a valid integer"),
    ("train digits-events --set training.lr=inf", "training.lr = inf: .* a finite number"),
    ("train digits-events --set network.strides=0", "network.strides = 0: .* or equal to 1"),
    ("train digits-events --set network.kernels=[3,3,3]", "3 entries, but channels has 2; give"),
    ("train digits-events --set network.hidden=[9999999,9999999]", "choose smaller layers"),
    ("train digits-events --set epochs", "needs the form table.key=value"),
    ("train digits-events -o net.pumice", "net.pumice: is a file; name a folder"),
    ("train digits-events -o /proc/run", "/proc/run: cannot be created"),
    ("train nmnist", "nmnist: needs the folder of its files; give --folder PATH"),
    ("train --resume -o folder", "folder: holds no run .recipe.json is missing.; train one first"),
    ("train digits-events --seeds 0,0", "needs different numbers separated by commas"),
    ("sweep digits-events", "no parameter; give at least one --param KEY=VALUES"),
    ("pretrain digit-motion", "did you mean 'digit-motions'"),
    ("pretrain ucf101", "no folder given; name it with --set data.folder=PATH"),
    ("train-hrsnn digit-motion", "did you mean 'digit-motions'"),
    ("datasets mnist", "did you mean 'nmnist'"),
    ("models vgg", "did you mean 'vgg"),
    ("calibrate-exit net.pumice --loss 2", "'--loss': Input should be less than or equal to 1"),
    ("stream net.pumice absent.aedat", "absent.aedat: no such file"),
    ("stream net.pumice text.txt --bin-ms inf", "--bin-ms: needs a finite number"),
    ("stream net.pumice text.txt --bin-ms 1e30", "--bin-ms: needs a number up to 2147483647"),
    (f"stream net.pumice text.txt --downsample {DIGITS[:25]}", "--downsample: needs a number up"),
    (f"stream net.pumice text.txt --sensor {DIGITS}x6", "needs the form 128x96"),
    (f"stream net.pumice tcp://127.0.0.1:{DIGITS}", "needs the form tcp://127.0.0.1:PORT"),
    (f"run net.pumice --samples {DIGITS[:25]}", "--samples: needs a number up to 2147483647"),
    (f"check model.net --input-shape {DIGITS}", "needs one number of neurons"),
    ("check model.nir --dt inf", "--dt: needs a finite number"),
    (f"train digits-events --seeds {DIGITS}", "needs different numbers separated by commas"),
    ("help", "No such command 'help' .see 'pumice --help'"),
    ("run net.pumice extra", "unexpected extra argument.* .see 'pumice run --help'"),
    ("run net.pumice --engine loihi2", "'loihi2' is not one of 'reference', 'cpu'"),
    ("run net.pumice --samples 0", "'--samples': Input should be greater than or equal to 1"),
    ("run net.pumice --events text.txt", "text.txt: is not a complete .npz file; write it with"),
    ("run net.pumice --events array.npy", "array.npy: .* .but one array, .npy.; write it with"),
    ("run net.pumice --events floats.npz", "events are float32 .* needs integers"),
    ("run net.pumice --events none.npz", "events of shape .* are empty"),
    ("run net.pumice --events name.npz", "events for spikes, but the inputs are in"),
    ("run net.pumice --events folder", "folder: cannot be read: Is a directory"),
    (
        "run net.pumice --data cifar10 --folder folder",
        "folder: 0 .npz files; needs data_b",
    ),
    ("run empty.pumice", "empty.pumice: is truncated or no .pumice file"),
    ("run dangling.pumice", "dangling.pumice: no such file"),
    ("evaluate net.pumice", "is an integer network; evaluate it with 'pumice run net.pumice'"),
    ("evaluate run --protocol kn", "'kn' is not one of .*; did you mean 'knn'"),
    ("convert model.py", "is none of .* name the module in it: model.py:NAME"),
    ("convert text.txt", "text.txt: is none of .net, .nir, .pumice, .safetensors"),
    ("convert model.net --weight-bits 16", "'--weight-bits': Input should be less than or equal"),
    (
        "convert model.net --input-shape 2x6x6",
        "--input-shape 2x6x6: needs one number",
    ),
    ("convert model.net -o folder", "folder: is a folder; name a file in it"),
    ("convert model.net -o absent/net.pumice", "no folder .*absent; create it first"),
    ("calibrate-exit net.pumice --loss 0.1 --coverage 0.5", "--loss and --coverage: needs one"),
    ("calibrate-exit net.pumice -o folder", "folder: is a folder; name a file in it"),
    ("verify net.pumice --engines reference", "verify: reference alone, needs the reference and"),
    ("profile net.pumice --target text.txt", "text.txt: is not TOML"),
    ("profile net.pumice --csv folder", "folder: is a folder; name a file in it"),
    ("profile net.pumice --html absent/page.html", "no folder .*absent; create it first"),
    ("report net.pumice -o text.txt", "text.txt: is a file; name a folder"),
    ("report net.pumice -o text.txt/sub", "text.txt: is a file; name a folder"),
    ("report net.pumice net.pumice", "only one network; --compare takes several report.json"),
    ("report net.pumice --curve float", "--curve float: needs NAME=FILE"),
    ("report --compare net.pumice", "net.pumice: is no valid report"),
    ("export net.pumice -o net.pumice", "net.pumice: is the network itself; name another file"),
    ("export net.pumice -o link.pumice", "link.pumice: is the network itself; name another file"),
    ("export net.pumice --to c -o text.txt", "text.txt: is a file; name a folder"),
    ("train --resume", "RECIPE is missing: name one .*, or resume a run with --resume -o RUN"),
    ("train --resume -o net.pumice", "net.pumice: is a file; name the folder of a run"),
    ("train run", "run: is the folder of a run; resume it with --resume"),
    ("train folder", "folder: is a folder; name a recipe or a TOML file"),
    ("train digit-motions", "digit-motions: is a recipe of 'pumice pretrain', not of training"),
    ("train nmnist --folder folder", "nmnist: folder: 0 .npz files; needs Train/ and Test/"),
    ("train digits-events --set training=3", "training = 3: input should be a valid dictionary"),
    (
        "train digits-events --set network.name=resnet",
        "'resnet' is none of .* did you mean",
    ),
    (
        "train digits-events --set training.qat_epochs=99",
        "qat_epochs is 99, but there are 18",
    ),
    ("pretrain", "RECIPE is missing: name one"),
    ("pretrain digits-events", "digits-events: is a recipe of 'pumice train', not of pretraining"),
    (
        "pretrain --resume -o folder",
        "folder: holds no run .recipe.json is missing.; train one first",
    ),
    ("pretrain digit-motions --epochs 3", "No such option: --epochs .see 'pumice pretrain --help'"),
    ("sweep digits-events --param training.lr", "needs KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=A,B"),
    ("sweep digits-events --param training.lr=1:0", "needs LOW below HIGH"),
    ("sweep digits-events --param training.lr=1e-3:1 --workers 0", "'--workers': Input should be"),
    ("train-hrsnn digit-motions -o net.pumice", "net.pumice: is a file; name a folder"),
    ("train-hrsnn digit-motions --folder absent", "digit-motions: no folder absent; name another"),
    ("train-hrsnn digit-motions --set hrsnn.epoch=3", "did you mean 'epochs'"),
    ("demo -o text.txt", "text.txt: is a file; name a folder"),
    ("demo --set training.epoch=1", "did you mean 'epochs'"),
    ("doctor --fixx", "No such option: --fixx .*--fix"),
]
CODE = """
import io, json, pathlib, sys
from contextlib import redirect_stderr, redirect_stdout
from pumice.cli.app import run_command
for line in sys.stdin:
    before = sorted(pathlib.Path().rglob("*"))
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = run_command(json.loads(line))
    loaded = sorted({"torch", "lightning", "numba"} & set(sys.modules))
    kept = sorted(pathlib.Path().rglob("*")) == before
    print(json.dumps([status, out.getvalue(), err.getvalue(), loaded, kept]))
"""

# Without the packages of the extras.
MISSING = [
    ("train digits-events -o new", "needs torch, .* pip install 'pumice.train.'"),
    ("pretrain digit-motions -o new", "needs torch, .* pip install 'pumice.train.'"),
    ("demo -o new", "needs torch, .* pip install 'pumice.train.'"),
    ("demo --prednext -o new", "needs torch, .* pip install 'pumice.train.'"),
    ("export net.pumice --to onnx -o new.onnx", "onnx is not installed; pip install"),
    ("export net.pumice --to nir -o new.nir", "nir is not installed; pip install"),
    ("export net.pumice --to netx -o new.net", "h5py is not installed; pip install"),
    ("verify net.pumice --events events.npz --engines onnx", "needs onnx, .*'pumice.onnx.'"),
    ("run net.pumice --events events.npz --engine lava", "lava.* pumice doctor --fix"),
]
HIDE = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "lightning", "onnx", "nir", "h5py", "lava"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a network, events, and files that cannot be used."""
    folder = tmp_path_factory.mktemp("mistakes")
    write_network(folder / "net.pumice", NETWORK)
    np.savez(folder / "events.npz", events=EVENTS, labels=LABELS)
    np.savez(folder / "wrong.npz", events=EVENTS[:, :, :1], labels=LABELS)
    (folder / "text.pumice").write_text("no network")
    (folder / "bad.toml").write_text("[data\n")
    (folder / "key.toml").write_text('[data]\nname = "digits-events"\n[training]\nepoch = 3\n')
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "run").mkdir()
    (folder / "run" / "recipe.json").write_text("{}")
    (folder / "text.txt").write_text("no events")
    (folder / "empty.pumice").touch()
    (folder / "model.py").write_text("net = None\n")
    (folder / "model.net").touch()
    (folder / "link.pumice").symlink_to("net.pumice")
    (folder / "dangling.pumice").symlink_to("absent.pumice")
    np.save(folder / "array.npy", EVENTS)
    np.savez(folder / "floats.npz", events=EVENTS.astype(np.float32))
    np.savez(folder / "none.npz", events=EVENTS[:, :0])
    np.savez(folder / "name.npz", spikes=EVENTS)
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, Any]:
    """Status, output, errors, loaded libraries, and whether files were kept, by arguments.

    All run in one process, in which a library that one of them loads stays loaded.
    """
    return run_all(MISTAKES, CODE, folder)


def run_all(commands: list[tuple[str, str]], code: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="".join(f"{json.dumps(shlex.split(arguments))}\n" for arguments, _ in commands),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(commands), done.stderr
    return {words: json.loads(line) for (words, _), line in zip(commands, lines, strict=True)}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[m[0][:80] for m in MISTAKES])
def test_a_mistake_is_one_line_with_a_remedy_and_loads_no_torch(
    arguments: str, message: str, outcomes: dict[str, Any]
) -> None:
    status, out, err, loaded, kept = outcomes[arguments]
    assert (status, out, loaded, kept) == (2, "", [], True), err
    assert err.startswith("pumice: ") and err.count("\n") == 1
    assert re.search(message, err), err


def test_a_missing_extra_is_one_line_before_any_work(folder: Path) -> None:
    outcomes = run_all(MISSING, HIDE + CODE, folder)
    for arguments, message in MISSING:
        status, out, err, _, kept = outcomes[arguments]
        assert (status, out, kept) == (2, "", True), (arguments, err)
        assert err.startswith("pumice: ") and err.count("\n") == 1, err
        assert re.search(message, err), err


def test_a_mistake_takes_less_than_a_second_of_the_processor(folder: Path) -> None:
    code = f"import time\n{CODE}print(time.process_time())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input='["train", "digit-events"]\n',
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
    )
    assert float(done.stdout.splitlines()[-1]) < 1
