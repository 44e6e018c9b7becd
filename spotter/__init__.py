"""Action spotting in football video: when does a goal, a corner, a pass happen, to the second or better.

What stands here is imported when it is used first, so that ``import spotter`` needs neither torch nor NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spotter.cli.train import train
    from spotter.data.video.frames import read_video
    from spotter.evaluation.evaluate import evaluate
    from spotter.extraction.two_stages import load
    from spotter.inference.model import Model
    from spotter.models.pretrained import load_published
    from spotter.predictions import Predictions
    from spotter.tasks import Task

__version__ = "0.3.0"
__all__ = [
    "Model",
    "Predictions",
    "Task",
    "__version__",
    "evaluate",
    "load",
    "load_published",
    "read_video",
    "train",
]

_MODULES = {
    "Model": "spotter.inference.model",
    "Predictions": "spotter.predictions",
    "Task": "spotter.tasks",
    "evaluate": "spotter.evaluation.evaluate",
    "load": "spotter.extraction.two_stages",
    "load_published": "spotter.models.pretrained",
    "read_video": "spotter.data.video.frames",
    "train": "spotter.cli.train",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
