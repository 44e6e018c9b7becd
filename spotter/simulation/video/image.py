"""Draw the images of a half, one after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spotter.simulation.seeds import generator
from spotter.simulation.video.camera import DEPTH, EDGE, TILT, UPRIGHT, WINDOW, Camera
from spotter.simulation.video.look import AROUND, SKINS, Look, Pixels
from spotter.simulation.video.motion import Motion
from spotter.simulation.video.sprites import (
    BALL,
    BALL_SIZE,
    FEET,
    STEPS,
    draw_ball,
    draw_players,
    draw_shadow,
    put,
)
from spotter.simulation.video.squad import KEEPERS, PITCH, PLAYERS, SIDE, Array

FINENESS = 0.8  # texels of the ground per pixel in the middle of a near view
GRAIN = 16  # images of noise, shown in turn
FLICKER = 0.06  # fraction by which the light changes slowly
SUNSET = 37.0  # seconds of that
PACES = (0.6, 2.8)  # metres per second from which on players walk, and run
IN_FRONT = 0.3  # metres that the ball counts as nearer than it is, so that legs seldom hide it
PRESENT = 3.0  # metres beyond the image up to which players may show


def image_width(height: int) -> int:
    """Return the width of a 16:9 image; even, as H.264 wants it."""
    return 2 * round(height * 8 / 9)


def render_images(
    motion: Motion, fps: float, height: int, seed: int, game: str, edge: tuple[float, float] = EDGE
) -> Iterator[NDArray[np.uint8]]:
    """Yield every image of a half, (height, width, 3) uint8 RGB; the camera keeps ``edge`` metres from the lines."""
    painter = Painter(height, seed, game)
    camera = Camera.follow(motion.ball, fps, seed, game, edge)
    gait = np.digitize(motion.pace, PACES)
    step = np.floor(motion.stride % 2 * STEPS / 2).astype(int) % STEPS
    for frame, (middle, window) in enumerate(zip(camera.middle, camera.window, strict=True)):
        image = painter.ground(middle, window)
        painter.people(image, motion.player[frame], motion.ball[frame], gait[frame], step[frame])
        yield painter.light(image, frame, frame / fps)


class Painter:
    """Draw images of one game, in the perspective of a camera above a side line: first the ground, then the rest."""

    def __init__(self, height: int, seed: int, game: str) -> None:
        self.height, self.width = height, image_width(height)
        rng = generator(seed, "look", game)
        look = Look.draw(rng)
        self._density = FINENESS * self.width / WINDOW[0]
        self._texels = look.ground(self._density, rng).view(np.uint32)[..., 0]
        self._poses, self._ball, self._shadow = draw_players(look), draw_ball(), draw_shadow()
        self._kit = np.where(SIDE < 0, 4, SIDE)
        self._kit[KEEPERS] = (2, 3)
        self._skin = rng.integers(len(SKINS), size=PLAYERS)
        self._grain = (look.noise * rng.standard_normal((GRAIN, height, self.width, 3))).astype(np.float32)
        self._column = (np.arange(self.width) + 0.5) / self.width - 0.5
        row = (np.arange(height) + 0.5) / height - 0.5
        light = 1 + look.slope[0] * self._column[None, :, None] + look.slope[1] * row[:, None, None]
        self._light = (light * look.gain).astype(np.float32)
        self._near = 1 + DEPTH * row  # how much larger things are in each row, (height,)

    def ground(self, middle: Array, window: float) -> Pixels:
        """Return the empty pitch around ``middle``, (height, width, 3), ``window`` metres wide there."""
        self._middle, self._scale = middle, self.width / window
        self._deep = self.height / (TILT * DEPTH * self._scale)  # m behind which things look half as large
        x = middle[0] + self._column * self.width / (self._scale * self._near[:, None])
        y = middle[1] + self._deep * (1 / self._near - 1)
        rows, columns = self._texels.shape
        row = np.clip((PITCH[1] + AROUND[1] - y) * self._density, 0, rows - 1).astype(np.intp)
        at = np.clip((x + AROUND[0]) * self._density, 0, columns - 1).astype(np.intp)
        at += row[:, None] * columns
        seen = self._texels.take(at).view(np.uint8).reshape(self.height, self.width, 4)
        return seen[..., :3].astype(np.float32)

    def people(self, image: Pixels, player: Array, ball: Array, gait: NDArray[np.intp], step: NDArray[np.intp]) -> None:
        """Put players (P, 2) in their poses, and the ball (3,), on the ground that was drawn last; far ones first."""
        places = np.vstack([player, ball[:2]])
        size = 1 / np.maximum(0.2, 1 + (places[:, 1] - self._middle[1]) / self._deep)
        scale = self._scale * size
        x = self.width / 2 + (places[:, 0] - self._middle[0]) * scale
        y = self.height / 2 + (size - 1) * self.height / DEPTH
        reach = PRESENT * self._scale
        seen = (x > -reach) & (x < self.width + reach) & (y > -reach) & (y < self.height + reach)
        order = y + IN_FRONT * scale * (np.arange(len(places)) == PLAYERS)
        put(image, self._shadow, x[-1], y[-1], scale[-1], BALL_SIZE / 2)
        for index in sorted(np.flatnonzero(seen).tolist(), key=order.__getitem__):
            if index == PLAYERS:
                above = (ball[2] + 0.5 * BALL) * scale[-1] * UPRIGHT
                put(image, self._ball, x[-1], y[-1] - above, scale[-1], BALL_SIZE / 2)
            else:
                pose = self._poses[self._kit[index], self._skin[index], gait[index], step[index]]
                put(image, pose, x[index], y[index], scale[index], FEET)

    def light(self, image: Pixels, frame: int, seconds: float) -> NDArray[np.uint8]:
        """Return the image in the light of a time, with the noise of a camera."""
        image *= self._light * np.float32(1 + FLICKER * np.sin(2 * np.pi * seconds / SUNSET))
        image += self._grain[frame % GRAIN]
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)
