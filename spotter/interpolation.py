"""Text in configs: ``${`` interpolates there, unless a backslash stands before it."""

from __future__ import annotations

import re

INTERPOLATION = re.compile(r"(?<!\\)(\\\\)*\$\{")  # of OmegaConf, as configs write it


def escape(text: str) -> str:
    """Return what a config has to hold to mean this very text: nothing in it is interpolated."""
    return re.sub(r"(\\*)\$\{", lambda match: 2 * match[1] + r"\${", text)


def unescape(text: str) -> str:
    """Return the text that a config without interpolations stands for: the reverse of ``escape``."""
    return re.sub(r"(\\+)\$\{", lambda match: match[1][: len(match[1]) // 2] + "${", text)


def plain_text(value: object) -> str | None:
    """Return the text that a value in a stored config stands for; None for an interpolation and for other values."""
    return unescape(value) if isinstance(value, str) and not INTERPOLATION.search(value) else None
