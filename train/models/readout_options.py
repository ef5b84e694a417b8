"""Options of the readout: table `[readout]` of a recipe. Imports no torch."""

from typing import Literal

from pydantic import Field

from ...runtime.config import Options


class ReadoutOptions(Options):
    """Rule that turns voltages of the read-out into predictions, in every architecture.

    - `decision`: "last", the voltages after the timesteps so far; "max", the largest of each class
      so far (max over time); "length", those after the last timestep in which the sample has an
      input, for samples padded to one length; "mean", what a timestep adds on average. By default
      "last" for classes and "mean" for a regression.
    - `leak`: fraction of the voltage of the read-out lost per step; by default as the network has
      it, 0.
    """

    decision: Literal["last", "mean", "max", "length"] | None = None
    leak: float | None = Field(default=None, ge=0, lt=1)
