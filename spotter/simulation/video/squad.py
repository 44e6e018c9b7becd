"""Positions of players who do nothing else: two formations that follow play over the pitch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PITCH = np.array([105.0, 68.0])  # metres along and across
MARGIN = 1.5  # metres from the lines that play keeps
PLAYERS = 23  # two elevens, of which the first keeps goal, and the referee
REFEREE = 22
SPACING = np.array([8.0, 7.0])  # metres between the rows and files of a formation
SIDE = np.repeat([0, 1, -1], [11, 11, 1])  # of every player
KEEPERS = np.array([0, 11])
# fmt: off
FORMATION = (  # rows and files from the middle of play, of the left side
    (-1.4, -1.5), (-1.5, -0.5), (-1.5, 0.5), (-1.4, 1.5), (-0.5, -1.0), (-0.6, 0.0), (-0.5, 1.0),
    (0.5, -1.2), (0.8, 0.0), (0.5, 1.2),
)
# fmt: on
PERIODS = (31.0, 67.0, 113.0)  # seconds in which play goes to and fro
SWAY = (5.0, 11.0)  # seconds of the players' own movements
STRAY = 1.3  # metres of these


@dataclass(frozen=True, slots=True, eq=False)
class Squad:
    """Hold the usual positions of all players at any time, from a few random waves.

    home : (P, 2) metres from the focus of play; a keeper's position on the pitch
    play : (waves, 2) phases of the focus of play
    own : (waves, P, 2) phases of each player's own movements
    """

    home: Array
    play: Array
    own: Array

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Squad:
        """Draw two formations, each in the gaps of the other, and how they move."""
        formation = np.array(FORMATION)
        home = np.zeros((PLAYERS, 2))
        home[1:11], home[12:22] = formation, formation * (-1, 1) + (0.35, 0.4)
        home = home * SPACING + rng.normal(0, 1.2, home.shape)
        home[KEEPERS] = [(4.0, PITCH[1] / 2), (PITCH[0] - 4.0, PITCH[1] / 2)]
        phases = rng.uniform(0, 2 * np.pi, (len(PERIODS), 2)), rng.uniform(0, 2 * np.pi, (len(SWAY), PLAYERS, 2))
        return cls(home, *phases)

    def focus(self, time: Array) -> Array:
        """Return the middle of play, (..., 2), at times of any shape (...)."""
        waves = np.sin(2 * np.pi * time[..., None, None] / np.array(PERIODS)[:, None] + self.play)
        return PITCH / 2 + waves.sum(-2) * (15.0, 8.0)

    def at(self, time: Array) -> Array:
        """Return everybody's position, (..., P, 2), at times of any shape (...)."""
        place = self.home + self.focus(time)[..., None, :]
        place[..., KEEPERS, :] = self.home[KEEPERS]
        for period, phase in zip(SWAY, self.own, strict=True):
            place += STRAY * np.sin(2 * np.pi * time[..., None, None] / period + phase)
        return np.clip(place, MARGIN, PITCH - MARGIN)
