"""Predict with a checkpoint: a split of a data set, or files of your own.

spotter predict ckpt=PATH [split=test] [data.root=…] [out=DIR]
spotter predict ckpt=PATH input=match.mp4 [start=12:30] [end=15:00] [threshold=0.5] [out=DIR]
spotter predict ckpt=PATH input=match.mp4 periods=1:01-47:30,1:03:10-1:51:00    halves of one file; or silence, or FILE
spotter predict ckpt=PATH trust=my_package                a network of your own: modules that may be imported
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from omegaconf import DictConfig

from spotter.cli.aliases import translate_words
from spotter.cli.jobs import is_main_process, run_jobs, set_command_line
from spotter.cli.mistakes import one_line_errors
from spotter.cli.overrides import gather_inputs, key_of, quote

log = logging.getLogger(__name__)
TRAINER = {"accelerator", "devices", "num_nodes", "strategy", "plugins", "precision"}  # what prediction reads of it


def main(words: Sequence[str]) -> None:
    """Run ``spotter predict`` with the words of its command line."""
    with one_line_errors("predict", words):
        _name_unread(words)
        prepared = gather_inputs([quote(word) for word in translate_words(words)])
        set_command_line(words, prepared)
        run_jobs("predict", prepared, job)


def job(cfg: DictConfig) -> None:
    """Predict as the config says."""
    from spotter.training.predict import predict

    predict(cfg)


def _name_unread(words: Sequence[str]) -> None:
    """Say once which keys of ``trainer`` were given that mean nothing to prediction."""
    keys = [key_of(word) for word in words]
    unread = [key for key in keys if key.startswith("trainer.") and key.split(".")[1] not in TRAINER]
    if unread and is_main_process():
        log.warning(
            "%s: prediction does not read this; it reads trainer.%s", ", ".join(unread), ", ".join(sorted(TRAINER))
        )
