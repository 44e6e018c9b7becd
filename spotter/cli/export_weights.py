"""Write the weights of a checkpoint as safetensors, with its settings as JSON inside: no pickle, nothing of training.

The file predicts what the checkpoint predicts, to the bit, and may be given wherever a checkpoint may, but to go on
training it. What it holds can be looked at by any reader of safetensors: weights by name, the settings under "spotter".

  spotter export-weights outputs/RUN soccer.safetensors
  spotter predict ckpt=soccer.safetensors input=match.mp4
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spotter.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("checkpoint", metavar="CKPT", help="a checkpoint of spotter, or the folder of a run")
    parser.add_argument("out", metavar="OUT", type=Path, help="the file to write, such as soccer.safetensors")


def run(arguments: argparse.Namespace) -> int:
    """Write the weights and describe them."""
    from spotter.io.checkpoints import open_checkpoint  # here, for it loads torch
    from spotter.io.run_folders import find_checkpoint
    from spotter.io.weights import SUFFIX, write_weights

    if arguments.out.suffix != SUFFIX:
        raise UsageError(f"{arguments.out}: name a file that ends in {SUFFIX}, so that others know what it is")
    content = open_checkpoint(find_checkpoint(arguments.checkpoint))
    write_weights(arguments.out, content["hyper_parameters"], content["state_dict"])
    tensors, size = content["state_dict"], arguments.out.stat().st_size
    numbers = sum(tensor.numel() for tensor in tensors.values())
    sys.stdout.write(f"{arguments.out}: {len(tensors)} tensors, {numbers:,} numbers, {size / 1e6:,.1f} MB\n")
    return 0
