"""RandAugment and NDA: random operations on each clip of a batch.

Cubuk et al., arXiv 1909.13719, with the operations and strengths of torchvision's implementation;
the operations on values are those of PIL. All timesteps of a clip get the same operation. Clips are
float tensors of integers from 0 to `top`, a power of two less one.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from .augment_options import NdaOptions, RandAugmentOptions

BINS = 30  # the largest magnitude
SPATIAL = ("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate")
ENHANCE = ("brightness", "color", "contrast", "sharpness")
TONAL = (*ENHANCE, "posterize", "solarize", "autocontrast", "equalize")
LUMA = (0.299, 0.587, 0.114)


def rand_augment(clips: Tensor, options: RandAugmentOptions, top: int) -> Tensor:
    """Apply random operations to each clip of (timesteps, batch, channels, height, width).

    With `top` = 1, binary events, only the operations of space are drawn.
    """
    names = SPATIAL if top == 1 else SPATIAL + TONAL
    strength = options.magnitude / BINS
    samples = []
    for clip in clips.unbind(dim=1):
        for _ in range(options.operations):
            name = names[int(torch.randint(len(names), ()))]
            signed = strength if float(torch.rand(())) < 0.5 else -strength
            clip = apply_operation(clip, name, signed, top)
        samples.append(clip)
    return torch.stack(samples, dim=1)


def apply_operation(clip: Tensor, name: str, strength: float, top: int) -> Tensor:
    """Apply one operation to a clip (timesteps, channels, height, width); strength is -1 to 1."""
    if name == "identity":
        return clip
    if name in SPATIAL:
        return warp(clip, _inverse_matrix(name, strength, clip.shape[-2:]))
    size = abs(strength)
    if name in ENHANCE:
        return _enhance(clip, name, 1 + 0.9 * strength, top)
    if name == "posterize":
        bits = top.bit_length()
        dropped = bits - max(1, bits - round(4 * size))
        unit = float(2**dropped)
        return (clip / unit).floor() * unit
    if name == "solarize":
        return torch.where(clip >= (top + 1) * (1 - size), top - clip, clip)
    return autocontrast(clip, top) if name == "autocontrast" else equalize(clip, top)


def _inverse_matrix(name: str, strength: float, size: torch.Size) -> Tensor:
    """Map from coordinates of the output to those of the source, in pixels from the center."""
    matrix = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    if name == "rotate":
        angle = math.radians(30 * strength)
        matrix[:, :2] = torch.tensor(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
    elif name == "shear_x":
        matrix[0, 1] = 0.3 * strength
    elif name == "shear_y":
        matrix[1, 0] = 0.3 * strength
    elif name == "translate_x":
        matrix[0, 2] = round(150 / 331 * strength * size[1])
    else:
        matrix[1, 2] = round(150 / 331 * strength * size[0])
    return matrix


def warp(clip: Tensor, matrix: Tensor) -> Tensor:
    """Sample a clip at the nearest pixel of `matrix` @ (x, y, 1), zeros outside."""
    height, width = clip.shape[-2:]
    scaled = matrix.clone()
    scaled[0, 1] *= height / width  # grid coordinates are -1 to 1 on both axes
    scaled[1, 0] *= width / height
    scaled[:, 2] *= torch.tensor([2 / width, 2 / height])
    grid = functional.affine_grid(scaled[None], [1, 1, height, width], align_corners=False)
    merged = clip.reshape(1, -1, height, width)
    warped = functional.grid_sample(merged, grid.to(clip), "nearest", "zeros", align_corners=False)
    return warped.view(clip.shape)


def _enhance(clip: Tensor, name: str, factor: float, top: int) -> Tensor:
    """Move away from (factor > 1) or towards a gray, black or smooth image, rounded."""
    if name == "brightness":
        reference = torch.zeros_like(clip)
    elif name == "sharpness":
        reference = _smooth(clip)
    else:
        gray = _to_gray(clip)
        means = gray.mean(dim=(-3, -2, -1), keepdim=True)
        reference = gray if name == "color" else (means + 0.5).floor()
    return (reference + factor * (clip - reference)).clamp(0, top).round()


def _to_gray(clip: Tensor) -> Tensor:
    if clip.shape[1] != 3:
        return clip.mean(dim=1, keepdim=True).round()
    weights = torch.tensor(LUMA, device=clip.device).view(1, 3, 1, 1)
    return (clip * weights).sum(dim=1, keepdim=True).round()


def _smooth(clip: Tensor) -> Tensor:
    """PIL's smoothing: weights 1 around 5, over 13; the border stays as it is."""
    kernel = torch.ones(1, 1, 3, 3, device=clip.device)
    kernel[0, 0, 1, 1] = 5
    merged = clip.reshape(-1, 1, *clip.shape[-2:])
    smooth = functional.conv2d(merged, kernel / 13).round().view(*clip.shape[:2], *_inner(clip))
    result = clip.clone()
    result[..., 1:-1, 1:-1] = smooth
    return result


def _inner(clip: Tensor) -> tuple[int, int]:
    return clip.shape[-2] - 2, clip.shape[-1] - 2


def autocontrast(clip: Tensor, top: int) -> Tensor:
    """Stretch each channel to the whole range; channels of one value stay."""
    low = clip.amin(dim=(-2, -1), keepdim=True)
    high = clip.amax(dim=(-2, -1), keepdim=True)
    scale = top / (high - low).clamp(min=1)
    return torch.where(high > low, ((clip - low) * scale).floor().clamp(0, top), clip)


def equalize(clip: Tensor, top: int) -> Tensor:
    """Equalize the histogram of each channel of each image, as PIL does."""
    flat = clip.reshape(-1, clip.shape[-2] * clip.shape[-1]).long()
    counts = torch.zeros(len(flat), top + 1, dtype=torch.long, device=clip.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat))
    last = counts.gather(1, flat.amax(dim=1, keepdim=True))
    step = (counts.sum(dim=1, keepdim=True) - last) // top
    before = counts.cumsum(dim=1) - counts
    table = ((before + step // 2) // step.clamp(min=1)).clamp(max=top)
    table = torch.where(step > 0, table, torch.arange(top + 1, device=clip.device))
    return table.gather(1, flat).view(clip.shape).to(clip.dtype)


def nda(clips: Tensor, options: NdaOptions) -> Tensor:
    """Apply random operations of NDA to each clip; arguments as of `rand_augment`."""
    operations: list[Callable[[Tensor], Tensor]] = [
        lambda clip: _roll(clip, options.roll),
        lambda clip: warp(clip, _turn(options.rotate)),
        lambda clip: warp(clip, _slant(options.shear)),
        lambda clip: _blank(clip, options.cutout),
    ]
    samples = []
    for clip in clips.unbind(dim=1):
        for _ in range(options.operations):
            clip = operations[int(torch.randint(len(operations), ()))](clip)
        samples.append(clip)
    return torch.stack(samples, dim=1)


def _draw_symmetric(limit: float) -> float:
    return float(2 * torch.rand(()) - 1) * limit


def _roll(clip: Tensor, limit: int) -> Tensor:
    down, right = torch.randint(-limit, limit + 1, (2,)).tolist()
    return clip.roll((down, right), dims=(-2, -1))


def _turn(limit: float) -> Tensor:
    angle = math.radians(_draw_symmetric(limit))
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0]])


def _slant(limit: float) -> Tensor:
    return torch.tensor(
        [[1.0, math.tan(math.radians(_draw_symmetric(limit))), 0.0], [0.0, 1.0, 0.0]]
    )


def _blank(clip: Tensor, limit: int) -> Tensor:
    side = int(torch.randint(limit + 1, ()))
    height, width = clip.shape[-2:]
    row, column = (int(torch.randint(size, ())) - side // 2 for size in (height, width))
    result = clip.clone()
    result[..., max(0, row) : max(0, row + side), max(0, column) : max(0, column + side)] = 0
    return result
