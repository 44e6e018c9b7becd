"""How the images of one game look: grass, lines, stands, kits and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spotter.simulation.video.squad import PITCH, Array

Pixels = NDArray[np.float32]

AROUND = np.array([16.0, 20.0])  # metres of ground drawn beyond the lines
LINE = 0.2  # metres
KITS = (
    (200, 30, 40), (240, 240, 240), (30, 60, 170), (250, 205, 40), (45, 45, 55), (150, 30, 90), (240, 120, 30),
    (110, 180, 230), (90, 40, 130), (20, 110, 110),
)  # fmt: skip
KEEPERS = ((60, 220, 90), (230, 90, 190))
REFEREE = (20, 20, 20)
SKINS = ((235, 200, 170), (200, 150, 115), (140, 95, 65), (95, 65, 45))
GRASS = np.array((62.0, 128.0, 52.0))
CHALK = 235.0  # grey of the lines
ROOM, BOARD = 4.0, 6.0  # metres from the lines to the boards, and along each of these


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """Hold what one game looks like.

    grass : (3,) RGB; stripes : (2,) metres of a mown stripe and its contrast
    kits : shirt, shorts of left, right, left keeper, right keeper, referee, each RGB
    shade : (3,) metres along, metres across per metre along, and how dark the shadow of a stand is
    gain : (3,) of the light, by colour; slope : (2,) by which it changes across and down the image
    noise : of the sensor, in grey levels
    """

    grass: Array
    stripes: tuple[float, float]
    kits: list[tuple[tuple[int, int, int], tuple[int, int, int]]]
    shade: Array
    gain: Array
    slope: Array
    noise: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Look:
        """Draw the look of a game."""
        home = int(rng.integers(len(KITS)))
        far = np.linalg.norm(np.array(KITS, float) - KITS[home], axis=1)
        away = int(rng.choice(np.flatnonzero(far > 150)))
        shorts = [KITS[home if rng.random() < 0.5 else 1], KITS[away if rng.random() < 0.5 else 4]]
        kits = list(zip((KITS[home], KITS[away], *KEEPERS, REFEREE), (*shorts, *KEEPERS, REFEREE), strict=True))
        return cls(
            grass=GRASS * rng.uniform(0.8, 1.15, 3) * rng.uniform(0.8, 1.1),
            stripes=(float(rng.choice([4.0, 5.25, 7.0])), rng.uniform(0.02, 0.1)),
            kits=kits,
            shade=np.array([rng.uniform(10, 60), rng.uniform(-0.3, 0.3), rng.choice([0.0, rng.uniform(0.1, 0.35)])]),
            gain=rng.uniform(0.88, 1.15) * rng.uniform(0.95, 1.05, 3),
            slope=rng.uniform(-0.12, 0.12, 2),
            noise=rng.uniform(0.5, 2.5),
        )

    def ground(self, density: float, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return the ground seen from above, (rows, columns, 4) RGB0, ``density`` texels a metre; far side first."""
        low, high = -AROUND, PITCH + AROUND
        x = np.arange(low[0], high[0], 1 / density, dtype=np.float32)[None, :]
        y = np.arange(high[1], low[1], -1 / density, dtype=np.float32)[:, None]
        tone = _patches(x.size, y.size, int(2 * density), rng) * 0.05
        tone += 0.03 * rng.standard_normal(tone.shape, dtype=np.float32)
        tone += 1 + self.stripes[1] * np.sign(np.sin(np.pi * x / self.stripes[0]))
        line = 0.85 * np.clip((LINE / 2 - _to_lines(x, y)) * density + 0.5, 0, 1)
        shaded = 1 - self.shade[2] * np.clip((y - self.shade[0] - self.shade[1] * x) / 0.6 + 0.5, 0, 1)
        texels = np.zeros((*tone.shape, 4), np.uint8)
        for channel, grass in enumerate(self.grass):
            plane = grass * tone
            plane += line * (CHALK - plane)
            texels[..., channel] = np.clip(plane * shaded, 0, 255)
        self._surround(texels, x, y, rng)
        return texels

    def _surround(self, texels: NDArray[np.uint8], x: Array, y: Array, rng: np.random.Generator) -> None:
        """Put boards and a crowd around the pitch."""
        beyond = np.maximum(np.maximum(y - PITCH[1], -y), np.maximum(x - PITCH[0], -x))
        boards = rng.integers(40, 230, (64, 3), dtype=np.uint8)
        which = ((x // BOARD).astype(int) + (y // BOARD).astype(int)) % len(boards)
        crowd = rng.integers(20, 120, (y.size // 4 + 1, x.size // 4 + 1, 3), dtype=np.uint8)
        texels[beyond > ROOM] = (35, 38, 45, 0)
        at = (beyond > ROOM) & (beyond <= ROOM + 1.2)
        texels[at, :3] = boards[which[at]]
        rows, columns = np.nonzero(beyond > ROOM + 3)
        texels[rows, columns, :3] = crowd[rows // 4, columns // 4]


def _patches(columns: int, rows: int, size: int, rng: np.random.Generator) -> Array:
    """Return smooth noise, (rows, columns), in patches of ``size``."""
    coarse = rng.standard_normal((rows // size + 2, columns // size + 2), dtype=np.float32)
    y, x = (np.arange(count, dtype=np.float32) / size for count in (rows, columns))
    along = np.stack([np.interp(x, np.arange(len(row)), row) for row in coarse]).astype(np.float32)
    low = y.astype(int)
    return np.asarray(along[low] + (y - low)[:, None] * (along[low + 1] - along[low]))


def _to_lines(x: Array, y: Array) -> Array:
    """Return the distance of every place to the nearest line, metres."""
    away, (length, width) = np.full((y.size, x.size), np.inf, np.float32), PITCH.astype(np.float32)
    u, v = np.minimum(x, length - x), np.abs(y - width / 2)  # to the nearer goal line; off the long axis
    for deep, half in ((length / 2, width / 2), (16.5, 20.16), (5.5, 9.16)):
        inside = np.maximum(np.maximum(-u, u - deep), v - half)
        np.minimum(away, np.abs(inside), out=away)
    from_middle = np.hypot(x - length / 2, v)
    np.minimum(away, np.abs(from_middle - 9.15), out=away)
    np.minimum(away, from_middle, out=away)
    return np.minimum(away, np.hypot(u - 11, v))
