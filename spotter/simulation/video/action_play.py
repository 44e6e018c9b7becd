"""Plan a match around its twelve actions: who acts, where players stand then, and how the ball gets there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from spotter.simulation.video.action_places import STOPPED
from spotter.simulation.video.actions import Actions
from spotter.simulation.video.play import AHEAD, BYSTANDERS, CARRY, FLIGHT, PUSH, REACH, Play, Way, points
from spotter.simulation.video.squad import KEEPERS, PITCH, PLAYERS, REFEREE, SIDE, Array, Squad

HEAD, HANDS = 1.75, 2.2  # metres above the ground at which the ball is headed, and thrown
APEX = {  # metres that the ball rises above its straight way, by the action that sends it there
    "HIGH PASS": (3.0, 5.5), "CROSS": (2.5, 4.5), "FREE KICK": (2.0, 4.0), "HEADER": (0.3, 1.2), "THROW IN": (0.3, 1.0),
    "SHOT": (0.0, 1.0), "BALL PLAYER BLOCK": (0.0, 0.8),
}  # fmt: skip
DIRECT = {"HEADER", "BALL PLAYER BLOCK", "OUT", "GOAL", "SHOT"}  # the ball comes just then, and is not stopped before
ALONE = {"OUT", "GOAL"}  # nobody is at the ball then
BRAKING = 0.3  # how much faster than on average the ball is at first
FOLLOWING = 3.0  # seconds over which the players' positions follow the ball
INSIDE = np.array([16.0, 14.0])  # metres from the lines that the middle of the formations keeps
BALL_COMES = (1.0, 2.5)  # seconds before a dead ball is played at which it lies there
LONGEST = 60.0  # seconds at the end of a half until which the last action goes on


@dataclass(frozen=True, slots=True, eq=False)
class Followers(Squad):
    """Hold usual positions that follow a path of the ball, (S, 2) metres, a place a second."""

    path: Array

    @classmethod
    def along(cls, squad: Squad, time: Array, place: Array) -> Self:
        """Let formations follow places (N, 2) of the ball at times (N,)."""
        second = np.arange(np.ceil(time[-1]) + 1)
        path = np.column_stack([np.interp(second, time, axis) for axis in place.T])
        reach = np.arange(-int(3 * FOLLOWING), int(3 * FOLLOWING) + 1)
        weight = np.exp(-0.5 * (reach / FOLLOWING) ** 2)
        padded = np.pad(path, ((len(reach) // 2, len(reach) // 2), (0, 0)), mode="edge")
        smooth = np.stack([np.convolve(axis, weight / weight.sum(), mode="valid") for axis in padded.T], axis=1)
        return cls(squad.home, squad.play, squad.own, np.clip(smooth, INSIDE, PITCH - INSIDE))

    def focus(self, time: Array) -> Array:
        """Return the middle of play, (..., 2), at times of any shape (...)."""
        second = np.arange(len(self.path))
        return np.stack([np.interp(time, second, axis) for axis in self.path.T], axis=-1)


@dataclass(slots=True, eq=False)
class ActionPlay(Play):
    """Plan one half, action by action."""

    def run_actions(self, actions: Actions, place: Array, seconds: float) -> None:
        """Plan actions at places (N, 2) of a half that lasts ``seconds``, at least until after the last of them."""
        count = len(actions.name)
        end = max(seconds, actions.time.max(initial=0.0)) + LONGEST
        names, times = [*actions.name.tolist(), "END"], np.append(actions.time, end)
        place = np.vstack([place, place[-1] if count else PITCH / 2])
        owner = self._act(0, names, times, place, actions.side, REFEREE, 0.0)
        self._rest(place[0], 0.0, times[0])
        for index in range(count):
            following = self._after(index, names, times, place, actions.side, owner)
            if names[index] == "DRIVE":
                self._dribble(owner, index, names, times, place)
            elif names[index] in ALONE or names[index + 1] == "FREE KICK":
                self._bring(place[index], place[index + 1], times[index], times[index + 1], names[index + 1])
            else:
                self._send(index, names, times, place, {owner, following})
            owner = following

    def _after(
        self, index: int, names: list[str], times: Array, place: Array, side: NDArray[np.int64], owner: int
    ) -> int:
        """Return who acts next: a player who drives the ball keeps it for his next action."""
        following = names[index + 1]
        if following in {*ALONE, "END"}:
            return owner
        if names[index] == "DRIVE" and SIDE[owner] == side[index + 1] and following != "PLAYER SUCCESSFUL TACKLE":
            self._stand(owner, place[index + 1], times[index + 1], times[index + 1])
            return owner
        return self._act(index + 1, names, times, place, side, owner, times[index])

    def _act(
        self,
        index: int,
        names: list[str],
        times: Array,
        place: Array,
        side: NDArray[np.int64],
        owner: int,
        start: float,
    ) -> int:
        """Choose who acts, the nearest free player of the side, and let him be there."""
        if index == len(side):
            return owner
        away = np.linalg.norm(self._expected(times[index]) - place[index], axis=1) + self.rng.gumbel(0, 0.5, PLAYERS)
        away += 40.0 * (self.until > times[index] - 0.4) + 400.0 * (side[index] != SIDE)
        away[KEEPERS] += 8.0
        away[[owner, REFEREE]] = np.inf
        chosen = int(away.argmin())
        gap = times[index] - start
        early = 0.0 if names[index] in DIRECT else min(0.4 * gap, 1.0)
        self._stand(chosen, place[index], times[index] - early, times[index])
        return chosen

    def _stand(self, player: int, ball: Array, start: float, end: float) -> None:
        """Let a player stand at a place of the ball."""
        angle = self.rng.uniform(0, 2 * np.pi)
        spot = ball - REACH * np.array([np.cos(angle), np.sin(angle)])
        start = min(end, max(start, float(self.until[player])))
        self._walk(player, Way(np.array([start, end]), np.array([spot, spot])))

    def _rest(self, ball: Array, start: float, end: float, height: float = 0.0) -> None:
        if end > start:
            still = np.append(ball, height)
            self.ball.append(Way(np.array([start, end]), np.array([still, still])))

    def _send(self, index: int, names: list[str], times: Array, place: Array, involved: set[int]) -> None:
        """Let the ball roll or fly to the next action, where it may be stopped before."""
        name, following, start, end = names[index], names[index + 1], times[index], times[index + 1]
        flight = min(end - start, self.rng.uniform(*FLIGHT))
        if following not in DIRECT:
            flight *= self.rng.uniform(0.55, 0.85)
        time = points(start, start + flight)
        u = (time - start) / max(flight, 1e-6)
        along = u * (1 + BRAKING * (1 - u))
        low, high = APEX.get(name, (0.0, 0.0))
        first = {"HEADER": HEAD, "THROW IN": HANDS}.get(name, 0.0)
        last = HEAD if following == "HEADER" else 0.0
        rise = max(self.rng.uniform(low, high), 1.0 if last else 0.0) * min(1.0, flight)
        height = first + u * (last - first) + 4 * u * (1 - u) * rise
        way = place[index] + along[:, None] * (place[index + 1] - place[index])
        self.ball.append(Way(time, np.column_stack([way, height])))
        if name == "PASS" and flight > 0.5 and not rise and self.rng.random() < BYSTANDERS:
            middle = len(time) // 2
            self._stand_by(way[middle], place[index + 1] - place[index], float(time[middle]), involved)
        self._rest(place[index + 1], start + flight, end, last)

    def _dribble(self, owner: int, index: int, names: list[str], times: Array, place: Array) -> None:
        """Let a player push the ball ahead again and again on the way to the next action."""
        (start, end), (here, there) = times[index : index + 2], place[index : index + 2]
        gap, share = end - start, 1.0
        if names[index + 1] == "FREE KICK":
            gap = min(gap, STOPPED)
        elif names[index + 1] == "OUT":  # the ball gets away from him
            share = 0.6
        else:
            gap = min(gap, self.rng.uniform(*CARRY))
        carried, goal = start + share * gap, here + share * (there - here)
        time = points(start, carried)
        pushes = max(1, round((carried - start) / self.rng.uniform(*PUSH)))
        edge = np.cumsum(np.append(0, self.rng.uniform(0.7, 1.3, pushes)))
        u = np.interp(time, start + (carried - start) * edge / edge[-1], np.arange(pushes + 1))
        far = np.append(self.rng.uniform(*AHEAD, pushes), 0)[np.floor(u).astype(int)] * 4 * (u % 1) * (1 - u % 1)
        straight = here + ((time - start) / max(carried - start, 1e-6))[:, None] * (goal - here)
        ahead = (goal - here) / max(1e-6, float(np.linalg.norm(goal - here)))
        self.ball.append(Way(time, np.column_stack([straight + far[:, None] * ahead, np.zeros(len(time))])))
        self._walk(owner, Way(time, straight - REACH * ahead))
        self.ball.append(Way(np.array([carried, end]), np.array([[*goal, 0.0], [*there, 0.0]])))

    def _bring(self, here: Array, there: Array, start: float, end: float, following: str) -> None:
        """Let a dead ball roll to where it is played next, or come into the hands of who throws it in."""
        before = min(0.5 * (end - start), self.rng.uniform(*BALL_COMES))
        rolls = 0.2 * (end - start - before)
        self._rest(here, start, start + rolls)
        height = HANDS if following == "THROW IN" else 0.0
        self.ball.append(Way(np.array([start + rolls, end - before]), np.array([[*here, 0.0], [*there, height]])))
        self._rest(there, end - before, end, height)
