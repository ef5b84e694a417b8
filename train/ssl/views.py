"""Random views of clips for self-supervised learning: one draw for all timesteps, on any device."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...runtime.errors import MissingPackage
from .options import ViewOptions

ASPECT_RATIO = (3 / 4, 4 / 3)  # width to height of a crop
BLUR_SIGMA = (0.1, 2.0)  # pixels


Augmentation = Callable[[Tensor], Tensor]


def make_augmentation(
    options: ViewOptions, shape: tuple[int, ...], value_bits: int
) -> Augmentation:
    """Create the function that makes a view of clips (timesteps, samples, *shape).

    Clips and views hold integers of `value_bits` bits in a float tensor. Draws come from torch's
    global generator, one per clip. Raises `MissingPackage` without kornia.
    """
    geometric = _make_geometric(options, shape, exact=value_bits == 1)
    color = _make_color(options, shape[0]) if value_bits > 1 else None
    max_value = (1 << value_bits) - 1

    def make_view(clips: Tensor) -> Tensor:
        timesteps, samples, channels = clips.shape[:3]
        merged = clips.transpose(0, 1).flatten(1, 2) / max_value  # time among channels: one draw
        view = geometric(merged).view(samples, timesteps, channels, *shape[1:])
        if color is not None:
            view = color(view)
            if options.noise:
                view = view + options.noise * torch.randn_like(view)
        return (view.transpose(0, 1).clamp(0, 1) * max_value).round()

    return make_view


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
    """Color jitter of (samples, timesteps, channels, height, width), values 0 to 1."""
    kornia = _import_kornia()
    strength = options.color
    if channels != 3:
        span = 1 - strength, 1 + strength
        parts = [kornia.RandomBrightness(span, p=1.0), kornia.RandomContrast(span, p=1.0)]
        if options.blur:
            parts.append(kornia.RandomGaussianBlur((3, 3), BLUR_SIGMA, p=options.blur))
        jitter = _compose(parts)
        return lambda clips: jitter(clips.flatten(1, 2)).view_as(clips)
    parts = [
        kornia.ColorJiggle(strength, strength, strength, strength / 4, p=1.0),
        kornia.RandomGrayscale(p=options.grayscale),
        kornia.RandomGaussianBlur((3, 3), BLUR_SIGMA, p=options.blur),
    ]
    sequence: Augmentation = kornia.VideoSequential(*parts, data_format="BTCHW", same_on_frame=True)
    return sequence


def _compose(parts: list[Augmentation]) -> Augmentation:
    def apply_all(values: Tensor) -> Tensor:
        for part in parts:
            values = part(values)
        return values

    return apply_all


def _import_kornia() -> Any:
    try:
        from kornia import augmentation
    except ImportError as error:
        raise MissingPackage("views need kornia: pip install 'pumice[train]'") from error
    return augmentation
