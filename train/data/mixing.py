"""Mixing of samples and labels in a batch: mixup, CutMix, EventMix.

Clips are (timesteps, batch, channels, height, width) and stay integers; labels become the
probabilities of classes, (batch, classes). Random numbers come from torch's global generator on the
CPU.
"""

import torch
from torch import Tensor
from torch.nn import functional

from .augment_options import MixOptions

BLOBS = 4  # normal distributions whose sum makes EventMix's region


def mix(clips: Tensor, labels: Tensor, classes: int, options: MixOptions) -> tuple[Tensor, Tensor]:
    """Mix each sample of a batch with another one, by `options`.

    `labels` is int64 (batch,); returns the clips and float32 probabilities (batch, classes).
    """
    targets = functional.one_hot(labels, classes).float()
    kinds = options.kinds
    if not kinds or float(torch.rand(())) >= options.probability:
        return clips, targets
    name = list(kinds)[int(torch.randint(len(kinds), ()))]
    fraction = sample_beta(kinds[name])
    order = torch.randperm(len(labels))
    order = order.to(clips.device)
    other = clips[:, order]
    if name == "mixup":
        mixed, kept = mixup(clips, other, fraction), torch.full((len(labels),), fraction)
    elif name == "cutmix":
        mixed, kept = cutmix(clips, other, fraction)
    else:
        mixed, kept = event_mix(clips, other, fraction)
    weight = kept.to(targets)[:, None]
    return mixed, weight * targets + (1 - weight) * targets[order]


def sample_beta(alpha: float) -> float:
    """Draw from Beta(alpha, alpha) with torch's global generator on the CPU."""
    pair = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64))
    total = float(pair.sum())
    return float(pair[0]) / total if total > 0 else 0.5  # both underflow for tiny alpha


def mixup(clips: Tensor, other: Tensor, fraction: float) -> Tensor:
    """Weighted sum of clips, rounded to integers: `fraction` of the first."""
    return (fraction * clips + (1 - fraction) * other).round()


def cutmix(clips: Tensor, other: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """Replace a rectangle of about 1 - `fraction` of the frame.

    Returns the clips and the fraction of the frame that each keeps, (batch,).
    """
    height, width = clips.shape[-2:]
    side = (1 - fraction) ** 0.5
    center = torch.rand(2)
    (top, bottom), (left, right) = (
        _clip_interval(float(middle), side, size)
        for middle, size in zip(center, (height, width), strict=True)
    )
    mixed = clips.clone()
    mixed[..., top:bottom, left:right] = other[..., top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, torch.full((clips.shape[1],), kept)


def _clip_interval(center: float, fraction: float, size: int) -> tuple[int, int]:
    first = round(center * size - fraction * size / 2)
    last = round(center * size + fraction * size / 2)
    return max(0, first), min(size, last)


def event_mix(clips: Tensor, other: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """Replace the region where a random density of space and time is among the highest.

    The density is a sum of normal distributions at random places; the region is 1 - `fraction` of
    all pixels and timesteps. Returns the clips and the fraction of each clip's events, summed
    values, that comes from itself, (batch,).
    """
    timesteps, _, _, height, width = clips.shape
    region = random_region((timesteps, height, width), 1 - fraction).to(clips.device)
    region = region[:, None, None]
    mixed = torch.where(region, other, clips)
    own = clips.masked_fill(region, 0).sum(dim=(0, 2, 3, 4))
    total = mixed.sum(dim=(0, 2, 3, 4))
    return mixed, torch.where(total > 0, own / total.clamp(min=1), torch.full_like(own, fraction))


def random_region(shape: tuple[int, int, int], fraction: float) -> Tensor:
    """Draw a region of about `fraction` of (timesteps, height, width), bool."""
    centers, widths = torch.rand(BLOBS, 3), 0.1 + 0.4 * torch.rand(BLOBS, 3)
    density = torch.zeros(shape)
    axes = [(torch.arange(size) + 0.5) / size for size in shape]
    for center, width in zip(centers, widths, strict=True):
        t, y, x = (
            torch.exp(-(((axis - middle) / spread) ** 2) / 2)
            for axis, middle, spread in zip(axes, center, width, strict=True)
        )
        density += t[:, None, None] * y[:, None] * x
    count = round(fraction * density.numel())
    if not count:
        return torch.zeros(shape, dtype=torch.bool)
    return density >= density.flatten().topk(count).values[-1]
