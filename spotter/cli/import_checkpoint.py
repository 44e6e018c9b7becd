"""Turn a checkpoint of another codebase into one that `spotter predict ckpt=…` takes.

CHECKPOINT is
  --from e2e-spot    a released checkpoint_*.pt of E2E-Spot with its config.json beside it, or their folder: then the
                     highest epoch is taken
  --from t-deed      a state dict of T-DEED in a .pt file, with its config.json beside it, or their folder; of two heads
                     the first is taken
  --from baikulov    a .pth file of the ball action spotting solution of 2023
  --from adaspot     a state dict of AdaSpot in a .pt file; --task says what its classes are
  --from comedian    a .ckpt file of COMEDIAN's ViViT, fine-tuned for spotting
  --from sn-pooling  a model.pth.tar of SoccerNet's pooling baselines, with maximum pooling or NetVLAD
  --from netvladpp   a model.pth.tar of NetVLAD++ or one of its variants
  --from sn-grounding  a model.pth.tar of CALF for replay grounding
Nothing in the file is executed. Classes are put into the order of the task, in which those of pooling baselines lie.

  spotter import-checkpoint models/soccer_rny002gsm_gru_rgb soccer.ckpt --from e2e-spot
  spotter import-checkpoint models/MAXPOOL_v2/model.pth.tar maxpool.ckpt --from sn-pooling
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spotter.errors import UsageError
from spotter.models.pretrained import KINDS, convert_published
from spotter.models.pretrained.options import ImportOptions
from spotter.types import Plain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="a file; of video networks also its folder")
    parser.add_argument("out", metavar="OUT", type=Path, help="the checkpoint to write, such as soccer.ckpt")
    parser.add_argument("--from", dest="codebase", choices=KINDS, required=True, help="where it comes from")
    parser.add_argument("--task", help="name or YAML file, for other data sets than SoccerNet-v2 and ball-2023")
    parser.add_argument(
        "--fps",
        help="frames per second that it was trained with, for other data sets than these; of pooling baselines rows, "
        "by default 2",
    )
    pooling = parser.add_argument_group("pooling baselines, whose files do not say how they were fed")
    pooling.add_argument("--window", type=float, metavar="SECONDS", help="by default 20, netvladpp 15")
    pooling.add_argument(
        "--features", metavar="NAME", help="of the files {1,2}_NAME.npy, by default ResNET_TF2_PCA512 or ResNET_TF2"
    )
    pooling.add_argument("--pool", choices=("max", "mean"), help="of files without clusters, by default max")
    parser.add_argument("--threshold", type=float, help="of adaspot: how much of the map a region holds, by default 0")


def run(arguments: argparse.Namespace) -> int:
    """Write the checkpoint and describe it."""
    if arguments.out.is_dir():
        raise UsageError(f"{arguments.out}: is a folder; name the checkpoint to write")
    if arguments.out.exists() and arguments.checkpoint.exists() and arguments.out.samefile(arguments.checkpoint):
        raise UsageError(f"{arguments.out}: is the checkpoint itself, which would be lost; give OUT another name")
    if arguments.window is not None and not 0 < arguments.window < float("inf"):
        raise UsageError(f"--window: expected seconds, found {arguments.window:g}")
    options = ImportOptions(
        arguments.task,
        arguments.fps,
        arguments.window,
        arguments.features,
        arguments.pool,
        threshold=arguments.threshold,
    )
    settings = convert_published(arguments.checkpoint, arguments.out, arguments.codebase, options)
    sys.stdout.write(f"{arguments.out}: {_describe(settings)}\n")
    return 0


def _describe(settings: Plain) -> str:
    network, streams = settings["network"], settings["source"].get("streams")
    if streams is None:
        system = ", ".join(network[key] for key in ("backbone", "shift", "temporal") if key in network)
    else:
        (stream,) = streams.values()
        halves = ", before and after" if network["aware"] else ""
        rows = f"windows of {network['window']} rows of {stream['width']} columns"
        system = f"{network['pool']}{halves}, {rows} ({stream['file']}, {stream['fps']:g} a second)"
    return f"{system}, {len(settings['task']['classes'])} classes of {settings['task']['name']}"
