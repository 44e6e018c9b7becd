"""Draw the pitch from above: its lines, the outline of what the camera sees, a dot of shirt colour for each player."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spotter.data.players import PLAYER, VIEW

HEIGHT, WIDTH = 32, 64  # pixels
LENGTH, BREADTH = 105.0, 68.0  # of a pitch, in metres
SHARE, CENTRE = 0.95, 0.525  # of the image that the pitch takes, and where its middle lies, as published
STEPS = 2 * WIDTH  # points of a line
BYTE = 127.0


class TopView(nn.Module):
    """Draw rows (B, T, columns) of ``spotter.data.players`` as images (B, T, 3, 32, 64) from -1 to 1.

    Where a frame is not calibrated the image is black. Players are 2 x 2 pixels, later ones over earlier ones.
    The published drawing of the lines is a file of its code; here they are drawn again, in white.
    """

    lines: Tensor

    def __init__(self, slots: int) -> None:
        super().__init__()
        self.slots = slots
        self.register_buffer("lines", pitch_lines(), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the images."""
        frames = rows.flatten(0, 1).float()
        view, players = frames[:, :VIEW], frames[:, VIEW:].view(len(frames), self.slots, PLAYER)
        calibrated = view[:, 0] > 0
        image = self.lines.repeat(len(frames), 1, 1)  # (N, 3, pixels)
        self._outline(image, view[:, 1:].reshape(-1, 4, 2))
        image = paint_players(image, players)
        image = torch.where(calibrated[:, None, None], image, -1.0)
        return image.view(*rows.shape[:2], 3, HEIGHT, WIDTH)

    def _outline(self, image: Tensor, corners: Tensor) -> None:
        """Draw a white line around what the camera sees, of which corners (N, 4, 2) are in metres."""
        begin = pixels(corners).clamp(-4.0 * WIDTH, 4.0 * WIDTH)
        way = begin.roll(-1, 1) - begin
        step = torch.linspace(0, 1, STEPS, device=image.device)[:, None]
        points = (begin[:, :, None] + step * way[:, :, None]).flatten(1, 2).floor().long()
        column, row = points.unbind(2)
        inside = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT)
        place = torch.where(inside, row * WIDTH + column, -1)
        drawn = torch.zeros(len(image), HEIGHT * WIDTH + 1, dtype=torch.bool, device=image.device)
        drawn.scatter_(1, place % (HEIGHT * WIDTH + 1), True)  # what lies outside falls on the one pixel more
        image.masked_fill_(drawn[:, None, :-1], 255 / BYTE - 1)


def paint_players(image: Tensor, players: Tensor) -> Tensor:
    """Return images (N, 3, pixels) with a dot for each of the players (N, P, 7), except where it would leave them."""
    column, row = pixels(players[..., 1:3]).trunc().long().unbind(2)  # (N, P)
    shown = (players[..., 0] > 0) & (column >= 1) & (column < WIDTH) & (row >= 1) & (row < HEIGHT)
    corner = row * WIDTH + column
    dots = torch.stack([corner - step for step in (0, 1, WIDTH, WIDTH + 1)], 2)
    dots = torch.where(shown[..., None], dots, HEIGHT * WIDTH)  # (N, P, 4); the others fall on one pixel more
    image = F.pad(image, (0, 1))
    for dot, colour in zip(dots.unbind(1), players[..., 3:6].unbind(1), strict=True):  # in turn: one may cover another
        image.scatter_(2, dot[:, None].expand(-1, 3, -1), colour[..., None].expand(-1, -1, 4))
    return image[..., :-1]


def pixels(metres: Tensor) -> Tensor:
    """Return where places on the pitch (…, 2), in metres from its centre, lie in the image: column and row."""
    along, across = metres.unbind(-1)  # apart: a tensor of sizes would be copied to the device, which waits for it
    column, row = WIDTH * (SHARE * along / LENGTH + CENTRE), HEIGHT * (SHARE * across / BREADTH + CENTRE)
    return torch.stack((column, row), -1)


def pitch_lines() -> Tensor:
    """Return the lines of a pitch (3, 2048), white on black, from -1 to 1."""
    x, y, box_length, box_breadth, circle = LENGTH / 2, BREADTH / 2, 16.5, 20.16, 9.15
    ends = [((-x, -y), (x, -y)), ((-x, y), (x, y)), ((-x, -y), (-x, y)), ((x, -y), (x, y)), ((0, -y), (0, y))]
    for side in (-1, 1):
        front = side * (x - box_length)
        ends += [((front, -box_breadth), (front, box_breadth))]
        ends += [((side * x, edge * box_breadth), (front, edge * box_breadth)) for edge in (-1, 1)]
    step = torch.linspace(0, 1, STEPS)[:, None]
    lines = [torch.tensor(a) + step * (torch.tensor(b) - torch.tensor(a)) for a, b in ends]
    angle = 2 * torch.pi * step[:, 0]
    points = pixels(torch.cat((*lines, circle * torch.stack((angle.cos(), angle.sin()), dim=1)))).floor().long()
    points = points.clamp(torch.tensor(0), torch.tensor((WIDTH - 1, HEIGHT - 1)))
    image = torch.full((HEIGHT, WIDTH), -1.0)
    image[points[:, 1], points[:, 0]] = 255 / BYTE - 1
    return image.flatten().expand(3, -1).clone()
