"""Variation of training clips, on whatever device they are."""

import torch
from torch import Tensor
from torch.nn import functional


def shifted(clips: Tensor, largest: int) -> Tensor:
    """Move each clip by its own draw of up to `largest` pixels along each axis, zeros coming in.

    `clips` is (timesteps, batch, channels, height, width); one draw holds for all its time steps.
    Draws come from torch's global generator on the CPU, so that every device sees the same.
    """
    if not largest:
        return clips
    timesteps, batch, channels, height, width = clips.shape
    moves = torch.randint(0, 2 * largest + 1, (batch, 2)).to(clips.device)
    padded = functional.pad(clips, (largest,) * 4)
    rows = moves[:, :1] + torch.arange(height, device=clips.device)
    columns = moves[:, 1:] + torch.arange(width, device=clips.device)
    samples = torch.arange(batch, device=clips.device).view(-1, 1, 1)
    # Indexing batch, rows and columns together puts them first: (batch, h, w, timesteps, channels).
    moved = padded.permute(1, 3, 4, 0, 2)[samples, rows[:, :, None], columns[:, None, :]]
    return moved.permute(3, 0, 4, 1, 2).contiguous()
