"""A first look, ``spotter demo --play``: a rendered match, what a small model finds in it, and a report on both."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

from spotter.evaluation.average_map import average_map
from spotter.evaluation.f1 import f1_scores
from spotter.evaluation.report import video_link, write_report
from spotter.extraction.two_stages import load
from spotter.io.files import atomic_write
from spotter.io.formats import format_of
from spotter.io.predictions import write_scored
from spotter.io.splits import read_splits
from spotter.simulation.video.tree import simulate_video, video_path
from spotter.tasks import ASSETS
from spotter.types import Half

MODEL = ASSETS / "demo" / "ball.safetensors"  # docs/systems.md says how it was trained
MODEL_FILE = "model.safetensors"
FPS, HEIGHT = 25.0, 224  # of the video
THRESHOLD = 0.5  # from which a prediction counts


def play(folder: Path, minutes: float, seed: int) -> tuple[Path, str]:
    """Render a match, predict it with the model that ships with spotter, and write a report whose video plays.

    folder : gets the match, an official tree, in ``match/``, the predictions in ``predictions/``, and the model
    minutes, seed : of the match

    Returns the report, and in a line what was found. Raises UserError for a folder that holds something else.
    """
    root, out = folder / "match", folder / "predictions"
    simulate_video(root, games=(0, 0, 1), minutes=minutes, fps=FPS, height=HEIGHT, seed=seed)
    atomic_write(folder / MODEL_FILE, MODEL.read_bytes())  # to be given as ckpt, wherever spotter is installed
    model = load(MODEL, device="cpu", precision=32)
    (game,) = read_splits(root / "splits.json")["test"]
    half, video = Half(game, 1), video_path(root, game, HEIGHT)
    labels = {half: format_of(model.task).read(root, [game], model.task)[half]}
    predictions = {half: next(iter(model.predict(video).values()))}
    metrics = average_map(labels, predictions, model.task)
    write_scored(out, predictions, model.task, metrics, "test")
    write_report(
        out / "report.html",
        predictions,
        model.task,
        labels,
        metrics=metrics,
        title=f"{60 * minutes:g} seconds of a rendered match",
        videos={half: [video_link(os.path.relpath(video), out / "report.html")]},
        threshold=THRESHOLD,
        seconds={half: 60 * minutes},
        playing=True,
    )
    score, actions = f1_scores(labels, predictions, model.task, threshold=THRESHOLD)["micro"], len(labels[half])
    found = f"{score['recall'] * actions:.0f} of {actions} passes and drives are found within half a second"
    return out / "report.html", f"{found}; {100 * score['precision']:.0f} % of all that is found is right"


def open_page(page: Path) -> bool:
    """Open a page in the browser of the desktop; return whether there is one."""
    desktop = {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & os.environ.keys()
    if sys.platform == "linux" and not desktop:
        return False  # else a browser of text, if there is one, would start in this terminal
    return webbrowser.open(page.absolute().as_uri())
