"""``python -m spotter`` does what ``spotter`` does."""

import sys

from spotter.commands import main

sys.exit(main())
