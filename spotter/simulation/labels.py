"""The label files of a simulated tree: drawn, or official ones from a folder or a zip, given to splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from spotter.errors import UserError
from spotter.io.files import atomic_write
from spotter.io.formats import format_of
from spotter.io.game_files import game_file_to_write
from spotter.io.soccernet import SoccerNet
from spotter.io.splits import LABELLED, load_splits, read_splits, write_splits
from spotter.io.trees import read_game_files
from spotter.simulation.fixtures import ROUNDS, Match
from spotter.tasks import Task

MOST = 10 * ROUNDS  # games of a split
Draw = Callable[[int], Match]  # a match by its number


def labelled_matches(task: Task, source: str | Path, counts: Sequence[int]) -> dict[str, dict[str, bytes]]:
    """Return the label files of the first games of each split, by split and ``league/season/game``.

    Games of an official split stay in it; others fill up what is wanted beyond those, in sorted order.
    Raises UserError when there are fewer games than wanted.
    """
    places = format_of(task).games(source, task)
    found = {"/".join(PurePosixPath(place).parts[-3:]): place for place in places}
    short = [place for place in places if len(PurePosixPath(place).parts) < 3]
    if short or not places:
        what = f"{task.label_file} in {short[0]!r}, not <league>/<season>/<game>" if short else f"no {task.label_file}"
        raise UserError(f"{source}: holds {what}: give the folder that holds the leagues, or a zip of it")
    official = load_splits(task)
    free = sorted(set(found) - {game for games in official.values() for game in games})
    chosen: dict[str, dict[str, bytes]] = {}
    for split, count in zip(LABELLED, counts, strict=True):
        games = [game for game in official[split] if game in found][:count]
        games += [free.pop(0) for _ in range(min(count - len(games), len(free)))]
        if len(games) < count:
            raise UserError(
                f"{source}: holds {len(games)} games for split {split}, not {count}: ask for fewer by --games"
            )
        files = read_game_files(Path(source), [found[game] for game in games], task.label_file)
        chosen[split] = {game: content for game, (_, content) in zip(games, files, strict=True)}
    return chosen


def drawn_matches(draw: Draw, counts: Sequence[int]) -> dict[str, list[Match]]:
    """Draw matches by their number; those of a split are the same whatever the number of games in the others."""
    return {
        split: [draw(MOST * place + index) for index in range(count)]
        for place, (split, count) in enumerate(zip(LABELLED, counts, strict=True))
    }


def write_labels(
    root: Path, task: Task, draw: Draw, counts: Sequence[int], labels: str | Path | None
) -> dict[str, list[str]]:
    """Write label files, then ``splits.json``, unless that is there; return its content.

    labels : folder or zip to take label files from, in place of drawn ones
    """
    path = root / "splits.json"
    if not path.is_file():
        if labels:
            files = labelled_matches(task, labels, counts)
            for game, content in (item for games in files.values() for item in games.items()):
                atomic_write(game_file_to_write(root, game, task.label_file), content)
            splits = {split: list(games) for split, games in files.items()}
        else:
            drawn = drawn_matches(draw, counts)
            for match in (match for matches in drawn.values() for match in matches):
                SoccerNet().write(root, match.labels, task, {match.game: match.about})
            splits = {split: [match.game for match in matches] for split, matches in drawn.items()}
        write_splits(root, splits)
    return read_splits(path)


def check_games(counts: Sequence[int]) -> None:
    """Raise UserError for anything but three counts, of which one is above 0."""
    if len(counts) != len(LABELLED) or not 0 <= min(counts) <= max(counts) <= MOST or sum(counts) == 0:
        raise UserError(f"games must be three counts up to {MOST}, for {', '.join(LABELLED)}, found {list(counts)}")
