"""The code blocks of README and docs."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import PROJECT

PAGES = {path.name: path.read_text(encoding="utf-8") for path in [PROJECT / "README.md", *PROJECT.glob("docs/*.md")]}


def blocks_of(language: str) -> list[str]:
    """Return all code blocks of a language."""
    found = (re.findall(r"^```(\w*)\n(.*?)^```", page, re.DOTALL | re.MULTILINE) for page in PAGES.values())
    return [str(content) for blocks in found for name, content in blocks if name == language]


def block_with(text: str, language: str) -> str:
    """Return the code block of a language that holds a text."""
    (block,) = (content for content in blocks_of(language) if text in content)
    return block


def paste_configs(folder: Path) -> None:
    """Paste the configs of docs/extend.md to where it says that they belong."""
    for group, name, text in (
        ("data", "mine", "my_features"),
        ("model", "my_network", "my_network.MyNetwork"),
        ("model", "my_loss", "my_loss.SquaredHead"),
    ):
        path = folder / "my_conf" / group / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block_with(text, "yaml"), encoding="utf-8")
    (folder / "my_task.yaml").write_text(block_with("handball", "yaml"), encoding="utf-8")
