"""Score predictions against labels: what ``spotter evaluate`` and ``spotter.evaluate`` do."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotter.errors import UserError
from spotter.evaluation.anticipation import after_clips, folder_of_split, read_clips, scored_clips
from spotter.evaluation.average_map import average_map
from spotter.evaluation.f1 import f1_scores
from spotter.evaluation.grounding import evaluate_grounding
from spotter.evaluation.team_map import check_teams, labels_by_team, predictions_by_team, warn_of_missing_actions
from spotter.io.anticipation import read_anticipation
from spotter.io.exchange.annotations import Exchange, find_any_predictions, read_any_predictions
from spotter.io.formats import AnnotationFormat, format_at, format_of
from spotter.io.grounding import holds_answers
from spotter.io.predictions import PREDICTION_FILE
from spotter.io.run_folders import Description, describe, find_predictions_of
from spotter.io.splits import check_split, load_splits
from spotter.predictions import Predictions
from spotter.tasks import ANTICIPATION, REPLAY_GROUNDING, Task
from spotter.types import Half, HalfPredictions, Metrics, Spots

DEFAULT_TASK = "soccernet-v2"
SAME_MOMENT = 0.1  # seconds
Source = str | Path | Predictions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Hold labels, and the predictions of one or several systems for the same games.

    split : None where the games are no split
    postprocesses : how each system's predictions were suppressed, empty where that is unknown
    """

    task: Task
    split: str | None
    labels: Mapping[Half, Spots]
    predictions: Sequence[Mapping[Half, HalfPredictions]]
    postprocesses: Sequence[Mapping[str, Any]]

    def metrics(self) -> list[Metrics]:
        """Return the metrics of each system, as ``metrics.json`` holds them: fractions, not percent."""
        known = {"task": self.task.name, "split": self.split}
        return [
            {**average_map(self.labels, predictions, self.task), "postprocess": dict(postprocess), **known}
            for predictions, postprocess in zip(self.predictions, self.postprocesses, strict=True)
        ]

    def f1(self, frames: int | None = None, threshold: float | None = None) -> list[dict[str, dict[str, Any]]]:
        """Return what ``f1_scores`` says of each system: ``by action`` and, with teams, ``by action and team``."""
        task, found = self.task, []
        for predictions in self.predictions:
            scores = {"by action": f1_scores(self.labels, predictions, task, frames, threshold)}
            if task.teams:
                by_team = labels_by_team(self.labels, task), predictions_by_team(predictions, task)
                scores["by action and team"] = f1_scores(*by_team, task.by_team(), frames, threshold)
            found.append(scores)
        return found


def evaluate(
    labels: str | Path, predictions: Source, *, task: Task | str | Path | None = None, split: str | None = None
) -> Metrics:
    """Return every score of ``predictions`` as ``metrics.json`` holds it: fractions, not percent.

    labels : the root of the games' folders, a zip of it, or a single label file
    predictions : the same of prediction files, a run folder, or what ``Model.predict`` returned
    task : a name, the path of a YAML file or a Task; by default what the predictions' own files say, or soccernet-v2
    split : by default what those files say; else every game of ``labels`` is scored

    Raises UserError for a missing or malformed file, and for a game without predictions.
    """
    chosen = task_of_answers([predictions], split) if task is None else _load(task)
    if chosen is None or chosen.metric != REPLAY_GROUNDING:
        return load_evaluation(labels, [predictions], task=chosen, split=split).metrics()[0]
    if isinstance(predictions, Predictions):
        raise UserError(f"predictions: spots cannot be scored as {chosen.name}: give the files of its challenge")
    named = describe(Path(predictions)).split if task is None else None
    return evaluate_grounding(labels, predictions, chosen, split or named)


def task_of_answers(predictions: Sequence[Source], split: str | None = None) -> Task | None:
    """Return the task of files that answer replays, if those beside them say so; None for any other predictions."""
    found: list[Task] = []
    for source in predictions:
        path = None if isinstance(source, Predictions) else find_predictions_of(Path(source), split)
        task = describe(path).task if path is not None else None
        if path is None or not isinstance(task, Task) or task.metric != REPLAY_GROUNDING or not holds_answers(path):
            return None
        found.append(task)
    return found[0] if found else None


def check_spots_of_matches(task: Task) -> None:
    """Raise UserError for spots within replays, which no labels of matches score."""
    if task.metric == REPLAY_GROUNDING:
        raise UserError(
            f"task {task.name}: its spots lie in replays, which labels of matches do not score: answer the replays by "
            "spotter ground, and evaluate what it writes with --task replay-grounding"
        )


def load_evaluation(
    labels: str | Path | None,
    predictions: Sequence[Source],
    *,
    task: Task | str | Path | None = None,
    split: str | None = None,
    games_of_predictions: bool = False,
) -> Evaluation:
    """Read labels, if there are any, and the predictions of several systems, see ``evaluate``.

    games_of_predictions : without a split, take every game of the first system's predictions instead of ``labels``
    """
    sources = [
        source if isinstance(source, Predictions) else find_predictions_of(Path(source), split)
        for source in predictions
    ]
    described = [
        Description(source.task, None, {}) if isinstance(source, Predictions) else describe(source)
        for source in sources
    ]
    chosen = _task(task, described)
    if labels is not None:
        check_spots_of_matches(chosen)
    name = check_split(split) if split else _common_split(described)
    if chosen.metric == ANTICIPATION:
        return _load_clips(labels, sources, described, chosen, name)
    annotations = format_of(chosen) if labels is None else format_at(labels, chosen)
    if split:
        games = _listed(annotations, labels, chosen, split)
    elif name or games_of_predictions or labels is None:
        games = _predicted(sources[0], annotations, labels, chosen, name)
    else:
        games = _labelled(annotations, labels, chosen)
    labelled = {} if labels is None else annotations.read(labels, games, chosen)
    check_teams(labelled, chosen)
    warn_of_missing_actions(labelled, chosen)
    parts = annotations.parts(labels or "", chosen) if isinstance(annotations, Exchange) else {}
    found = [_read(source, games, chosen) for source in sources]
    for source, given in zip(sources, found, strict=True):
        _warn_of_empty(source, labelled, given)
        _warn_of_periods(source, {half: period.start for half, (_, period) in parts.items()}, given)
    return Evaluation(chosen, name, labelled, found, [each.postprocess for each in described])


def _load_clips(
    labels: str | Path | None,
    sources: Sequence[Path | Predictions],
    described: Sequence[Description],
    task: Task,
    split: str | None,
) -> Evaluation:
    """Read what happens after clips, and what several systems expect; a clip that one of them lacks is an error."""
    if labels is None:
        raise UserError("labels: give those of the clips, or of the matches that they are cut from")
    labels = folder_of_split(labels, split, task)
    found = [source if isinstance(source, Predictions) else read_anticipation(source, task) for source in sources]
    clips = scored_clips(labels, found[0], task)
    for source, given in zip(sources, found, strict=True):
        if absent := [clip.game for clip in clips if clip not in given]:
            name = source if isinstance(source, Path) else "the predictions"
            raise UserError(f"{name}: lacks {absent[0]!r}: an empty list of anticipation expects nothing")
    labelled, _ = after_clips(read_clips(labels, clips, task), {})
    return Evaluation(task, split, labelled, found, [each.postprocess for each in described])


def _warn_of_empty(
    source: Path | Predictions, labels: Mapping[Half, Spots], predictions: Mapping[Half, HalfPredictions]
) -> None:
    """Warn of halves that have labels and not a single prediction: they may have been forgotten."""
    empty = [half for half, spots in labels.items() if len(spots) and not len(predictions.get(half, ()))]
    if empty:
        name = source if isinstance(source, Path) else "the predictions"
        log.warning(
            "%s: %d of %d halves with labels have no prediction, first %s, half %d; all of their spots count as missed",
            *(name, len(empty), len(labels), *empty[0]),
        )


def _warn_of_periods(
    source: Path | Predictions, starts: Mapping[Half, float], predictions: Mapping[Half, HalfPredictions]
) -> None:
    """Warn of halves that begin elsewhere in their video than the labels say: their times are from other moments."""
    found = {half: rows.start for half, rows in predictions.items() if len(rows)}
    apart = [half for half in starts if abs(found.get(half, starts[half]) - starts[half]) > SAME_MOMENT]
    if apart:
        name, half = source if isinstance(source, Path) else "the predictions", apart[0]
        log.warning(
            "%s: %d of %d halves begin elsewhere in their video than by the labels, first %s, half %d, at %g s and not "
            "at %g s; times are compared from where each begins: predict with periods=LABELS, if the video is the same",
            *(name, len(apart), len(starts), *half, found[half], starts[half]),
        )


def _task(given: Task | str | Path | None, described: Sequence[Description]) -> Task:
    if given is not None:
        return _load(given)
    tasks = [each.task for each in described if isinstance(each.task, Task)]
    unknown = {each.task for each in described if isinstance(each.task, str)} - {task.name for task in tasks}
    if any(task != tasks[0] for task in tasks) or len(unknown) + len(tasks[:1]) > 1:
        names = " and ".join(sorted({task.name for task in tasks} | unknown))
        raise UserError(f"the predictions are of different tasks, {names}: give those of one, or choose the task")
    for name in unknown:
        raise UserError(f"the predictions are of task {name!r}, which spotter does not have: give its YAML as task")
    return tasks[0] if tasks else Task.load(DEFAULT_TASK)


def _load(task: Task | str | Path) -> Task:
    return task if isinstance(task, Task) else Task.load(task)


def _common_split(described: Sequence[Description]) -> str | None:
    splits = list(dict.fromkeys(each.split for each in described))
    if len(splits) > 1 and all(splits):
        raise UserError(f"the predictions are of different splits, {' and '.join(map(str, splits))}: choose one")
    return splits[0] if len(splits) == 1 else None


def _listed(annotations: AnnotationFormat, labels: str | Path | None, task: Task, split: str) -> list[str]:
    games = _splits(annotations, labels, task)[split]
    if not games:
        raise UserError(f"split {split} of task {task.name} lists no game: leave --split out to take every game")
    return games


def _splits(annotations: AnnotationFormat, labels: str | Path | None, task: Task) -> dict[str, list[str]]:
    """Return the games of every split: of those that labels list themselves, or of the official ones."""
    listed = annotations.splits(labels or "", task) if isinstance(annotations, Exchange) else {}
    return load_splits(task, labels, known=listed or None)


def _labelled(annotations: AnnotationFormat, labels: str | Path, task: Task) -> list[str]:
    games = annotations.games(labels, task)
    if not games:
        raise UserError(f"{labels}: holds no {task.label_file}: give the labels of task {task.name}, or --task")
    return games


def _predicted(
    source: Path | Predictions,
    annotations: AnnotationFormat,
    labels: str | Path | None,
    task: Task,
    split: str | None,
) -> list[str]:
    """Return the games of predictions, which may be fewer than their split usually has; then say so.

    Those of an own match have none of them, whatever split their system was trained with.
    """
    games = source.games if isinstance(source, Predictions) else find_any_predictions(source)
    if not games:
        raise UserError(f"{source}: holds no {PREDICTION_FILE}: give what spotter predict wrote")
    listed = _splits(annotations, labels, task)[split] if split else []
    absent = len(set(listed) - set(games))
    if 0 < absent < len(set(listed)):
        what = ", not scored" if labels else ""
        log.warning("%s: lacks %d of the %d games of split %s%s", source, absent, len(listed), split, what)
    return games


def _read(source: Path | Predictions, games: Sequence[str], task: Task) -> Mapping[Half, HalfPredictions]:
    if isinstance(source, Path):
        return read_any_predictions(source, games, task)
    source = source if source.task == task else source.as_task(task)
    if len(games) == len(source.games) == 1:  # a single match, whatever either file is called
        return {Half(games[0], half.number): spots for half, spots in source.items()}
    if absent := sorted(set(games) - set(source.games)):
        raise UserError(f"no predictions of {absent[0]}: predict this game, or choose other games")
    return source
