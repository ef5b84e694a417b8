"""Run as a program: loss and gradients of one process, and of two with half the samples each."""

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


def run_step(objective: str, half: int | None) -> dict[str, Any]:
    """Loss, a gradient and running statistics, of all samples or of one process's half."""
    recipe = PretrainRecipe.model_validate(
        {
            "data": {},
            "network": {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]},
            "objective": {"name": objective, "projector": [8, 6], "queue_size": 10},
            "prednext": {"weight": 0.5, "hidden": 5},
        }
    )
    torch.manual_seed(0)
    data = {"shape": (1, 8, 8), "classes": 2, "value_bits": 8}
    encoder = build_encoder(recipe, {"data": data})
    learner = SSLModule(encoder, recipe.objective, recipe.prednext)
    clips = (torch.randint(0, 256, (3, 2, SAMPLES, 1, 8, 8)) for _ in range(2))
    now, later = (select_half(each, half) for each in clips)
    module: torch.nn.Module = learner
    if half is not None:
        learner.sync_batch_norm()
        module = DistributedDataParallel(learner)
    losses, _ = module(now, later)
    loss = torch.stack(list(losses.values())).sum()
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


def select_half(clips: Tensor, half: int | None) -> Tensor:
    """Both views along the batch axis, of all samples or of one half."""
    size = SAMPLES // 2
    chosen = clips if half is None else clips[:, :, half * size : (half + 1) * size]
    return chosen.flatten(1, 2).float()


def run_worker(rank: int, objectives: list[str], folder: str) -> None:
    """Run as one of two processes; rank 0 writes the results."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    results = [run_step(objective, rank) for objective in objectives]
    if rank == 0:
        Path(folder, "two.json").write_text(json.dumps(results), encoding="utf-8")
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    folder, *objectives = sys.argv[1:]
    torch.set_num_threads(1)
    start_processes(run_worker, (objectives, folder), 2, start_method="fork")  # type: ignore[no-untyped-call]
    two = json.loads(Path(folder, "two.json").read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps([[run_step(each, None) for each in objectives], two]))
