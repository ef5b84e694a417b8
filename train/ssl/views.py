"""Views: a clip varied at random, by one draw for all its time steps, on whatever device it is."""

from collections.abc import Callable
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ...runtime.errors import MissingPackage

ASPECT_RATIO = (3 / 4, 4 / 3)  # of what is cropped, width to height
BLUR_SIGMA = (0.1, 2.0)  # standard deviation in pixels


class ViewOptions(BaseModel):
    """How a view differs from its clip.

    A part of `crop` or more of the image's area is enlarged to its size; half of the views are
    mirrored left to right with `flip`, and turned by up to `rotate` degrees. `colour` varies
    brightness and contrast by up to that share, and with three channels saturation by as much and
    hue by a quarter of it; the share `grey` of them loses its colours, `blur` is blurred. `noise`
    is the standard deviation of noise on each value. Events are cropped and mirrored alone.

    Leave out what changes a label: a mirrored motion to the left is one to the right.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    crop: float = Field(default=0.5, gt=0, le=1)
    flip: bool = False
    rotate: float = Field(default=0.0, ge=0, le=180)
    color: float = Field(default=0.4, ge=0, le=1)
    grayscale: float = Field(default=0.0, ge=0, le=1)
    blur: float = Field(default=0.0, ge=0, le=1)
    noise: float = Field(default=0.0, ge=0)


Augmentation = Callable[[Tensor], Tensor]


def make_augmentation(
    options: ViewOptions, shape: tuple[int, ...], value_bits: int
) -> Augmentation:
    """Return what makes a view of clips (timesteps, samples, *shape) of whole numbers.

    Views are whole numbers of `value_bits` bits in the same float type. Draws come from torch's
    global generator, one for each clip. Raises `MissingPackage` without kornia.
    """
    moved = _make_geometric(options, shape, exact=value_bits == 1)
    coloured = _make_color(options, shape[0]) if value_bits > 1 else None
    largest = (1 << value_bits) - 1

    def vary(clips: Tensor) -> Tensor:
        timesteps, samples, channels = clips.shape[:3]
        folded = clips.transpose(0, 1).flatten(1, 2) / largest  # time among channels: one draw
        seen = moved(folded).view(samples, timesteps, channels, *shape[1:])
        if coloured is not None:
            seen = coloured(seen)
            if options.noise:
                seen = seen + options.noise * torch.randn_like(seen)
        return (seen.transpose(0, 1).clamp(0, 1) * largest).round()

    return vary


def _make_geometric(options: ViewOptions, shape: tuple[int, ...], exact: bool) -> Augmentation:
    kornia = _import_kornia()
    size = shape[1], shape[2]
    resample = "NEAREST" if exact else "BILINEAR"
    parts = [
        kornia.RandomResizedCrop(size, (options.crop, 1.0), ASPECT_RATIO, resample=resample, p=1.0)
    ]
    if options.flip:
        parts.append(kornia.RandomHorizontalFlip(p=0.5))
    if options.rotate and not exact:
        parts.append(kornia.RandomRotation(options.rotate, p=1.0))
    return _compose(parts)


def _make_color(options: ViewOptions, channels: int) -> Augmentation:
    """Return what takes (samples, timesteps, channels, height, width), 0 to 1."""
    kornia = _import_kornia()
    most = options.color
    if channels != 3:
        span = 1 - most, 1 + most
        grey = [kornia.RandomBrightness(span, p=1.0), kornia.RandomContrast(span, p=1.0)]
        grey += (
            [kornia.RandomGaussianBlur((3, 3), BLUR_SIGMA, p=options.blur)] if options.blur else []
        )
        chained = _compose(grey)
        return lambda clips: chained(clips.flatten(1, 2)).view_as(clips)
    parts = [
        kornia.ColorJiggle(most, most, most, most / 4, p=1.0),
        kornia.RandomGrayscale(p=options.grayscale),
        kornia.RandomGaussianBlur((3, 3), BLUR_SIGMA, p=options.blur),
    ]
    whole: Augmentation = kornia.VideoSequential(*parts, data_format="BTCHW", same_on_frame=True)
    return whole


def _compose(parts: list[Augmentation]) -> Augmentation:
    def each(values: Tensor) -> Tensor:
        for part in parts:
            values = part(values)
        return values

    return each


def _import_kornia() -> Any:
    try:
        from kornia import augmentation
    except ImportError as error:
        raise MissingPackage("views need kornia: pip install 'pumice[train]'") from error
    return augmentation
