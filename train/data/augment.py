"""Variation of training clips, on whatever device they are.

One draw holds for all time steps of a clip. Draws come from torch's global generator on the CPU, so
that every device sees the same; values stay whole numbers.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ..engine.training_config import AugmentOptions


def augment(clips: Tensor, options: AugmentOptions) -> Tensor:
    """Return `clips` (timesteps, batch, channels, height, width) as `options` vary them."""
    if options.flip:
        clips = random_flip(clips)
    clips = random_affine(clips, options.rotate, options.shear)
    return cutout(random_shift(clips, options.shift), options.cutout)


def random_shift(clips: Tensor, max_shift: int) -> Tensor:
    """Move each clip by its own draw of up to `largest` pixels along each axis, zeros coming in."""
    if not max_shift:
        return clips
    _, batch, _, height, width = clips.shape
    moves = torch.randint(0, 2 * max_shift + 1, (batch, 2)).to(clips.device)
    padded = functional.pad(clips, (max_shift,) * 4)
    rows = moves[:, :1] + torch.arange(height, device=clips.device)
    columns = moves[:, 1:] + torch.arange(width, device=clips.device)
    samples = torch.arange(batch, device=clips.device).view(-1, 1, 1)
    # Indexing batch, rows and columns together puts them first: (batch, h, w, timesteps, channels).
    moved = padded.permute(1, 3, 4, 0, 2)[samples, rows[:, :, None], columns[:, None, :]]
    return moved.permute(3, 0, 4, 1, 2).contiguous()


def random_flip(clips: Tensor) -> Tensor:
    """Mirror each clip left to right with a chance of one half."""
    chosen = torch.rand(clips.shape[1]).to(clips.device) < 0.5
    return torch.where(chosen.view(1, -1, 1, 1, 1), clips.flip(-1), clips)


def random_affine(clips: Tensor, rotate: float, shear: float) -> Tensor:
    """Turn and slant each clip about its centre by draws of up to so many degrees either way.

    A pixel takes the nearest value, those from outside zero.
    """
    if not (rotate or shear):
        return clips
    timesteps, batch, channels, height, width = clips.shape
    angle, slant = torch.deg2rad((2 * torch.rand(2, batch) - 1) * torch.tensor([[rotate], [shear]]))
    nothing = torch.zeros(batch)
    # Where a pixel of the result is looked up, x then y, in pixels from the centre.
    rows = [[angle.cos(), slant.tan() - angle.sin(), nothing], [angle.sin(), angle.cos(), nothing]]
    matrix = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)
    matrix[:, 0, 1] *= height / width  # grids run from -1 to 1 on both axes
    matrix[:, 1, 0] *= width / height
    grid = functional.affine_grid(matrix, [batch, 1, height, width], align_corners=False)
    merged = clips.transpose(0, 1).reshape(batch, timesteps * channels, height, width)
    found = functional.grid_sample(merged, grid.to(clips), "nearest", "zeros", align_corners=False)
    return found.view(batch, timesteps, channels, height, width).transpose(0, 1).contiguous()


def cutout(clips: Tensor, side: int) -> Tensor:
    """Blank a square of `side` pixels of each clip, around a pixel drawn anywhere in it."""
    if not side:
        return clips
    _, batch, _, height, width = clips.shape
    centres = (torch.rand(batch, 2) * torch.tensor([height, width])).floor()
    first = (centres - math.floor(side / 2)).to(clips.device)
    rows = torch.arange(height, device=clips.device) - first[:, :1]
    columns = torch.arange(width, device=clips.device) - first[:, 1:]
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[
        :, None
    ]
    return clips.masked_fill(inside[None, :, None], 0)
