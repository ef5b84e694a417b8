"""Random augmentation of training clips, on the device that they are on.

One sample of the parameters holds for all timesteps of a clip. Random numbers come from torch's
global generator on the CPU, so that they are the same for every device; values stay integers.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .augment_options import AugmentOptions


def augment(clips: Tensor, options: AugmentOptions) -> Tensor:
    """Augment clips (timesteps, batch, channels, height, width) by `options`."""
    if options.flip:
        clips = random_flip(clips)
    clips = random_affine(clips, options.rotate, options.shear)
    return cutout(random_shift(clips, options.shift), options.cutout)


def random_shift(clips: Tensor, max_shift: int) -> Tensor:
    """Shift each clip by up to `max_shift` pixels along each axis, with zero padding."""
    if not max_shift:
        return clips
    _, batch, _, height, width = clips.shape
    shifts = torch.randint(0, 2 * max_shift + 1, (batch, 2)).to(clips.device)
    padded = functional.pad(clips, (max_shift,) * 4)
    rows = shifts[:, :1] + torch.arange(height, device=clips.device)
    columns = shifts[:, 1:] + torch.arange(width, device=clips.device)
    samples = torch.arange(batch, device=clips.device).view(-1, 1, 1)
    # Indexing batch, rows and columns together puts them first: (batch, h, w, timesteps, channels).
    shifted = padded.permute(1, 3, 4, 0, 2)[samples, rows[:, :, None], columns[:, None, :]]
    return shifted.permute(3, 0, 4, 1, 2).contiguous()


def random_flip(clips: Tensor) -> Tensor:
    """Flip each clip horizontally with probability 1/2."""
    chosen = torch.rand(clips.shape[1]).to(clips.device) < 0.5
    return torch.where(chosen.view(1, -1, 1, 1, 1), clips.flip(-1), clips)


def random_affine(clips: Tensor, rotate: float, shear: float) -> Tensor:
    """Rotate and shear each clip about its center by up to `rotate` and `shear` degrees.

    Nearest-neighbor sampling, zeros outside.
    """
    if not (rotate or shear):
        return clips
    timesteps, batch, channels, height, width = clips.shape
    angle, slant = torch.deg2rad((2 * torch.rand(2, batch) - 1) * torch.tensor([[rotate], [shear]]))
    zero = torch.zeros(batch)
    # Source coordinates of an output pixel, x then y, in pixels from the center.
    rows = [[angle.cos(), slant.tan() - angle.sin(), zero], [angle.sin(), angle.cos(), zero]]
    matrix = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)
    matrix[:, 0, 1] *= height / width  # grid coordinates are -1 to 1 on both axes
    matrix[:, 1, 0] *= width / height
    grid = functional.affine_grid(matrix, [batch, 1, height, width], align_corners=False)
    merged = clips.transpose(0, 1).reshape(batch, timesteps * channels, height, width)
    sampled = functional.grid_sample(
        merged, grid.to(clips), "nearest", "zeros", align_corners=False
    )
    return sampled.view(batch, timesteps, channels, height, width).transpose(0, 1).contiguous()


def cutout(clips: Tensor, side: int) -> Tensor:
    """Zero a square of `side` pixels of each clip, centered on a random pixel."""
    if not side:
        return clips
    _, batch, _, height, width = clips.shape
    centers = (torch.rand(batch, 2) * torch.tensor([height, width])).floor()
    first = (centers - math.floor(side / 2)).to(clips.device)
    rows = torch.arange(height, device=clips.device) - first[:, :1]
    columns = torch.arange(width, device=clips.device) - first[:, 1:]
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[
        :, None
    ]
    return clips.masked_fill(inside[None, :, None], 0)
