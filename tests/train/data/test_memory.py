"""Peak resident memory of reading thousands of images is that of a batch, not of the set."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from media import write_jpegs

IMAGES, SIDE = 2000, 224
DECODED_MB = IMAGES * 3 * SIDE * SIDE / 2**20  # 287
MAX_GROWTH_MB = 140

SCRIPT = """
import json, resource, sys
from pathlib import Path
import av, torch
import lightning.pytorch
from pumice.train.data import from_folder
from pumice.train.engine.fit import FrameDataset
from pumice.train.engine.trainer import make_loader

folder, cache, workers = Path(sys.argv[1]), sys.argv[2] == "cache", int(sys.argv[3])
peak = lambda who: resource.getrusage(who).ru_maxrss / 1024
before = peak(resource.RUSAGE_SELF)
data = from_folder(folder, timesteps=4, size=224, cache=cache)
total, seen = 0, 0
for clips, labels in make_loader(FrameDataset(data.train), 16, 0, workers):
    total, seen = total + int(clips[0].numpy().sum(dtype="int64")), seen + len(labels)
for events, labels in data.test.batches(16, workers):
    total, seen = total + int(events[0].sum(dtype="int64")), seen + len(labels)
result = {
    "total": total, "seen": seen, "growth": peak(resource.RUSAGE_SELF) - before,
    "workers": max(0, peak(resource.RUSAGE_CHILDREN) - before),
}
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rows = np.random.default_rng(0).integers(0, 256, (IMAGES, 1, 256, 3), np.uint8)
    files = (
        folder / "set" / ("val" if k % 5 == 0 else "train") / f"class{k % 4}" / f"{k}.jpg"
        for k in range(IMAGES)
    )
    write_jpegs(files, np.broadcast_to(rows, (IMAGES, 256, 256, 3)))
    return folder


def test_memory_is_bounded_by_the_batch(folder: Path) -> None:
    results = []
    for cache, workers in (("cache", 0), ("none", 2)):
        command = [sys.executable, "-c", SCRIPT, str(folder / "set"), cache, str(workers)]
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout.splitlines()[-1]))
    assert {(each["total"], each["seen"]) for each in results} == {(results[0]["total"], IMAGES)}
    for each in results:  # a cache that is built and mapped, and none
        assert each["growth"] < MAX_GROWTH_MB < DECODED_MB / 2
        assert each["workers"] < MAX_GROWTH_MB
