"""Which part of an image matters: chosen by where a network's map is high, without training, and cut out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FINER = 8  # cells of the smoothed map for each of the network's
KERNEL = (7, 9, 9)  # frames, rows and columns of the smoothing
STEP = 28  # pixels from one size of a region to the next


def find_regions(maps: Tensor, size: tuple[int, int], side: int, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the centres (B, T, 2) of the regions of frames, as fractions of height and width, and their sides (B, T).

    The smallest square counts that holds more than ``threshold`` of all there is, where it holds most; where none does,
    the largest, in the middle. Nothing here waits for a device.

    maps : (B, T, h, w), how much there is at each place
    size : height and width of the images that are cut, in pixels
    side : of the smallest square, in pixels
    """
    fine = smooth_map(maps)
    height, width = fine.shape[-2:]
    sides = range(side, min(size), STEP) if threshold > 0 else range(side, side + 1)
    masses, centres = [], []
    for each in sides:
        rows, columns = (_cells(each, *axis) for axis in zip((height, width), size, strict=True))
        boxes = F.avg_pool2d(fine, (rows, columns), stride=1) * (rows * columns)
        mass, at = boxes.flatten(2).max(-1)
        row, column = at // boxes.shape[-1], at % boxes.shape[-1]
        masses.append(mass)
        centres.append(torch.stack(((row + rows // 2) / height, (column + columns // 2) / width), -1))
    enough = torch.stack(masses) > threshold  # (sizes, B, T)
    first = enough.int().argmax(0)
    none = ~enough.any(0)
    centre = torch.stack(centres).gather(0, first[None, ..., None].expand(1, -1, -1, 2))[0]
    chosen = torch.where(none, sides[-1], sides.start + STEP * first)
    return torch.where(none[..., None], torch.full_like(centre, 0.5), centre), chosen


def smooth_map(maps: Tensor) -> Tensor:
    """Return maps (B, T, h, w) from 0 to 1, made finer and smooth in time and place, each with a sum of one."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    maps = (maps - low) / (high - low).clamp(min=1e-6)
    fine = maps.repeat_interleave(FINER, -2).repeat_interleave(FINER, -1)
    for _ in range(2):
        for axis, kernel in enumerate(KERNEL, start=1):
            fine = _smooth(fine, axis, kernel)
    return fine / fine.sum((-2, -1), keepdim=True).clamp(min=1e-12)


def cut_regions(images: Tensor, centres: Tensor, sides: Tensor, side: int) -> Tensor:
    """Return the regions of images (N, C, H, W), scaled to ``side`` pixels; they lie wholly inside.

    centres : (N, 2), fractions of height and width; sides : (N,) pixels
    """
    half = sides // 2
    pixel = (torch.arange(side, device=images.device) + 0.5) / side
    within = (pixel * sides[:, None] - 0.5).clamp(min=0).minimum((sides - 1)[:, None])  # (N, side)
    rows, columns = (
        2 * (_inside(centres[:, axis], size, half)[:, None] + within) / (size - 1) - 1
        for axis, size in enumerate(images.shape[-2:])
    )
    grid = torch.stack((columns[:, None].expand(-1, side, -1), rows[:, :, None].expand(-1, -1, side)), -1)
    return F.grid_sample(images, grid.to(images.dtype), align_corners=True)


def _inside(centre: Tensor, size: int, half: Tensor) -> Tensor:
    """Return the first pixels (N,) of squares around ``centre`` that lie wholly inside."""
    return (centre * size).long().minimum(size - half - 1).maximum(half) - half


def _cells(side: int, cells: int, pixels: int) -> int:
    """Return how many cells of a map a square spans, an odd number, so that one is in its middle."""
    return min(side * cells // pixels // 2 * 2 + 1, cells - 1 + cells % 2)


def _smooth(x: Tensor, axis: int, kernel: int) -> Tensor:
    """Average along an axis by a Gaussian, mirrored at both ends, however short the axis is."""
    count, reach = x.shape[axis], kernel // 2
    offset = torch.arange(-reach, reach + 1, device=x.device)
    weight = torch.exp(-0.5 * (offset / (kernel / 4)) ** 2)
    period = max(1, 2 * (count - 1))
    index = (torch.arange(count, device=x.device)[:, None] + offset) % period
    index = torch.minimum(index, period - index).clamp(max=count - 1)  # (count, kernel)
    matrix = torch.zeros(count, count, device=x.device).scatter_add_(
        1, index, (weight / weight.sum()).expand(index.shape)
    )
    return (x.transpose(axis, -1) @ matrix.T.to(x.dtype)).transpose(axis, -1)
