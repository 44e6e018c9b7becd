"""``python -m spotter`` does what ``spotter`` does."""

import sys

from spotter.trust import leave_current_folder

leave_current_folder()

from spotter.cli import main  # noqa: E402, once nothing of the current folder can stand in for a package

sys.exit(main())
