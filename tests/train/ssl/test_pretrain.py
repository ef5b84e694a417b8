"""Pretraining: resumed runs, several processes, errors."""

import json
import sys
from pathlib import Path
from subprocess import run as called
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from pumice.runtime.errors import FileError, RecipeError
from pumice.train.data.clips import sample_clip_starts
from pumice.train.data.videos import Videos
from pumice.train.engine.run_folder import ENCODER_FILE
from pumice.train.nn.network import SpikingNetwork
from pumice.train.recipes.loader import list_recipes, load_recipe
from pumice.train.ssl.learner import SSLModule, project_views
from pumice.train.ssl.momentum import momentum_schedule
from pumice.train.ssl.options import OBJECTIVES, ObjectiveOptions
from pumice.train.ssl.pretrain import (
    ClipPairDataset,
    PretrainingModule,
    build_encoder,
    make_pretrain_provenance,
    pretrain,
    read_pretrained_model,
)
from pumice.train.ssl.recipe import PretrainRecipe

GENERATOR = np.random.default_rng(0)
VIDEOS = Videos(
    GENERATOR.integers(0, 256, (12, 9, 1, 8, 8), np.uint8), {"digit": np.arange(12) % 3}
)
CHILD = Path(__file__).parents[2] / "common" / "two_processes.py"


def recipe(name: str = "moco", **prednext: object) -> PretrainRecipe:
    return PretrainRecipe.model_validate(
        {
            "data": {},
            "clips": {"timesteps": 3, "gap": 2},
            "network": {"channels": [4], "kernels": [3], "strides": [2], "hidden": [8]},
            "objective": {"name": name, "projector": [8, 6], "predictor": 4, "queue_size": 10},
            "prednext": {"weight": 0.5, "hidden": 5, **prednext},
            "training": {"epochs": 3, "batch_size": 4},
        }
    )


def learner(settings: PretrainRecipe) -> SSLModule:
    torch.manual_seed(0)
    network = build_encoder(settings, make_pretrain_provenance(settings, VIDEOS))
    return SSLModule(network, settings.objective, settings.prednext)


def clips(seed: int, samples: int = 4) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, 2 * samples, 1, 8, 8), generator=random).float()


def weights(network: SpikingNetwork) -> dict[str, list[float]]:
    return {name: each.flatten().tolist() for name, each in network.state_dict().items()}


def test_gradient_checkpointing_gives_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    plain = recipe("byol", targets="momentum")
    saving = plain.training.model_copy(update={"gradient_checkpointing": True})
    recomputed = plain.model_copy(update={"training": saving})
    one, other = (
        pretrain(settings, VIDEOS, tmp_path / name)
        for name, settings in (("plain", plain), ("recomputed", recomputed))
    )
    assert weights(one.network) == weights(other.network)
    assert "forward" not in vars(other.network.layers[0])


@pytest.mark.parametrize("name", ["moco", "byol"])
def test_a_killed_run_resumes_to_the_same_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = recipe(name, targets="momentum")
    unbroken = pretrain(settings, VIDEOS, tmp_path / "whole")
    original = PretrainingModule.on_train_epoch_start

    def killed(self: PretrainingModule) -> None:
        if self.current_epoch == 2:
            raise ConnectionError("killed")
        original(self)

    with monkeypatch.context() as patch:
        patch.setattr(PretrainingModule, "on_train_epoch_start", killed)
        with pytest.raises(ConnectionError):
            pretrain(settings, VIDEOS, tmp_path / "cut")
    resumed = pretrain(settings, VIDEOS, tmp_path / "cut", resume=True)
    assert weights(resumed.network) == weights(unbroken.network)
    states = [
        torch.load(tmp_path / run / "last.ckpt", weights_only=True)["state_dict"]
        for run in ("whole", "cut")
    ]
    assert (
        any("momentum_encoder" in key for key in states[0]) and states[0].keys() == states[1].keys()
    )
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    if name == "moco":
        assert int(states[0]["ssl_module.num_queued"]) == 3 * 3 * 4


def test_a_pretrained_model_reads_back(tmp_path: Path) -> None:
    made = pretrain(recipe("simsiam"), VIDEOS, tmp_path)
    read = read_pretrained_model(tmp_path)
    assert weights(read.network) == weights(made.network) and read.recipe == made.recipe
    with pytest.raises(FileError, match="holds a run already"):
        pretrain(recipe("simsiam"), VIDEOS, tmp_path)
    with pytest.raises(FileError, match=f"holds no {ENCODER_FILE}"):
        read_pretrained_model(tmp_path / "elsewhere")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_later_clip_and_the_momentum_encoder_are_detached(name: str) -> None:
    module, later = learner(recipe(name)), clips(1).requires_grad_()
    parts, _ = module(clips(0), later)
    torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert set(parts) == {"objective", "prednext"} and later.grad is None
    for key, parameter in module.named_parameters():
        trained = not key.startswith("slow") and parameter.requires_grad
        assert (parameter.grad is not None) == trained, key


@pytest.mark.parametrize("name", ["moco", "byol"])
def test_predictions_of_momentum_objectives_have_online_targets(name: str) -> None:
    # As published: the targets are features of the network itself, not of its momentum copy.
    module = learner(recipe(name))
    losses = []
    for _ in range(2):
        losses.append(float(module(clips(0), clips(1))[0]["prednext"].detach()))
        assert module.momentum_encoder is not None
        with torch.no_grad():
            for parameter in module.momentum_encoder.parameters():
                parameter.mul_(-1.5)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_predictor_of_simsiam_is_a_bottleneck() -> None:
    published = {"simsiam": 16, "byol": 256}  # a quarter of the features; the projector's hidden
    for name, size in published.items():
        objective = ObjectiveOptions(name=name)  # type: ignore[arg-type]
        assert objective.predictor_size == size
        assert objective.model_copy(update={"predictor": 5}).predictor_size == 5
    shipped = [load_recipe(name, kind="pretraining") for name in list_recipes("pretraining")]
    for each in shipped:
        objective = each.objective.model_copy(update={"name": "simsiam"})
        assert objective.predictor_size < objective.projector[-1]


@pytest.mark.parametrize("steps", [2, 20, 100, 312, 5000])
def test_the_momentum_encoder_forgets_the_initial_weights(steps: int) -> None:
    # From 0.99, 312 steps leave 21 % of the untrained network; now at most 5 %.
    momenta = [momentum_schedule(0.99, step, steps) for step in range(1, steps)]
    assert np.prod(momenta) < 0.0501 or steps == 2
    assert all(0 <= m <= 1 for m in momenta) and momenta == sorted(momenta)
    assert momentum_schedule(0.99, steps, steps) == 1.0
    if steps == 5000:  # a long run starts as asked
        assert momentum_schedule(0.99, 0, steps) == pytest.approx(0.99)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_scaled_to_the_range_of_prednext(name: str) -> None:
    # Of features that say nothing: about what there is to gain, as 1 is of PredNext's cosines.
    module = learner(recipe(name, weight=0))
    with torch.no_grad():
        parts, _ = module(clips(0), None)
    nothing = {"simsiam": 0.0}.get(name, 1.0)
    assert abs(float(parts["objective"]) - nothing) < 0.8


def test_targets_do_not_update_batch_norm_statistics() -> None:
    with_it, without = learner(recipe("simclr")), learner(recipe("simclr", clip=False))
    for module, later in ((with_it, clips(1)), (without, None)):
        module(clips(0), later)
    assert weights(with_it.encoder) == weights(without.encoder)


def test_the_projector_removes_features_common_to_a_step() -> None:
    # Else features foretell the next step by saying which step it is.
    module, encoder = learner(recipe("simclr")), Mock(features=lambda values: values)
    features = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    clock = torch.tensor([0.0, 5.0, -2.0]).view(3, 1, 1)
    plain, timed = (
        torch.stack(project_views(encoder, module.projector, each))
        for each in (features, features + clock)
    )
    assert torch.allclose(plain, timed, atol=1e-4) and plain.std() > 0.1


def test_the_queue_holds_the_newest_keys() -> None:
    module = learner(recipe("moco", weight=0))
    before = module.queue.clone()
    for seed in range(3):  # 12 keys through 10 places
        module(clips(seed), None)
    last = module.queue.clone()
    assert int(module.num_queued) == 12 and not (before == last).all(dim=1).any()
    module.eval()(clips(3), None)
    assert torch.equal(module.queue, last)


def test_forced_consistency_is_a_loss_of_its_own() -> None:
    settings = recipe("simsiam", weight=0)
    objective = settings.objective.model_copy(update={"consistency_weight": 0.5})
    parts, _ = learner(settings.model_copy(update={"objective": objective}))(clips(0), None)
    assert (
        set(parts) == {"objective", "consistency"} and 0 < float(parts["consistency"].detach()) < 1
    )


def test_clips_depend_on_seed_epoch_and_video() -> None:
    pairs = ClipPairDataset(VIDEOS, recipe().clips, 0, later=True)
    now, later = pairs.__getitems__([12 + 5, 24 + 5])
    again, _ = pairs.__getitems__([12 + 5])
    assert now.shape == later.shape == (3, 2, 1, 8, 8)
    assert torch.equal(now[:, :1], again) and not torch.equal(now, later)
    assert ClipPairDataset(VIDEOS, recipe().clips, 0, later=False).__getitems__([5])[1].numel() == 0


def test_the_second_view_can_be_of_the_later_clip() -> None:
    settings = recipe("simsiam", weight=0).model_dump()
    settings["views"] = {"crop": 1.0, "color": 0.0, "second": "later"}
    control = PretrainRecipe.model_validate(settings)
    assert control.needs_later_clip and not recipe("simsiam", weight=0).needs_later_clip
    module = PretrainingModule(control, learner(control))
    now, later = (clips(seed)[:, :4] for seed in (0, 1))
    views, none = module._make_view_pairs(now, later)
    first, second = views.chunk(2, dim=1)
    assert none is None
    for view, own, other in ((first, now, later), (second, later, now)):
        assert (view - own).abs().mean() < (view - other).abs().mean() / 2
    with pytest.raises(ValidationError, match="the control without PredNext"):
        PretrainRecipe.model_validate({**settings, "prednext": {"weight": 0.5}})


@pytest.mark.parametrize(("name", "frames"), [("digit-motions", 32), ("fashion-motions", 24)])
def test_recipes_of_short_videos_draw_clips_over_the_whole_video(name: str, frames: int) -> None:
    # A stride of 2 left three starts in 32 frames, and half of the video unseen by the gradient.
    options = load_recipe(name, kind="pretraining").clips
    generator = np.random.default_rng(0)
    starts = np.array([sample_clip_starts(frames, options, generator) for _ in range(2000)])
    seen, all_seen = starts[:, 0].max() + options.span, starts.max() + options.span
    assert starts.min() == 0 and all_seen == frames and seen >= 2 / 3 * frames
    assert len(np.unique(starts[:, 0])) >= 9
    assert len(np.unique(starts[:, 1] - starts[:, 0])) >= 9


def test_a_batch_larger_than_the_data_is_an_error(tmp_path: Path) -> None:
    settings = recipe()
    fit = settings.training.model_copy(update={"batch_size": 13})
    with pytest.raises(RecipeError, match="there are 12 videos, a step takes 13"):
        pretrain(settings.model_copy(update={"training": fit}), VIDEOS, tmp_path)


@pytest.mark.parametrize("name", list_recipes("pretraining"))
def test_shipped_recipes_are_valid(name: str) -> None:
    assert load_recipe(name, kind="pretraining").prednext.weight > 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("views.flip=true", "change the motion of an object"),
        ("views.rotate=45", "change the motion of an object"),
        ("prednext.interval=8", "a clip has 8 timesteps"),
    ],
)
def test_contradictory_settings_are_an_error(change: str, fault: str) -> None:
    with pytest.raises(RecipeError, match=fault):
        load_recipe("digit-motions", [change], kind="pretraining")


def test_two_processes_have_the_loss_and_gradients_of_one(tmp_path: Path) -> None:
    done = called(
        [sys.executable, str(CHILD), str(tmp_path), "moco", "vicreg"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    for one, two in zip(*json.loads(done.stdout), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert two["statistics"] == pytest.approx(one["statistics"], rel=1e-4, abs=1e-6)
        assert two["gradient"] == pytest.approx(one["gradient"], rel=1e-3, abs=1e-6)
        assert np.abs(one["gradient"]).max() > 1e-4
