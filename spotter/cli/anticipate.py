"""Compare what a system expects after clips with two fixed answers, learned from the labels of split train.

The first is the same for every clip: how often each action happens, and when. The second knows the last action that was
observed, by its label, and answers what usually follows. Both are written as result files, suppressed as scores best on
the training clips, and scored beside the system on the same clips, with intervals.

  spotter anticipate outputs/demo-data/ball-v1 outputs/RUN -o usual
  spotter anticipate /data/ActionAnticipation outputs/predictions/test/results_anticipation.json --split test -o usual
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spotter.cli.evaluate import compare, show_scores, write_scores
from spotter.cli.out_folder import check_folder
from spotter.errors import UserError
from spotter.evaluation.anticipation import ANTICIPATED, folder_of_split, read_clips
from spotter.evaluation.average_map import average_map
from spotter.inference.usual import UsualActions, cut_labels
from spotter.io.anticipation import FILE, load_clip_splits, read_anticipation, write_anticipation
from spotter.io.formats import format_of
from spotter.io.run_folders import describe, find_predictions_of
from spotter.io.splits import SPLITS
from spotter.tasks import ANTICIPATION, Task

SUPPRESSED = (1.0, 2.0, 4.0, 10.0)  # seconds that are tried
ANSWERS = {"frequencies": False, "last_action": True}  # by whether the last observed action counts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("labels", metavar="LABELS", help="root of the splits of clips, or of matches")
    parser.add_argument("predictions", metavar="PREDICTIONS", help="result file, its folder, or the folder of a run")
    parser.add_argument("-o", "--out", metavar="DIR", required=True, help="where the fixed answers are written")
    parser.add_argument("--task", metavar="NAME|FILE", default="baa-2026", help="(default: %(default)s)")
    parser.add_argument("--split", choices=SPLITS, help="of the predictions (default: what they say themselves)")
    parser.add_argument("--json", metavar="FILE", help="write the scores as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Learn, answer, write, and compare."""
    task, out = Task.load(arguments.task), Path(arguments.out)
    check_folder(out, "--out")
    if task.metric != ANTICIPATION:
        raise UserError(f"task {task.name}: is not about what comes after clips: give --task baa-2026")
    source = find_predictions_of(Path(arguments.predictions), arguments.split)
    split = arguments.split or describe(source).split
    listed = load_clip_splits(task, arguments.labels)["train"]
    train = cut_labels(format_of(task).read(arguments.labels, listed, task))
    root = folder_of_split(arguments.labels, split, task)
    clips = read_clips(root, [*read_anticipation(source, task)], task)
    named = {"system": source}
    for name, by_last in ANSWERS.items():
        usual = UsualActions.learn(train, task, by_last)
        scores = {each: average_map(train, usual.expect(train, each), task)[ANTICIPATED]["map"] for each in SUPPRESSED}
        best = max(SUPPRESSED, key=lambda each: scores[each])
        write_anticipation(out / name / FILE, usual.expect(clips, best), task)
        named[name] = out / name
    _, metrics = compare(arguments.labels, named, task, split)
    write_scores(arguments.json, metrics)
    show_scores(metrics, {})
    return 0
