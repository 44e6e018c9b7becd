"""Plan a match around its touches: passes between players, carries of the ball, and players who come near it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spotter.simulation.video.matches import Touches
from spotter.simulation.video.squad import KEEPERS, MARGIN, PITCH, PLAYERS, REFEREE, SIDE, Array, Squad

STEP = 0.04  # seconds between the points of a path
REACH = 0.45  # metres from a player to the ball at his feet
PACE = 3.5  # metres per second at which a player returns to his position
FLIGHT = (2.0, 3.2)  # seconds that a pass flies at most
SPEED = (11.0, 0.3)  # metres per second of a pass: median, deviation of the logarithm
SLOWEST, FASTEST = 6.0, 22.0
CARRY = (3.0, 6.0)  # seconds that the ball is carried at most
PUSH = (0.35, 0.7)  # seconds between the touches of a carry
AHEAD = (0.3, 1.3)  # metres that the ball runs ahead in between
RUN = (2.8, 5.5)  # metres per second of a carry
DEAD = 8.0  # seconds without a touch from which on the ball is out of play
FETCHED = (2.0, 8.0)  # seconds that somebody stands at the ball before it is back in play
ONE_TOUCH = 0.5  # fraction of passes after a pass without control, where there is time for it
QUICK = 0.9  # seconds between passes that leave no time
LOFTED = 0.3  # fraction of long flights
BYSTANDERS = 0.35  # fraction of flights that pass close to a player's feet
PRESSED = 0.5  # fraction of carries with an opponent beside


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """Hold a part of the path of a player or the ball: times (n,), ascending, and positions (n, 2 or 3)."""

    time: Array
    place: Array

    def at(self, time: Array) -> Array:
        """Return the positions at times (T,)."""
        return np.stack([np.interp(time, self.time, along) for along in self.place.T], axis=1)


@dataclass(slots=True, eq=False)
class Play:
    """Plan one half, touch by touch.

    ball : the ball's ways one after another, in metres along, across and above the pitch
    ways : what each player must do, in order; between these he keeps his place
    """

    squad: Squad
    rng: np.random.Generator
    ball: list[Way] = field(default_factory=list)
    ways: list[list[Way]] = field(default_factory=lambda: [[] for _ in range(PLAYERS)])
    until: Array = field(default_factory=lambda: np.full(PLAYERS, -np.inf))  # end of each player's last path
    off: Array = field(default_factory=lambda: np.zeros((PLAYERS, 2)))  # how far from his position it ended

    def run(self, touches: Touches, seconds: float) -> None:
        """Plan all touches of a half that lasts ``seconds``, at least until after the last touch."""
        times = np.append(touches.time, max(seconds, touches.time.max(initial=0) + 2 * CARRY[1]))
        first = int(touches.side[0]) if len(touches.side) else 0
        owner, here = self._choose(self.squad.focus(np.array(0.0)), REFEREE, times[0], 0.0, first)
        self._wait(owner, here, 0.0, times[0], 0.0)
        for index, (passes, side) in enumerate(zip(touches.passes, touches.side, strict=True)):
            start, end = times[index], times[index + 1]
            last = index + 1 == len(touches.time)
            following = int(side if last else touches.side[index + 1])
            if passes:
                through = not last and not touches.passes[index + 1]
                owner, here = self._pass(owner, here, start, end, following, through)
            else:
                lost = not last and not touches.passes[index + 1]
                owner, here = self._drive(owner, here, start, end, following, lost)

    def _pass(self, owner: int, here: Array, start: float, end: float, side: int, driven: bool) -> tuple[int, Array]:
        """Pass the ball to a player who drives it on, passes it on at once, or stops it."""
        gap, longest = end - start, self.rng.uniform(*FLIGHT)
        direct = gap <= longest and (driven or gap < QUICK or self.rng.random() < ONE_TOUCH)
        flight = gap if direct else min(gap * self.rng.uniform(0.45, 0.75), longest)
        receiver, there = self._choose(here, owner, start + flight, flight, side)
        self._fly(here, there, start, start + flight, {owner, receiver}, stops=gap > DEAD)
        self._wait(receiver, there, start + flight, end, self.rng.uniform(*FETCHED) if gap > DEAD else np.inf)
        return receiver, there

    def _drive(self, owner: int, here: Array, start: float, end: float, side: int, lost: bool) -> tuple[int, Array]:
        """Let a player carry the ball until the end, or until another takes it and drives on."""
        gap = end - start
        loose = min(0.4 * gap, self.rng.uniform(0.4, 0.9)) if lost else 0.0
        carry = min(gap - loose, self.rng.uniform(*CARRY))
        here = self._carry(owner, here, start, start + carry)
        self._wait(owner, here, start + carry, end - loose, np.inf)
        if lost:
            taker, there = self._choose(here, owner, end, loose, side)
            self._fly(here, there, end - loose, end, {owner, taker}, stops=False)
            self._wait(taker, there, end, end, np.inf)
            return taker, there
        return owner, here

    def _choose(self, here: Array, owner: int, time: float, flight: float, side: int) -> tuple[int, Array]:
        """Return the free player who receives a pass at a time, and the position: his distance suits a pass."""
        place = self._expected(time)
        wanted = flight * SPEED[0] * np.exp(SPEED[1] * self.rng.standard_normal())
        cost = np.abs(np.linalg.norm(place - here, axis=1) - wanted) + self.rng.gumbel(0, 1.0, PLAYERS)
        cost += 0.15 * np.linalg.norm(place - self.squad.focus(np.array(time)), axis=1)
        cost += 7.0 * (side != SIDE) + 40.0 * (self.until > time - 0.4)
        cost[KEEPERS] += 10.0
        cost[[owner, REFEREE]] = np.inf
        chosen = int(cost.argmin())
        way = place[chosen] + self.rng.normal(0, 0.7, 2) - here
        length = max(1e-6, float(np.linalg.norm(way)))
        there = here + way / length * np.clip(length, SLOWEST * flight, FASTEST * flight)
        return chosen, np.clip(there, MARGIN, PITCH - MARGIN)

    def _expected(self, time: float) -> Array:
        """Return the positions of all players at a time if they did nothing more, (P, 2)."""
        far = np.linalg.norm(self.off, axis=1)
        left = fall((time - self.until) / np.maximum(0.8, far / PACE))
        return self.squad.at(np.array(time)) + self.off * left[:, None]

    def _walk(self, player: int, way: Way) -> None:
        self.ways[player].append(way)
        self.until[player] = way.time[-1]
        self.off[player] = way.place[-1] - self.squad.at(way.time[-1])[player]

    def _wait(self, player: int, ball: Array, start: float, end: float, before: float) -> None:
        """Let a player stand at a ball at rest for the last ``before`` seconds."""
        angle = self.rng.uniform(0, 2 * np.pi)
        place = ball - REACH * np.array([np.cos(angle), np.sin(angle)])
        self._walk(player, Way(np.array([max(start, end - before), end]), np.array([place, place])))
        if end > start:
            still = np.append(ball, 0.0)
            self.ball.append(Way(np.array([start, end]), np.array([still, still])))

    def _fly(self, here: Array, there: Array, start: float, end: float, involved: set[int], stops: bool) -> None:
        """Let the ball fly or roll, faster at first, and sometimes close to the feet of a player."""
        time = points(start, end)
        u = (time - start) / max(end - start, 1e-6)
        braking = 0.95 if stops else self.rng.uniform(0.1, 0.4)
        along = u * (1 + braking * (1 - u))
        lofted = end - start > 1 and not stops and self.rng.random() < LOFTED
        height = 4 * u * (1 - u) * (self.rng.uniform(1.5, 4.0) if lofted else 0.0)
        self.ball.append(Way(time, np.column_stack([here + along[:, None] * (there - here), height])))
        if not lofted and end - start > 0.5 and self.rng.random() < BYSTANDERS:
            middle = int(len(time) * self.rng.uniform(0.35, 0.65))
            self._stand_by(self.ball[-1].place[middle, :2], there - here, float(time[middle]), involved)

    def _stand_by(self, ball: Array, direction: Array, time: float, involved: set[int]) -> None:
        """Move a free player close to the path of the ball."""
        away = np.linalg.norm(self._expected(time) - ball, axis=1) + 50.0 * (self.until > time - 1.0)
        away[list(involved)] = np.inf
        if away.min() < 9.0:
            normal = np.array([-direction[1], direction[0]]) / max(1e-6, float(np.linalg.norm(direction)))
            place = ball + normal * self.rng.choice([-1, 1]) * self.rng.uniform(0.5, 0.8)
            self._walk(int(away.argmin()), Way(np.array([time]), place[None]))

    def _carry(self, player: int, ball: Array, start: float, end: float) -> Array:
        """Let a player run with the ball, which he pushes ahead again and again; return its last position."""
        time = points(start, end)
        goal = self.squad.focus(np.array(end)) + self.rng.normal(0, 12.0, 2) - ball
        heading = np.arctan2(goal[1], goal[0]) + self.rng.normal(0, 0.4) * (time - start)
        ahead = np.column_stack([np.cos(heading), np.sin(heading)])
        pace = self.rng.uniform(*RUN) * (1 - 0.8 * fall((time - start) / 0.35))
        step = np.diff(time, prepend=start)[:, None] * pace[:, None] * ahead
        room = MARGIN - REACH  # the ball has never less than that from the lines at first, so that it does not jump
        way = np.clip(ball - REACH * ahead[0] + np.cumsum(step, axis=0), room, PITCH - room)
        pushes = max(1, round((end - start) / self.rng.uniform(*PUSH)))
        edge = np.cumsum(np.append(0, self.rng.uniform(0.7, 1.3, pushes)))
        u = np.interp(time, start + (end - start) * edge / edge[-1], np.arange(pushes + 1))
        far = np.append(self.rng.uniform(*AHEAD, pushes), 0)[np.floor(u).astype(int)]
        reach = REACH + 4 * far * (u % 1) * (1 - u % 1)
        place = way + reach[:, None] * ahead
        self.ball.append(Way(time, np.column_stack([place, np.zeros(len(time))])))
        self._walk(player, Way(time, way))
        if end - start > 1.2 and self.rng.random() < PRESSED:
            self._press(player, self.ways[player][-1], ahead)
        return place[-1]

    def _press(self, player: int, way: Way, ahead: Array) -> None:
        """Let the nearest free opponent run beside a player."""
        begin = way.time[0]
        away = np.linalg.norm(self._expected(begin) - way.place[0], axis=1) + 50.0 * (self.until > begin - 0.5)
        away[SIDE + SIDE[player] != 1] = np.inf
        if away.min() < 12.0:
            side = np.column_stack([-ahead[:, 1], ahead[:, 0]]) * self.rng.choice([-1, 1]) * self.rng.uniform(0.9, 1.6)
            late = way.time > begin + 0.6
            self._walk(int(away.argmin()), Way(way.time[late], (way.place + side + 0.3 * ahead)[late]))


def fall(u: Array) -> Array:
    """Return weights that fall smoothly from 1 at 0 to 0 at 1."""
    u = np.clip(u, 0, 1)
    return 1 - u * u * u * (10 + u * (6 * u - 15))


def points(start: float, end: float) -> Array:
    """Return times from start to end, a step apart, at least these two."""
    return np.linspace(start, end, max(2, int(np.ceil((end - start) / STEP)) + 1))
