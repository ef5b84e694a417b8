"""Options of augmentation: table `[augment]` of a recipe. Imports no torch."""

from pydantic import Field

from ...runtime.config import Options


class AugmentOptions(Options):
    """Augmentation of training clips: table `[augment]` of a recipe.

    - `shift`: translate by up to so many pixels along each axis, with zero padding.
    - `flip`: mirror left to right with probability 1/2.
    - `cutout`: blank a square of so many pixels a side.
    - `rotate`, `shear`: rotate and shear by up to so many degrees.
    """

    shift: int = Field(default=0, ge=0)
    flip: bool = False
    cutout: int = Field(default=0, ge=0)
    rotate: float = Field(default=0.0, ge=0, le=180)
    shear: float = Field(default=0.0, ge=0, lt=90)
