"""Random augmentation of training clips, on the device that they are on.

One sample of the parameters holds for all timesteps of a clip. Random numbers come from torch's
global generator on the CPU, so that they are the same for every device; values stay integers.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .augment_options import AugmentOptions
from .rand_augment import nda, rand_augment

MAX_ASPECT = 4 / 3  # of a random resized crop


def augment(clips: Tensor, options: AugmentOptions, top: int = 1) -> Tensor:
    """Augment clips (timesteps, batch, channels, height, width) by `options`.

    Values are integers from 0 to `top`, a power of two less one: 1 for binary events.
    """
    if options.crop:
        clips = random_resized_crop(clips, options.crop, top)
    if options.flip:
        clips = random_flip(clips)
    clips = random_affine(clips, options.rotate, options.shear)
    clips = random_roll(random_shift(clips, options.shift), options.roll)
    if options.rand_augment:
        clips = rand_augment(clips, options.rand_augment, top)
    if options.nda:
        clips = nda(clips, options.nda)
    clips = cutout(clips, options.cutout)
    clips = warp_spectra(clips, options.frequency_warp, options.time_warp, top)
    return mask_spectra(clips, options.frequency_mask, options.time_mask)


def random_resized_crop(clips: Tensor, min_area: float, top: int) -> Tensor:
    """Cut a random rectangle out of each clip and resize it to the whole frame.

    Its area is `min_area` to 1 of the frame's, its aspect 3/4 to 4/3 of it, uniform in the
    logarithm, as far as the frame holds it. Binary events are sampled at the nearest pixel, other
    values bilinearly and rounded.
    """
    timesteps, batch, channels, height, width = clips.shape
    area = min_area + (1 - min_area) * torch.rand(batch)
    aspect = torch.exp((2 * torch.rand(batch) - 1) * math.log(MAX_ASPECT))
    sizes = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()]).clamp(max=1)  # x, y
    centers = (2 * torch.rand(2, batch) - 1) * (1 - sizes)
    matrix = torch.zeros(batch, 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1] = sizes
    matrix[:, :, 2] = centers.T
    grid = functional.affine_grid(matrix, [batch, 1, height, width], align_corners=False)
    merged = clips.transpose(0, 1).reshape(batch, timesteps * channels, height, width)
    mode = "nearest" if top == 1 else "bilinear"
    sampled = functional.grid_sample(merged, grid.to(clips), mode, "border", align_corners=False)
    resized = sampled.round().view(batch, timesteps, channels, height, width)
    return resized.transpose(0, 1).contiguous()


def random_roll(clips: Tensor, max_shift: int) -> Tensor:
    """Roll each clip by up to `max_shift` pixels along each axis, as TET does."""
    if not max_shift:
        return clips
    _, batch, _, height, width = clips.shape
    shifts = torch.randint(-max_shift, max_shift + 1, (batch, 2)).to(clips.device)
    rows = (torch.arange(height, device=clips.device) - shifts[:, :1]) % height
    columns = (torch.arange(width, device=clips.device) - shifts[:, 1:]) % width
    samples = torch.arange(batch, device=clips.device).view(-1, 1, 1)
    rolled = clips.permute(1, 3, 4, 0, 2)[samples, rows[:, :, None], columns[:, None, :]]
    return rolled.permute(3, 0, 4, 1, 2).contiguous()


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


def warp_spectra(clips: Tensor, frequency: float, time: float, top: int) -> Tensor:
    """Stretch the rows of each clip, and its columns, by factors of up to 1 + `frequency`, `time`.

    Factors are uniform in the logarithm, from 1 / (1 + w) to 1 + w. Row r comes from row r times
    the factor, and so do the columns of all timesteps side by side; behind the last one it is
    repeated. Values are interpolated and rounded, those of binary events taken from the nearest.
    """
    if not (frequency or time):
        return clips
    timesteps, batch, channels, height, width = clips.shape
    columns = timesteps * width
    limits = torch.tensor([[math.log1p(time)], [math.log1p(frequency)]])
    factors = torch.exp((2 * torch.rand(2, batch) - 1) * limits)
    x = torch.arange(columns) * factors[0][:, None]
    y = torch.arange(height) * factors[1][:, None]
    grid = torch.empty(batch, height, columns, 2)  # -1 and 1 are the centers of the outer values
    grid[..., 0] = (2 * x / max(columns - 1, 1) - 1)[:, None, :]
    grid[..., 1] = (2 * y / max(height - 1, 1) - 1)[:, :, None]
    merged = clips.permute(1, 2, 3, 0, 4).reshape(batch, channels, height, columns)
    mode = "nearest" if top == 1 else "bilinear"
    sampled = functional.grid_sample(merged, grid.to(clips), mode, "border", align_corners=True)
    warped = sampled.round().view(batch, channels, height, timesteps, width)
    return warped.permute(3, 0, 1, 2, 4).contiguous()


def mask_spectra(clips: Tensor, max_rows: int, max_columns: int) -> Tensor:
    """Zero up to `max_rows` neighboring rows, and up to `max_columns` neighboring columns.

    The columns are those of all timesteps side by side: windows of a spectrum in order of time.
    """
    timesteps, batch, _, height, width = clips.shape
    if max_rows:
        rows = _random_stripe(batch, height, max_rows).to(clips.device)
        clips = clips.masked_fill(rows[None, :, None, :, None], 0)
    if max_columns:
        columns = _random_stripe(batch, timesteps * width, max_columns).to(clips.device)
        columns = columns.view(batch, timesteps, width).transpose(0, 1)
        clips = clips.masked_fill(columns[:, :, None, None, :], 0)
    return clips


def _random_stripe(batch: int, size: int, max_width: int) -> Tensor:
    """Mark 0 to `max_width` neighboring positions of each sample, bool (batch, size)."""
    widths = torch.randint(0, min(max_width, size) + 1, (batch, 1))
    first = (torch.rand(batch, 1) * (size - widths + 1)).floor()
    positions = torch.arange(size)
    return (positions >= first) & (positions < first + widths)
