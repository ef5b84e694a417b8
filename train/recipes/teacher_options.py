"""Options of the models that a network learns from: table `[teacher]` of a recipe."""

from typing import Literal

from pydantic import Field

from ...runtime.config import Options


class TeacherOptions(Options):
    """Frozen models whose predictions are targets; of several, the mean probability is.

    - `models`: run folders or `.safetensors` files of trained networks, or torch modules as
      `FILE.py:NAME` or `PACKAGE.MODULE:NAME`, whose code is executed.
    - `input`: what torch modules read: "events", (timesteps, batch, *shape), for logits (timesteps,
      batch, classes), or "mean_frame", the mean over time (batch, *shape), for logits (batch,
      classes), as networks without spikes do.
    """

    models: tuple[str, ...] = Field(min_length=1)
    input: Literal["events", "mean_frame"] = "mean_frame"
