"""Where a run comes from: the command that started it, and the state of the code."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def command() -> str:
    """Return the command that started this process, as it was typed."""
    return shlex.join(sys.orig_argv)


def code_state() -> dict[str, str | list[str]]:
    """Return the commit and branch of spotter's code, and which of its files are changed; empty outside of git."""
    commit = _git("rev-parse", "HEAD") if _git("ls-files", ".") else ""  # not of a project that spotter is installed in
    if not commit:
        return {}
    changed = [line[3:] for line in _git("status", "--porcelain").splitlines()]
    return {"commit": commit.strip(), "branch": _git("rev-parse", "--abbrev-ref", "HEAD").strip(), "changed": changed}


def code_changes() -> str:
    """Return how the code differs from its commit, as a patch; empty where it does not."""
    return _git("diff", "HEAD") if code_state() else ""


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=FOLDER, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):  # no git here
        return ""
    return "" if done.returncode else done.stdout.decode(errors="replace")
