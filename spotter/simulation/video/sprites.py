"""Small images of players and the ball, drawn once, put into an image at any place and size."""

from __future__ import annotations

import numpy as np

from spotter.simulation.video.look import SKINS, Look, Pixels

FINE = 26  # pixels a metre of a sprite
HEIGHT, WIDTH = 2.5, 1.9  # metres of a player's sprite
FEET = 0.3  # metres from its lower edge to his feet
STEPS, GAITS = 8, 3  # poses in a pair of steps; standing, walking, running
SWING = (0.0, 0.28, 0.5)  # metres that feet swing
BALL = 0.3  # metres; larger than life, so that small images show it
BALL_SIZE = 0.9


def draw_players(look: Look) -> Pixels:
    """Return everybody in every pose, (kits, skins, gaits, steps, rows, columns, 4), premultiplied RGBA."""
    return np.stack(
        [
            [[[_player(kit, skin, gait, step) for step in range(STEPS)] for gait in range(GAITS)] for skin in SKINS]
            for kit in look.kits
        ]
    ).astype(np.float32)


def draw_ball() -> Pixels:
    """Return the ball, (rows, columns, 4), premultiplied RGBA."""
    canvas, x, y = _canvas(BALL_SIZE, BALL_SIZE, BALL_SIZE / 2)
    far = np.hypot(x, y)
    _over(canvas, BALL - far, (250, 250, 250))
    _over(canvas, 0.035 - np.abs(far - BALL + 0.02), (40, 40, 40), 0.8)
    _over(canvas, 0.09 - far, (60, 60, 60), 0.6)
    return canvas.astype(np.float32)


def draw_shadow() -> Pixels:
    """Return the ball's shadow on the ground, (rows, columns, 4), premultiplied RGBA."""
    canvas, x, y = _canvas(BALL_SIZE, BALL_SIZE, BALL_SIZE / 2)
    _over(canvas, BALL - np.hypot(x, 2 * y), (0, 0, 0), 0.45)
    return canvas.astype(np.float32)


def put(image: Pixels, sprite: Pixels, x: float, y: float, scale: float, foot: float) -> None:
    """Lay a sprite over an image (h, w, 3), its middle ``foot`` metres above its lower edge at pixel (x, y).

    scale : pixels of the image a metre
    """
    (rows, columns, _), (height, width, _), step = sprite.shape, image.shape, FINE / scale
    top, left = y - (rows - foot * FINE) / step, x - columns / 2 / step
    y0, y1 = max(0, int(top)), min(height, int(top + rows / step) + 2)
    x0, x1 = max(0, int(left)), min(width, int(left + columns / step) + 2)
    if y0 >= y1 or x0 >= x1:
        return
    down = _weights((np.arange(y0, y1) + 0.5 - top) * step, rows, step)
    across = _weights((np.arange(x0, x1) + 0.5 - left) * step, columns, step)
    small = np.matmul(across, (down @ sprite.reshape(rows, -1)).reshape(y1 - y0, columns, 4))
    part = image[y0:y1, x0:x1]
    part *= 1 - small[..., 3:]
    part += small[..., :3]


def _weights(at: np.ndarray, size: int, step: float) -> Pixels:
    """Return what each pixel, at places ``at`` of a row of ``size``, takes from that row, (pixels, size)."""
    radius = max(1.0, step)
    far = np.abs(at[:, None] - (np.arange(size) + 0.5))
    return (np.maximum(0, 1 - far / radius) / radius).astype(np.float32)


def _canvas(height: float, width: float, foot: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = round(height * FINE), round(width * FINE)
    x = (np.arange(columns) + 0.5)[None, :] / FINE - width / 2
    y = height - foot - (np.arange(rows) + 0.5)[:, None] / FINE
    return np.zeros((rows, columns, 4)), x, y


def _over(canvas: np.ndarray, inside: np.ndarray, colour: tuple[int, ...], alpha: float = 1.0) -> None:
    """Paint where ``inside`` (metres from the edge) is positive."""
    cover = alpha * np.clip(inside * FINE + 0.5, 0, 1)[..., None]
    canvas *= 1 - cover
    canvas += cover * np.array([*colour, 1.0])


def _player(kit: tuple[tuple[int, ...], tuple[int, ...]], skin: tuple[int, ...], gait: int, step: int) -> np.ndarray:
    canvas, x, y = _canvas(HEIGHT, WIDTH, FEET)
    shirt, shorts = kit
    swing = SWING[gait] * np.sin(2 * np.pi * step / STEPS) + (0.1 if gait == 0 else 0.0)
    lift = 0.5 * SWING[gait] * np.abs(np.cos(2 * np.pi * step / STEPS))
    _over(canvas, 0.42 - np.hypot(x - 0.12, 2.4 * y), (0, 0, 0), 0.4)
    _over(canvas, 0.10 - _segment(x, y, (0.05, 0.85), (swing, 0.05)), skin)
    _over(canvas, 0.10 - _segment(x, y, (-0.05, 0.85), (-swing, 0.05 + 0.5 * lift)), skin)
    _over(canvas, 0.11 - _segment(x, y, (0.6 * swing, 0.35), (swing, 0.05)), shirt)
    _over(canvas, 0.11 - _segment(x, y, (-0.6 * swing, 0.35 + 0.3 * lift), (-swing, 0.05 + 0.5 * lift)), shirt)
    _over(canvas, 0.19 - _segment(x, y, (-0.06, 0.85), (0.06, 0.85)), shorts)
    _over(canvas, 0.24 - _segment(x, y, (0.0, 1.1), (0.0, 1.4)), shirt)
    _over(canvas, 0.08 - _segment(x, y, (0.24, 1.45), (0.3 - 0.6 * swing, 1.0)), skin)
    _over(canvas, 0.08 - _segment(x, y, (-0.24, 1.45), (-0.3 + 0.6 * swing, 1.0)), skin)
    _over(canvas, 0.17 - np.hypot(x, y - 1.82), skin)
    _over(canvas, 0.17 - np.hypot(x, y - 1.9), (45, 35, 30), 0.85)
    return canvas


def _segment(x: np.ndarray, y: np.ndarray, start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """Return the distance of every place to a line between two."""
    along = np.subtract(end, start)
    u = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / max(1e-9, along @ along), 0, 1)
    return np.hypot(x - start[0] - u * along[0], y - start[1] - u * along[1])
