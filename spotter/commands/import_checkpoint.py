"""Turn a checkpoint of another codebase into one that `python predict.py ckpt=…` takes.

CHECKPOINT is a released checkpoint_*.pt of E2E-Spot with its config.json beside it, or their folder: then the highest
epoch is taken. Classes are put into the order of the task.

  spotter import-checkpoint models/soccer_rny002gsm_gru_rgb soccer.ckpt --from e2e-spot
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

CODEBASES = ("e2e-spot",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="a file, or the folder that it lies in")
    parser.add_argument("out", metavar="OUT", type=Path, help="the checkpoint to write, such as soccer.ckpt")
    parser.add_argument("--from", dest="codebase", choices=CODEBASES, required=True, help="where it comes from")
    parser.add_argument("--task", help="name or YAML file, for other data sets than SoccerNet-v2 and ball-2023")
    parser.add_argument("--fps", help="frames per second that it was trained with, for other data sets than these")


def run(arguments: argparse.Namespace) -> int:
    """Write the checkpoint and say what it is."""
    from spotter.training.published import import_e2e_spot  # torch, which other commands start without

    module = import_e2e_spot(arguments.checkpoint, arguments.out, arguments.task, arguments.fps)
    network = module.hparams["network"]
    told = f"{network['backbone']}, {network['shift']}, {network['temporal']}"
    sys.stdout.write(f"{arguments.out}: {told}, {len(module.task.classes)} classes of {module.task.name}\n")
    return 0
