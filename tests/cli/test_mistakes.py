"""Ordinary mistakes give one line with a remedy and exit code 2, without loading torch."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK

from pumice.runtime import write_network

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
]
CODE = """
import sys
from pumice.cli.app import run_command
status = run_command(sys.argv[1:])
print(status, sorted({"torch", "lightning"} & set(sys.modules)))
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
    return folder


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_one_line_with_a_remedy_and_loads_no_torch(
    arguments: str, message: str, folder: Path
) -> None:
    before = sorted(folder.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", CODE, *shlex.split(arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert done.stdout == "2 []\n", done.stderr
    assert done.stderr.startswith("pumice: ") and done.stderr.count("\n") == 1
    assert re.search(message, done.stderr), done.stderr
    assert sorted(folder.rglob("*")) == before
