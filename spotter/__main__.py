"""``python -m spotter`` does what ``spotter`` does."""

import sys

from spotter.cli import main

sys.exit(main())
