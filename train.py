"""Train and score a model: ``python train.py model=… data=…``, the same as ``spotter train``. See README.md."""

import sys

from spotter.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
