"""Train and score a model: ``python train.py model=… data=…``; without arguments, the demo. See README.md."""

import sys
from pathlib import Path

from spotter.cli.scripts import script

if __name__ == "__main__":
    sys.exit(script("train", Path(__file__).parent / "conf"))
