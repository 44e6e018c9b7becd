"""Let ``make docs`` show each parameter of a docstring as an item of a list."""

from __future__ import annotations

import re
from typing import Any

import griffe

PARAMETER = re.compile(r"^(\w[\w, ]*) : ", re.MULTILINE)


class Parameters(griffe.Extension):
    """Rewrite docstrings for the reference."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Turn ``name : text`` into an item."""
        if obj.docstring:
            obj.docstring.value = PARAMETER.sub(r"\n- **\1**: ", obj.docstring.value)
