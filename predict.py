"""Predict with a checkpoint: ``python predict.py ckpt=… split=test`` or ``input=FILE_OR_FOLDER``. See README.md."""

import sys
from pathlib import Path

from spotter.cli.scripts import script

if __name__ == "__main__":
    sys.exit(script("predict", Path(__file__).parent / "conf"))
