"""Run as a program: the loss and gradients of one process beside those of two with half each."""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import start_processes
from torch.nn.parallel import DistributedDataParallel

from pumice.train.ssl.learner import SSLModule
from pumice.train.ssl.pretrain import build_encoder
from pumice.train.ssl.recipe import PretrainRecipe

SAMPLES = 6


def measured(name: str, half: int | None) -> dict[str, Any]:
    """Return loss, a gradient and a running statistic, of all samples or of one half's process."""
    recipe = PretrainRecipe.model_validate(
        {
            "data": {},
            "network": {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]},
            "objective": {"name": name, "projector": [8, 6], "queue_size": 10},
            "prednext": {"weight": 0.5, "hidden": 5},
        }
    )
    torch.manual_seed(0)
    data = {"shape": (1, 8, 8), "classes": 2, "value_bits": 8}
    learner = SSLModule(build_encoder(recipe, {"data": data}), recipe.objective, recipe.prednext)
    now, later = (taken(torch.randint(0, 256, (3, 2, SAMPLES, 1, 8, 8)), half) for _ in range(2))
    module: torch.nn.Module = learner
    if half is not None:
        learner.sync_batch_norm()
        module = DistributedDataParallel(learner)
    parts, _ = module(now, later)
    loss = torch.stack(list(parts.values())).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    first = "layers.0.projections.0"
    gradient = learner.encoder.get_parameter(f"{first}.linear.weight").grad
    assert gradient is not None
    statistics = [
        learner.encoder.get_buffer(f"{first}.norm.{name}")
        for name in ("running_mean", "running_var")
    ]
    return {
        "loss": float(loss.detach()),
        "gradient": gradient.flatten().tolist(),
        "statistics": torch.cat(statistics).tolist(),
    }


def taken(clips: Tensor, half: int | None) -> Tensor:
    """Return both views side by side, of all samples or of one half."""
    size = SAMPLES // 2
    mine = clips if half is None else clips[:, :, half * size : (half + 1) * size]
    return mine.flatten(1, 2).float()


def child(rank: int, names: list[str], folder: str) -> None:
    """Measure as one of two processes; the first writes what it found."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    found = [measured(name, rank) for name in names]
    if rank == 0:
        Path(folder, "two.json").write_text(json.dumps(found), encoding="utf-8")
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    place, *asked = sys.argv[1:]
    torch.set_num_threads(1)
    start_processes(child, (asked, place), 2, start_method="fork")  # type: ignore[no-untyped-call]
    two = json.loads(Path(place, "two.json").read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps([[measured(name, None) for name in asked], two]))
