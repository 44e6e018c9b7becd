"""What a simulated broadcast shows at which time: parts of scripts, replays, look-alikes and random ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spotter.simulation.features.scripts import CONCEPTS, SCRIPTS
from spotter.tasks import Task
from spotter.types import Spots

Floats = NDArray[np.float64]
CONCEPT = {name: index for index, name in enumerate(CONCEPTS)}
HIDDEN = 0.6  # what is left of a script whose spot is not shown
OMITTED = 0.03  # fraction of a script's parts that stay out
LOOK_ALIKES = 0.3  # unlabelled fragments of scripts per spot
LATENESS = (0.1, 0.05)  # s, and per second from the spot: how far a part may come early or late
VARIETY = 0.12  # of strengths and lengths, as the deviation of their logarithms
REPLAY_DELAY, REPLAY_PACE, REPLAY_REACH = (10.0, 30.0), (0.7, 2.0), 6.0  # s after the spot, factor, s of the script


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Hold periods in which a concept appears, as columns: concept, start, end (s), strength, each (N,)."""

    concept: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    strength: NDArray[np.float64]

    def __getitem__(self, chosen: NDArray) -> Parts:
        return Parts(self.concept[chosen], self.start[chosen], self.end[chosen], self.strength[chosen])

    @classmethod
    def join(cls, *parts: Parts) -> Parts:
        """Concatenate parts."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def activation(self, times: NDArray[np.float64], support: float) -> NDArray[np.float64]:
        """Return how active each concept is, (T, concepts), to an observer that averages over ``support`` seconds.

        times : (T,) seconds, ascending
        """
        active = np.zeros((len(times), len(CONCEPT)))
        first, last = np.searchsorted(times, [self.start - support / 2, self.end + support / 2])
        for row, concept in enumerate(self.concept):
            near = slice(first[row], last[row])
            seen = _seen(times[near] - self.start[row], support) - _seen(times[near] - self.end[row], support)
            active[near, concept] += self.strength[row] * seen
        return active


def script_parts(task: Task) -> tuple[NDArray[np.int64], Parts]:
    """Return the class of every part of every script, and the parts in seconds from their spot."""
    rows = [
        (label, CONCEPT[part[0]], *part[1:]) for label, name in enumerate(task.classes) for part in SCRIPTS[name].parts
    ]
    label, concept, start, end, strength = np.array(rows).T
    scale = np.array([usual for _, _, usual in CONCEPTS.values()])[concept.astype(int)]
    return label.astype(np.int64), Parts(concept.astype(np.int64), start, end, strength * scale)


def stage(task: Task, spots: Spots, seconds: float, rng: np.random.Generator) -> Parts:
    """Return all that one half shows: the scripts of its spots, replays, unlabelled look-alikes and random parts."""
    live, spot, _ = _play(task, spots.label, spots.time, np.ones(len(spots)), rng)
    live = replace(live, strength=live.strength * np.where(spots.visible[spot], 1, HIDDEN))
    return Parts.join(
        live,
        _elsewhere(spots, rng),
        *_replays(task, spots, rng),
        _look_alikes(task, spots, seconds, rng),
        _chance(seconds, rng),
    )


def _play(
    task: Task, label: NDArray[np.int64], time: NDArray[np.float64], pace: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Parts, NDArray[np.int64], NDArray[np.float64]]:
    """Play scripts around ``time``, varied each time; return parts, the script of each, and its middle in it."""
    of_class, script = script_parts(task)
    rows = [np.flatnonzero(of_class == one) for one in label]
    owner = np.repeat(np.arange(len(label)), [len(row) for row in rows])
    part = script[np.concatenate([np.empty(0, np.int64), *rows])]
    middle, length = (part.start + part.end) / 2, part.end - part.start
    spread = rng.standard_normal((4, len(owner)))
    centre = time[owner] + pace[owner] * (middle + (LATENESS[0] + LATENESS[1] * np.abs(middle)) * spread[0])
    reach = pace[owner] * length / 2 * np.exp(VARIETY * spread[1])
    vigour = np.exp(VARIETY * rng.standard_normal(len(label)))[owner] * np.exp(VARIETY * spread[2])
    strength = part.strength * vigour * (rng.random(len(owner)) >= OMITTED)
    return Parts(part.concept, centre - reach, centre + reach, strength), owner, middle


def _elsewhere(spots: Spots, rng: np.random.Generator) -> Parts:
    """Return parts that show something else where a spot is not shown."""
    time = spots.time[~spots.visible]
    concept = rng.choice([CONCEPT[name] for name in ("close-up", "crowd", "replay", "dugout")], len(time))
    return Parts(concept, time - rng.uniform(2, 6, len(time)), time + rng.uniform(1, 5, len(time)), np.ones(len(time)))


def replays_of(task: Task, spots: Spots, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return the replays that ``stage`` shows with the same ``rng``: the spot of each, its start and end in seconds.

    Its middle lies 10 to 30 s after the spot, and it lasts 8 to 24 s: assumptions, not counted anywhere.
    """
    _play(task, spots.label, spots.time, np.ones(len(spots)), rng)  # for what it draws
    _elsewhere(spots, rng)
    chosen, time, pace = _choose_replays(task, spots, rng)
    return chosen, time - pace * REPLAY_REACH, time + pace * REPLAY_REACH


def _choose_replays(task: Task, spots: Spots, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats, Floats]:
    share = np.array([SCRIPTS[name].replayed for name in task.classes])[spots.label]
    chosen = np.flatnonzero(spots.visible & (rng.random(len(spots)) < share))
    return chosen, spots.time[chosen] + rng.uniform(*REPLAY_DELAY, len(chosen)), rng.uniform(*REPLAY_PACE, len(chosen))


def _replays(task: Task, spots: Spots, rng: np.random.Generator) -> tuple[Parts, Parts]:
    chosen, time, pace = _choose_replays(task, spots, rng)
    again, _, middle = _play(task, spots.label[chosen], time, pace, rng)
    concept, ones = np.full(len(chosen), CONCEPT["replay"]), np.ones(len(chosen))
    around = Parts(concept, time - pace * REPLAY_REACH, time + pace * REPLAY_REACH, ones)
    return again[np.abs(middle) <= REPLAY_REACH], around


def _look_alikes(task: Task, spots: Spots, seconds: float, rng: np.random.Generator) -> Parts:
    """Return parts that look like those before or after a spot, without one; half of them with the moment itself."""
    number = rng.poisson(LOOK_ALIKES * len(spots))
    usual = rng.choice(spots.label, number) if len(spots) else np.empty(0, np.int64)
    label = np.where(rng.random(len(usual)) < 0.5, usual, rng.integers(len(task.classes), size=len(usual)))
    side, moment = rng.choice([-1, 1], len(label)), rng.random(len(label)) < 0.5
    parts, owner, middle = _play(task, label, rng.uniform(0, seconds, len(label)), np.ones(len(label)), rng)
    return parts[np.where(np.abs(middle) < 1, moment[owner], side[owner] * middle > 0)]


def _chance(seconds: float, rng: np.random.Generator) -> Parts:
    hourly, usual, strength = np.array(list(CONCEPTS.values())).T
    concept = np.repeat(np.arange(len(CONCEPTS)), rng.poisson(hourly * seconds / 3600))
    start = rng.uniform(-10, seconds, len(concept))
    spread = np.exp(0.3 * rng.standard_normal((2, len(concept))))
    return Parts(concept, start, start + usual[concept] * spread[0], strength[concept] * spread[1])


def _seen(elapsed: NDArray[np.float64], support: float) -> NDArray[np.float64]:
    """Return how far a step ``elapsed`` seconds ago has got through a raised cosine of ``support`` seconds."""
    phase = np.clip(elapsed / support, -0.5, 0.5)
    return 0.5 + phase + np.sin(2 * np.pi * phase) / (2 * np.pi)
