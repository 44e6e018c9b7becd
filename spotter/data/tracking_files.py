"""Read the tracking files of data providers through kloppy, an optional extra, as one track for each half."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotter.data.fps import parse_fps
from spotter.data.tracking import Floats, Track, resample_times
from spotter.errors import UserError

HALVES = (1, 2, 3, 4)  # a penalty shoot-out is none
HEAD = 4096  # bytes in which a file shows what it is
TEAMS = ("home", "away")


@dataclass(frozen=True, slots=True)
class Part:
    """Recognise one file of a provider: by its suffix, a word in its name, and what stands near its beginning."""

    suffixes: tuple[str, ...]
    word: str = ""
    holds: bytes = b""

    def matches(self, path: Path) -> bool:
        """Return whether a file is this part."""
        if path.suffix.lower() not in self.suffixes or self.word not in path.name.lower():
            return False
        with path.open("rb") as file:
            return self.holds in file.read(HEAD)


@dataclass(frozen=True, slots=True)
class Provider:
    """Name the function of kloppy that reads a provider's files, and the file that each of its arguments is."""

    function: str
    parts: Mapping[str, Part]


PROVIDERS = {
    "metrica": Provider(
        "metrica.load_tracking_csv", {"home_data": Part((".csv",), "home"), "away_data": Part((".csv",), "away")}
    ),
    "tracab": Provider("tracab.load", {"meta_data": Part((".xml",)), "raw_data": Part((".dat",))}),
    "secondspectrum": Provider(
        "secondspectrum.load",
        {"meta_data": Part((".json", ".xml"), "meta"), "raw_data": Part((".jsonl",), holds=b"homePlayers")},
    ),
    "skillcorner": Provider(
        "skillcorner.load",
        {"meta_data": Part((".json",), "match"), "raw_data": Part((".json", ".jsonl"), holds=b'"possession"')},
    ),
    "sportec": Provider(
        "sportec.load_tracking",
        {"meta_data": Part((".xml",), holds=b"<MatchInformation"), "raw_data": Part((".xml",), holds=b"<FrameSet")},
    ),
}


@dataclass(frozen=True, slots=True)
class Match:
    """Name a game's tracking files: the provider, and the file for each argument of its reader."""

    game: str
    provider: str
    files: Mapping[str, Path]


def find_matches(root: Path, provider: str | None = None) -> list[Match]:
    """Return every folder at or below ``root`` that holds the files of a game; its path below ``root`` is the game.

    Raises UserError where there is none, and for a folder with two files that might be the same part.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder: give the one that holds a folder for each game")
    folders = [root, *sorted(path for path in root.rglob("*") if path.is_dir())]
    found = [match for folder in folders if (match := _match_of(folder, root, provider)) is not None]
    if not found:
        known = provider or ", ".join(PROVIDERS)
        raise UserError(f"{root}: no folder with the tracking files of {known}; each game needs one of its own")
    return found


def load_tracks(match: Match, fps: str | None = None, players: int = 11) -> tuple[dict[int, Track], int]:
    """Return the track of each half of a game by its number, and how many players found no place in any half.

    fps : rows per second, a number or a fraction; by default those of the files
    players : places for each team; who comes on takes the place of somebody who went off

    The clock of a half begins with its kick-off. Raises UserError where kloppy is not installed or cannot read a file.
    """
    dataset = _load(match)
    rate = parse_fps(fps if fps is not None else dataset.metadata.frame_rate, "--fps")
    tracks, unplaced = {}, 0
    for number in HALVES:
        frames = [frame for frame in dataset.records if frame.period.id == number]
        if frames:
            try:
                tracks[number], left_out = _track(frames, rate, players)
            except UserError as error:
                raise UserError(f"{match.game}: half {number}: {error}") from error
            unplaced += left_out
    if not tracks:
        raise UserError(f"{match.game}: its {match.provider} files hold no frame of a half")
    return tracks, unplaced


def fill_places(tracks: Sequence[Floats], count: int) -> tuple[Floats, int]:
    """Put the tracks of a team's players, (T, 2) each, NaN while off the pitch, into places: (T, count, 2).

    A place that somebody has left for good is free again. Returns how many players found none, too.
    """
    places = np.full((len(tracks[0]) if tracks else 0, count, 2), np.nan)
    spans = [np.flatnonzero(np.isfinite(track[:, 0])) for track in tracks]
    order = sorted((index for index, span in enumerate(spans) if len(span)), key=lambda index: spans[index][0])
    free_from, unplaced = np.zeros(count, np.int64), 0
    for index in order:
        first, last = spans[index][0], spans[index][-1]
        place = int(np.argmin(free_from))
        if free_from[place] > first:
            unplaced += 1
            continue
        places[first : last + 1, place] = tracks[index][first : last + 1]
        free_from[place] = last + 1
    return places, unplaced


def _match_of(folder: Path, root: Path, wanted: str | None) -> Match | None:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for name in [wanted] if wanted else PROVIDERS:
        parts = {role: [path for path in files if part.matches(path)] for role, part in PROVIDERS[name].parts.items()}
        if not all(parts.values()):
            continue
        for paths in parts.values():
            if len(paths) > 1:
                raise UserError(f"{folder}: {paths[0].name} and {paths[1].name} are alike: give each game a folder")
        game = folder.relative_to(root).as_posix() if folder != root else root.absolute().name
        return Match(game, name, {role: paths[0] for role, paths in parts.items()})
    return None


def _load(match: Match) -> Any:
    module, _, function = PROVIDERS[match.provider].function.partition(".")
    try:
        read = getattr(importlib.import_module(f"kloppy.{module}"), function)
    except ImportError as error:
        raise UserError("reading tracking files needs kloppy: pip install kloppy") from error
    try:
        return read(**{role: str(path) for role, path in match.files.items()}, coordinates="kloppy")
    except Exception as error:  # kloppy raises whatever its parsers meet
        names = ", ".join(path.name for path in match.files.values())
        raise UserError(f"{match.game}: {names} cannot be read as {match.provider} ({error})") from error


def _track(frames: Sequence[Any], fps: Fraction, players: int) -> tuple[Track, int]:
    """Return the track of a half's frames, whose coordinates go from 0 to 1."""
    times = np.array([frame.timestamp.total_seconds() for frame in frames])
    ball = np.full((len(frames), 2), np.nan)
    teams: dict[str, dict[str, NDArray[np.float64]]] = {
        team: defaultdict(lambda: np.full((len(frames), 2), np.nan)) for team in TEAMS
    }
    for row, frame in enumerate(frames):
        if frame.ball_coordinates is not None:
            ball[row] = frame.ball_coordinates.x, frame.ball_coordinates.y
        for player, data in frame.players_data.items():
            if data.coordinates is not None:
                teams[str(player.team.ground)][player.player_id][row] = data.coordinates.x, data.coordinates.y
    filled = [fill_places(list(teams[team].values()), players) for team in TEAMS]
    empty = np.full((len(frames), players, 2), np.nan)
    position = np.concatenate([ball[:, None], *(places if len(places) else empty for places, _ in filled)], axis=1)
    track = Track(resample_times(times, 2 * position - 1, fps), {"ball": 1, **dict.fromkeys(TEAMS, players)}, fps)
    return track, sum(unplaced for _, unplaced in filled)
