"""Predict with a checkpoint: ``python predict.py ckpt=…``, the same as ``spotter predict``. See README.md."""

import sys

from spotter.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
